"""Stage stats: counts, sizes, overlap and quality of the released subsets, and their plots."""

from __future__ import annotations

from pathlib import Path

from samrs.stats.plots import write_plots, write_tables
from samrs.stats.stats import over_subsets, stats
from stages.stage import arguments, declared, running, subsets, write_metrics


def main() -> None:
    released, metrics, plots, classes, sizes, headline = arguments(
        "released", "metrics", "plots", "classes", "sizes", "headline"
    )
    values = stats(subsets(declared(), released))
    write_metrics(metrics, values)
    write_metrics(headline, over_subsets(values))
    write_plots(values, Path(plots))
    write_tables(values, Path(classes), Path(sizes))


if __name__ == "__main__":
    with running():
        main()
