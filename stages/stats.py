"""Stage stats: counts, sizes, overlap and quality of the released subsets, and their plots."""

from __future__ import annotations

from pathlib import Path

from samrs.stats.plots import write_plots, write_tables
from samrs.stats.stats import stats
from stages.stage import arguments, declared, running, subsets, write_metrics


def main() -> None:
    released, metrics, plots, classes, sizes = arguments(
        "released", "metrics", "plots", "classes", "sizes"
    )
    values = stats(subsets(declared(), released))
    write_metrics(metrics, values)
    write_plots(values, Path(plots))
    write_tables(values, Path(classes), Path(sizes))


if __name__ == "__main__":
    with running():
        main()
