"""What recipes cost: each against `hbox`, and ten that share an encoder pass against one.

    python -m benchmarks.prompts data/normalize/hrsc2016 --tiles 4
    python -m benchmarks.prompts data/normalize/hrsc2016 --model vit_b --tiles 4 --only-shared

Tile by tile, in one process with one thread, every recipe labels from the decoded image on: what it
encodes, decodes and scores. ViT-B, L and H have random weights here: that changes no speed.

Prints one JSON line: CPU seconds a tile by `hbox`; `ratio`, each recipe's time to that of `hbox`;
`passes`, its encoder passes a tile; `shared_ratio`, the time of all recipes that need no crop, on
one encoder pass, to that of `hbox` alone; masks a tile. With --only-shared no other recipe than
these is timed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import torch

from benchmarks.label import model
from samrs.core.images import decode_rgb
from samrs.label.label import instance_boxes, tiles, where
from samrs.label.scores import mask_scores
from samrs.prompting.recipes import Recipe, parse_recipe
from samrs.prompting.types import Boxes
from samrs.prompting.view import Image, View
from samrs.segmenters.sam import SamSegmenter

HBOX = "hbox"
TEN = (
    HBOX, "hbox_wide", "rhbox", "point", "hbox+point", "neighbours", "keypoints", "rbox",
    "soft_rbox", "choose",
)  # fmt: skip
CROPS = ("zoom", "soft_rbox+zoom", "rotated", "soft_rbox+rotated", "refine", "consensus")


def label(recipe: Recipe, view: View, boxes: Boxes) -> float:
    """CPU seconds to ask and score."""
    begin = time.process_time()
    answer = recipe.ask(view, boxes)
    for i, rle in enumerate(answer.rles):
        mask_scores(rle, boxes.hbb[i], boxes.obb[i] if boxes.has_obb[i] else None)
    return time.process_time() - begin


def measure(
    engine: SamSegmenter, images: list[tuple[Image, Boxes]], alone: tuple[str, ...]
) -> dict[str, object]:
    """The figures, summed over tiles.

    Args:
        alone: recipes that are timed each with a pass of its own, `hbox` among them.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    passes: defaultdict[str, float] = defaultdict(float)
    shared = 0.0
    for image, boxes in images:
        for name in alone:
            view = View(engine, image)
            seconds[name] += label(parse_recipe(name), view, boxes)
            passes[name] += view.spent.encoder_passes
        view = View(engine, image)
        shared += sum(label(parse_recipe(name), view.again(), boxes) for name in TEN)
    return {
        "seconds_a_tile": round(seconds[HBOX] / len(images), 3),
        "ratio": {name: round(value / seconds[HBOX], 2) for name, value in seconds.items()},
        "passes": {name: round(count / len(images), 2) for name, count in passes.items()},
        "shared": len(TEN),
        "shared_ratio": round(shared / seconds[HBOX], 2),
        "masks_a_tile": round(sum(len(boxes) for _, boxes in images) / len(images), 1),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("normalized", type=Path, help="a product of normalize")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--only-shared", action="store_true", help="time `hbox` and the ten")
    given = parser.parse_args()
    torch.set_num_threads(1)
    images: list[tuple[Image, Boxes]] = []
    for tile, instances in tiles(given.normalized, "prompts"):
        if instances and len(images) < given.tiles:
            image = decode_rgb(tile["image"]["bytes"], where(given.normalized, tile))
            images.append((image, instance_boxes(instances, (tile["height"], tile["width"]))))
    engine = SamSegmenter(model(given.model, "cpu"), given.precision)
    about = {"model": given.model, "precision": given.precision, "tiles": len(images)}
    alone = (HBOX,) if given.only_shared else (*TEN, *CROPS)
    print(json.dumps({"benchmark": "prompts", **about, **measure(engine, images, alone)}))


if __name__ == "__main__":
    main()
