"""Stage stats: counts, sizes, overlap and quality of the released subsets, and their plots."""

from __future__ import annotations

from pathlib import Path

from samrs.stats.plots import write_plots, write_tables
from samrs.stats.stats import stats
from stages.stage import arguments, declared, running, subsets, write_metrics

HEADLINE = ("instances", "mean_box_iou", "mean_outside")


def main() -> None:
    released, metrics, plots, classes, sizes, headline = arguments(
        "released", "metrics", "plots", "classes", "sizes", "headline"
    )
    values = stats(subsets(declared(), released))
    write_metrics(metrics, values)
    write_metrics(headline, {n: {k: subset[k] for k in HEADLINE} for n, subset in values.items()})
    write_plots(values, Path(plots))
    write_tables(values, Path(classes), Path(sizes))


if __name__ == "__main__":
    with running():
        main()
