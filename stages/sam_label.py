"""Stage sam-label@<dataset>: a mask with scores for every instance."""

from __future__ import annotations

from pathlib import Path

from samrs.label import label
from stages.stage import arguments, declared, running, runtime, section, write_metrics


def main() -> None:
    normalized, out, metrics = arguments("normalized", "out", "metrics")
    top = ("prompt", "segmenter", "model", "precision")
    values = section(label, declared(), "", *top, given="runtime")
    write_metrics(metrics, label(Path(normalized), Path(out), runtime=runtime(), **values))


if __name__ == "__main__":
    with running():
        main()
