"""Stage compare-prompts: tables and plots of what the prompt ablation measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from samrs.comparison.plots import write_ablation_plots
from samrs.comparison.tables import write_tables
from samrs.measures.groups import ALL
from stages.stage import arguments, declared, running, value, write_metrics


def main() -> None:
    measured, out, headline = arguments("measured", "out", "headline")
    params = declared()
    about = {name: value(params, name) for name in ("segmenter", "model", "precision")}
    summary, rows = write_tables(pd.read_parquet(measured), Path(out), about)
    write_ablation_plots(rows, Path(out))
    best = summary["best"]
    miou = None if best is None else summary["recipes"][best][ALL]["miou_i"]
    write_metrics(headline, {"miou_i": miou})


if __name__ == "__main__":
    with running():
        main()
