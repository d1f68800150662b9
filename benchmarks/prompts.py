"""What recipes cost: each against `hbox`, and ten that share an encoder pass against one.

    python -m benchmarks.prompts data/normalize/hrsc2016 --tiles 4
    python -m benchmarks.prompts data/normalize/hrsc2016 --model vit_b --tiles 4 --only-shared
    python -m benchmarks.prompts --boxes 8 --model vit_b --tiles 2 --recipes fit two_sizes

Tile by tile, in one process with one thread, every recipe labels from the decoded image on: what it
encodes, decodes and scores. ViT-B, L and H have random weights here: that changes no speed.

With --boxes instead of a product the tiles are procedural scenes of --side px, 800 as DIOR's, each
with so many boxes spread over the sizes of its things; DIOR has 8 a tile. --recipes names what is
timed beside `hbox`, without the ten; `fit/6` is `fit` where boxes up to a sixth of the best size,
not a fourth, are why a picture of crops is made: the frontier of time against mIOU_I.

Prints one JSON line: CPU seconds a tile by `hbox`; `ratio`, each recipe's time to that of `hbox`;
`passes`, its encoder passes a tile; `shared_ratio`, the time of all recipes that need no crop, on
one encoder pass, to that of `hbox` alone; masks a tile; of scenes, whose true masks are known, also
`miou`, mIOU_I by recipe in percent. With --only-shared no other recipe than these is timed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.label import model
from samrs.core.images import decode_rgb
from samrs.core.rle import Rle, crop_to_rle, rle_iou
from samrs.label.label import instance_boxes, tiles, where
from samrs.label.scores import mask_scores
from samrs.prompting import crops
from samrs.prompting.recipes import Recipe, parse_recipe
from samrs.prompting.types import Boxes
from samrs.prompting.view import Image, View
from samrs.scenes.render import render_scene
from samrs.segmenters.sam import SamSegmenter

HBOX = "hbox"
TEN = (
    HBOX, "hbox_wide", "rhbox", "point", "hbox+point", "neighbours", "keypoints", "rbox",
    "soft_rbox", "choose",
)  # fmt: skip
CROPS = (
    "zoom", "soft_rbox+zoom", "fit", "soft_rbox+fit", "two_sizes", "rotated", "soft_rbox+rotated",
    "refine", "consensus",
)  # fmt: skip
SMALL = crops.SMALL
FIRST_SEED = 40_000_000


class Tile(NamedTuple):
    """What is labelled, and the true masks where they are known."""

    image: Image
    boxes: Boxes
    truth: list[Rle] | None = None


def recipe_of(name: str) -> Recipe:
    """A recipe by its name; ``fit/6`` has another `crops.SMALL`."""
    word, _, part = name.partition("/")
    crops.SMALL = int(part) if part else SMALL
    return parse_recipe(word)


def label(recipe: Recipe, view: View, boxes: Boxes) -> tuple[float, list[Rle]]:
    """CPU seconds to ask and score, and the masks."""
    begin = time.process_time()
    answer = recipe.ask(view, boxes)
    for i, rle in enumerate(answer.rles):
        mask_scores(rle, boxes.hbb[i], boxes.obb[i] if boxes.has_obb[i] else None)
    return time.process_time() - begin, answer.rles


def measure(
    engine: SamSegmenter, tiles: list[Tile], alone: Sequence[str], ten: Sequence[str]
) -> dict[str, object]:
    """The figures, summed over tiles.

    Args:
        alone: recipes that are timed each with a pass of its own, `hbox` among them.
        ten: recipes that share one; may be none.
    """
    seconds: defaultdict[str, float] = defaultdict(float)
    passes: defaultdict[str, float] = defaultdict(float)
    ious: defaultdict[str, list[float]] = defaultdict(list)
    shared = 0.0
    for image, boxes, truth in tiles:
        for name in alone:
            view = View(engine, image)
            spent, masks = label(recipe_of(name), view, boxes)
            seconds[name] += spent
            passes[name] += view.spent.encoder_passes
            if truth is not None:
                pairs = zip(masks, truth, strict=True)
                ious[name] += [float(rle_iou([a], [b])[0, 0]) for a, b in pairs]
        view = View(engine, image)
        shared += sum(label(parse_recipe(name), view.again(), boxes)[0] for name in ten)
    found: dict[str, object] = {
        "seconds_a_tile": round(seconds[HBOX] / len(tiles), 3),
        "ratio": {name: round(value / seconds[HBOX], 2) for name, value in seconds.items()},
        "passes": {name: round(count / len(tiles), 2) for name, count in passes.items()},
        "masks_a_tile": round(sum(len(tile.boxes) for tile in tiles) / len(tiles), 1),
    }
    if ten:
        found |= {"shared": len(ten), "shared_ratio": round(shared / seconds[HBOX], 2)}
    if ious:
        found["miou"] = {name: round(100 * sum(v) / len(v), 1) for name, v in ious.items()}
    return found


def scenes(tiles: int, side: int, count: int) -> Iterator[Tile]:
    """Scenes with boxes of their things, spread evenly over the order of sizes.

    Args:
        side: of a scene, px.
        count: of boxes in each; scenes with fewer things are passed over.
    """
    drawn = (render_scene(FIRST_SEED + n, size_hw=(side, side)) for n in itertools.count())
    for shown in itertools.islice((s for s in drawn if len(s.objects) >= count), tiles):
        things = sorted(shown.objects, key=lambda thing: max(thing.mask.shape))
        chosen = [things[round(k)] for k in np.linspace(0, len(things) - 1, count)]
        hbb = np.array([thing.box for thing in chosen], np.float64)
        truth = [
            crop_to_rle(thing.mask, thing.box[0], thing.box[1], (side, side)) for thing in chosen
        ]
        boxes = Boxes(hbb, np.array([thing.obb for thing in chosen]), (side, side))
        yield Tile(shown.image, boxes, truth)


def labelled(product: Path, count: int) -> Iterator[Tile]:
    """The first tiles of a product of normalize that have instances."""
    for tile, instances in tiles(product, "prompts"):
        if instances:
            image = decode_rgb(tile["image"]["bytes"], where(product, tile))
            yield Tile(image, instance_boxes(instances, (tile["height"], tile["width"])))
            count -= 1
        if not count:
            return


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("normalized", nargs="?", type=Path, help="a product of normalize")
    parser.add_argument("--boxes", type=int, help="in a tile; scenes instead of a product")
    parser.add_argument("--side", type=int, default=800, help="of a scene, px")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--recipes", nargs="+", help="time `hbox` and these")
    parser.add_argument("--only-shared", action="store_true", help="time `hbox` and the ten")
    given = parser.parse_args()
    if (given.normalized is None) == (given.boxes is None):
        parser.error("one of a product and --boxes is needed; name one")
    torch.set_num_threads(1)
    source = (
        scenes(given.tiles, given.side, given.boxes)
        if given.boxes
        else labelled(given.normalized, given.tiles)
    )
    engine = SamSegmenter(model(given.model, "cpu"), given.precision)
    # what is encoded first makes the buffers, and the embedding of nothing
    engine.encode_corner(np.zeros((1024, 1024, 3), np.uint8), (256, 256))
    about = {"model": given.model, "precision": given.precision, "tiles": given.tiles}
    alone = (HBOX,) if given.only_shared else (*TEN, *CROPS)
    alone, ten = ((HBOX, *given.recipes), ()) if given.recipes else (alone, TEN)
    found = measure(engine, list(source), alone, ten)
    print(json.dumps({"benchmark": "prompts", **about, **found}))


if __name__ == "__main__":
    main()
