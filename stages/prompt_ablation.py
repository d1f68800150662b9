"""Stage prompt-ablation: every prompt recipe against true masks, one encoder pass for all."""

from __future__ import annotations

from pathlib import Path

from samrs.ablation.ablation import ablate
from stages.stage import arguments, declared, running, runtime, section


def main() -> None:
    normalized, out = arguments("normalized", "out")
    top = ("segmenter", "model", "precision")
    values = section(ablate, declared(), "prompt_ablation", *top, given="runtime")
    frame = ablate(Path(normalized), runtime=runtime(), **values)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(out)


if __name__ == "__main__":
    with running():
        main()
