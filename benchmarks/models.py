"""What each model costs: CPU seconds of one thread for a tile of 1024 px, and for a box of it.

    python -m benchmarks.models --write nano vit_b sam2.1_hiera_t

Weights are random where they are not bundled: that changes no speed. CPU time, not the clock's, so
that what else a machine does counts for little. `--write` puts what was measured into
`samrs/models/costs.json`, from which `samrs models` and its page tell it; other models keep what
they have.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from samrs.core.shards import write_json
from samrs.prompting.types import Prompt
from samrs.sam import checkpoints
from samrs.sam.hq import Finer, HqSegmenter
from samrs.sam.shells import HIERA
from samrs.scenes.render import render_scene
from samrs.segmenters import edgetam, sam2, sam3
from samrs.segmenters.sam import SamSegmenter
from samrs.weights.checkpoints.sam import NANO
from samrs.weights.listing import COSTS
from samrs.weights.models import models

SIDE, BOXES, SEED = 1024, 8, 30_000_000
PRECISION = "float32-fast"


def engine(name: str) -> Any:
    """The segmenter of a model, with random weights but for nano.

    Args:
        name: of the model.
    """
    import transformers

    torch.manual_seed(0)
    if name == "nano":
        return SamSegmenter(checkpoints.build_sam(name, NANO, device="cpu"), PRECISION)
    if name in checkpoints.BUILDERS:
        return SamSegmenter(checkpoints.BUILDERS[name]().eval(), PRECISION)
    if name in checkpoints.HQ:
        sam = checkpoints.HQ[name]().eval()
        width = sam.image_encoder.patch_embed.proj.out_channels
        return HqSegmenter(sam, Finer(sam.prompt_encoder.embed_dim, width).eval(), PRECISION)
    kind, module = {
        **dict.fromkeys(HIERA, ("Sam2Model", sam2)),
        "sam3": ("Sam3TrackerModel", sam3),
        "edgetam": ("EdgeTamModel", edgetam),
    }[name]
    made: Any = getattr(transformers, kind)(module.config(name))
    return module.of_model(made.eval(), PRECISION)


def cost(name: str) -> dict[str, float]:
    """CPU seconds of a tile, and of a box.

    Args:
        name: of the model.
    """
    torch.set_num_threads(1)
    one = engine(name)
    image = render_scene(SEED, size_hw=(SIDE, SIDE)).image
    corner = np.random.default_rng(0).uniform(0, SIDE - 64, (BOXES, 2))
    boxes = np.concatenate([corner, corner + 48], 1)
    prompt = Prompt(fallback=np.zeros(BOXES, bool), boxes_xyxy=boxes)
    one.decode(one.encode(image), prompt)  # a rehearsal
    begin = time.process_time()
    state = one.encode(image)
    middle = time.process_time()
    one.decode(state, prompt)
    end = time.process_time()
    return {"tile_s": round(middle - begin, 2), "box_s": round((end - middle) / BOXES, 4)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models")
    parser.add_argument("names", nargs="+", choices=[one.name for one in models()])
    parser.add_argument("--write", action="store_true", help=f"into {COSTS.name}")
    wanted = parser.parse_args()
    for name in wanted.names:
        found = cost(name)
        print(json.dumps({"model": name, **found}), flush=True)
        if wanted.write:
            keep(COSTS, name, found)


def keep(path: Path, name: str, found: dict[str, float]) -> None:
    """Note a model's cost beside the others'.

    Args:
        path: of the file.
        name: of the model.
        found: as ``cost`` gives it.
    """
    known = json.loads(path.read_text(encoding="utf-8"))["models"]
    write_json(path, {"models": dict(sorted({**known, name: found}.items()))})


if __name__ == "__main__":
    main()
