"""Stage prompt-ablation: every prompt recipe against true masks, one encoder pass for all."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from samrs.ablation import ablate, plot, summarise, to_rows
from stages.stage import arguments, declared, running, runtime, section, write_metrics


def main() -> None:
    normalized, out, metrics, table, picture = arguments(
        "normalized", "out", "metrics", "table", "picture"
    )
    top = ("segmenter", "model", "precision")
    values = section(ablate, declared(), "prompt_ablation", *top, given="runtime")
    frame = ablate(Path(normalized), runtime=runtime(), **values)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(out)
    write_metrics(metrics, summarise(frame))
    pd.DataFrame(to_rows(frame)).to_csv(table, index=False, lineterminator="\n")
    plot(frame, Path(picture))


if __name__ == "__main__":
    with running():
        main()
