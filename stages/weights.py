"""Stage weights: the checkpoint of the segmenter's model, as data."""

from __future__ import annotations

from pathlib import Path

from samrs.weights.weights import weights
from stages.stage import arguments, declared, running, section


def main() -> None:
    (out,) = arguments("out")
    values = section(weights, declared(), "", "segmenter", "model")
    weights(Path(out), **values)


if __name__ == "__main__":
    with running():
        main()
