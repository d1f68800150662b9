"""Stage report: one offline HTML page to judge the dataset by."""

from __future__ import annotations

from pathlib import Path

from samrs.report import report
from stages.stage import arguments, declared, running, subsets


def main() -> None:
    released, metrics, out = arguments("released", "metrics", "out")
    report(releases=subsets(declared(), released), metrics=Path(metrics), out=Path(out))


if __name__ == "__main__":
    with running():
        main()
