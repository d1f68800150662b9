"""Stage sam-label@<dataset>: a mask with scores for every instance."""

from __future__ import annotations

from pathlib import Path

from samrs.label.auto import resolve
from samrs.label.label import label
from samrs.weights.checkpoint import read_checkpoint
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
    names = ("normalized", "weights", "choice", "out", "metrics")
    normalized, weights, choice, out, metrics = map(Path, arguments(*names))
    given = "checkpoint runtime work"
    values = section(label, declared(), "", "prompt", "precision", given=given)
    checkpoint = read_checkpoint(weights)
    values["prompt"] = resolve(values["prompt"], choice, normalized, **checkpoint.about)
    work = work_folder("sam_label") / out.name
    done = label(normalized, out, checkpoint=checkpoint, runtime=runtime(), work=work, **values)
    write_metrics(str(metrics), done)


if __name__ == "__main__":
    with running():
        main()
