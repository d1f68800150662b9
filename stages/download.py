"""Stage download@<dataset>: raw files in the dataset's official layout, verified."""

from __future__ import annotations

from pathlib import Path

from samrs.download import download
from stages.stage import arguments, declared, running, section, write_metrics


def main() -> None:
    dataset, out, inbox, metrics = arguments("dataset", "out", "inbox", "metrics")
    values = section(download, declared(), f"download.{dataset}", "origin", given="inbox")
    write_metrics(metrics, download(dataset, Path(out), inbox=Path(inbox), **values))


if __name__ == "__main__":
    with running():
        main()
