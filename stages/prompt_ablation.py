"""Stage prompt-ablation: every prompt recipe against true masks, one encoder pass for all."""

from __future__ import annotations

from pathlib import Path

from samrs.ablation.ablation import ablate
from samrs.weights.checkpoint import read_checkpoint
from stages.stage import arguments, declared, running, runtime, section


def main() -> None:
    normalized, weights, out = arguments("normalized", "weights", "out")
    given = "checkpoint runtime timed"
    values = section(ablate, declared(), "prompt_ablation", "precision", given=given)
    checkpoint = read_checkpoint(Path(weights))
    frame = ablate(Path(normalized), checkpoint=checkpoint, runtime=runtime(), **values)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(out)


if __name__ == "__main__":
    with running():
        main()
