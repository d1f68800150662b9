"""Stage sam-label@<dataset>: a mask with scores for every instance."""

from __future__ import annotations

from pathlib import Path

from samrs.label.auto import resolve
from samrs.label.label import label
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
    normalized, choice, out, metrics = arguments("normalized", "choice", "out", "metrics")
    top = ("prompt", "segmenter", "model", "precision")
    values = section(label, declared(), "", *top, given="runtime work")
    asked = {name: values[name] for name in ("segmenter", "model")}
    values["prompt"] = resolve(values["prompt"], Path(choice), Path(normalized), **asked)
    work = work_folder("sam_label") / Path(out).name
    done = label(Path(normalized), Path(out), runtime=runtime(), work=work, **values)
    write_metrics(metrics, done)


if __name__ == "__main__":
    with running():
        main()
