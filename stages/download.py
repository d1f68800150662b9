"""Stage download@<dataset>: raw files in the dataset's official layout, verified."""

from __future__ import annotations

from pathlib import Path

from samrs.download.download import download
from stages.stage import arguments, declared, running, runtime, section, write_metrics


def main() -> None:
    dataset, inbox, out, metrics = arguments("dataset", "inbox", "out", "metrics")
    path, given = f"download.{dataset}", "inbox parallel"
    values = section(download, declared(), path, "origin", given=given)
    parallel = runtime()["downloads"]
    done = download(dataset, Path(out), inbox=Path(inbox), parallel=parallel, **values)
    write_metrics(metrics, done)


if __name__ == "__main__":
    with running():
        main()
