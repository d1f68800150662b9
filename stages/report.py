"""Stage report: one offline HTML page to judge the dataset by."""

from __future__ import annotations

from pathlib import Path

from samrs.report import report
from stages.stage import arguments, declared, running, section, subsets


def main() -> None:
    released, metrics, out = arguments("released", "metrics", "out")
    params = declared()
    values = section(report, params, "", "origin")
    report(subsets(params, released), Path(metrics), Path(out), **values)


if __name__ == "__main__":
    with running():
        main()
