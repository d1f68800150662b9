"""Stage report: one offline HTML page to judge the dataset by."""

from __future__ import annotations

from pathlib import Path

from samrs.report.report import report
from stages.stage import arguments, declared, running, section, subsets


def main() -> None:
    released, metrics, measured, normalized, quality, out = arguments(
        "released", "metrics", "measured", "normalized", "quality", "out"
    )
    params = declared()
    values = section(report, params, "", given="measured normalized quality")
    report(
        subsets(params, released),
        Path(metrics),
        Path(out),
        measured=Path(measured),
        normalized=Path(normalized),
        quality=Path(quality),
        **values,
    )


if __name__ == "__main__":
    with running():
        main()
