"""Stage compare-prompts: tables and plots of what the prompt ablation measured."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from samrs.comparison.plots import write_ablation_plots
from samrs.comparison.tables import write_tables
from stages.stage import arguments, declared, running, value


def main() -> None:
    measured, out = arguments("measured", "out")
    params = declared()
    about = {name: value(params, name) for name in ("segmenter", "model", "precision")}
    _, rows = write_tables(pd.read_parquet(measured), Path(out), about)
    write_ablation_plots(rows, Path(out))


if __name__ == "__main__":
    with running():
        main()
