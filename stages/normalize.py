"""Stage normalize@<dataset>: official formats to one schema of tiles and instances."""

from __future__ import annotations

from pathlib import Path

from samrs.normalize.normalize import normalize
from stages.stage import arguments, declared, running, runtime, section, write_metrics


def main() -> None:
    dataset, source, out, metrics = arguments("dataset", "source", "out", "metrics")
    values = section(normalize, declared(), f"normalize.{dataset}", given="workers")
    workers = runtime()["threads"]
    write_metrics(metrics, normalize(dataset, Path(source), Path(out), **values, workers=workers))


if __name__ == "__main__":
    with running():
        main()
