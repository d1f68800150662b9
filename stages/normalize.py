"""Stage normalize@<dataset>: official formats to one schema of tiles and instances."""

from __future__ import annotations

from pathlib import Path

from samrs.normalize.normalize import normalize
from stages.stage import (
    arguments,
    declared,
    running,
    runtime,
    section,
    work_folder,
    write_metrics,
)


def main() -> None:
    dataset, form, source, out, metrics = arguments("dataset", "format", "source", "out", "metrics")
    given = "format workers work"
    values = section(normalize, declared(), f"normalize.{dataset}", given=given)
    speed = {"workers": runtime()["threads"], "work": work_folder("normalize") / dataset}
    done = normalize(dataset, Path(source), Path(out), format=form, **speed, **values)
    write_metrics(metrics, done)


if __name__ == "__main__":
    with running():
        main()
