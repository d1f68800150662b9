"""Stage normalize@<dataset>: official formats to one schema of tiles and instances."""

from __future__ import annotations

from pathlib import Path

from samrs.normalize.normalize import normalize
from stages.stage import arguments, declared, running, runtime, section, write_metrics


def main() -> None:
    dataset, form, source, out, metrics = arguments("dataset", "format", "source", "out", "metrics")
    values = section(normalize, declared(), f"normalize.{dataset}", given="format workers")
    workers = runtime()["threads"]
    write_metrics(
        metrics, normalize(dataset, Path(source), Path(out), format=form, workers=workers, **values)
    )


if __name__ == "__main__":
    with running():
        main()
