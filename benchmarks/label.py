"""Labelling against the official loop, alternately on the same tiles in one process.

    python -m benchmarks.label --normalized data/normalize/dota --tiles 4

The official loop is `SamPredictor.set_image` + `predict_torch`, 20 boxes a call, and pycocotools'
encoding, as SAMRS ran it. Prints one JSON line: tiles/s and masks/s of both, their ratio, and how
well the masks agree.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor

from samrs.core.images import decode_rgb
from samrs.core.prompting import Boxes
from samrs.core.rle import Rle, mask_to_rle, rle_iou
from samrs.label import instance_boxes, tiles
from samrs.recipes import parse_recipe
from samrs.segmenters import sam

BOXES_A_CALL = 20


def official(predictor: SamPredictor, image: NDArray[np.uint8], boxes: Boxes) -> list[Rle]:
    """The masks of the official predictor for the boxes of one tile."""
    predictor.set_image(image)
    found: list[Rle] = []
    for start in range(0, len(boxes), BOXES_A_CALL):
        asked = torch.as_tensor(boxes.hbb[start : start + BOXES_A_CALL], dtype=torch.float)
        masks, _, _ = predictor.predict_torch(
            None,
            None,
            predictor.transform.apply_boxes_torch(asked, boxes.size_hw),
            multimask_output=False,
        )
        found += [mask_to_rle(mask) for mask in masks[:, 0].numpy()]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label")
    parser.add_argument("--normalized", type=Path, default=Path("data/normalize/dota"))
    parser.add_argument("--tiles", type=int, default=4, help="tiles with boxes to label")
    parser.add_argument("--model", default="nano")
    wanted = parser.parse_args()
    runtime: dict[str, Any] = {"device": "cpu", "threads": None}
    engine = sam.load(model=wanted.model, precision="float32", runtime=runtime)
    predictor, recipe = SamPredictor(engine.sam), parse_recipe("hbox")
    seconds = {"official": 0.0, "ours": 0.0}
    count, masks, agreement = 0, 0, []
    for tile, instances in tiles(wanted.normalized, "benchmark"):
        if count == wanted.tiles:
            break
        if not instances:
            continue
        boxes = instance_boxes(instances, (tile["height"], tile["width"]))
        image = decode_rgb(tile["image"]["bytes"], tile["tile_id"])
        begin = time.perf_counter()
        theirs = official(predictor, image, boxes)
        middle = time.perf_counter()
        ours = engine.decode(engine.encode(image), recipe.build(boxes)).rles
        seconds["official"] += middle - begin
        seconds["ours"] += time.perf_counter() - middle
        agreement += [rle_iou([a], [b])[0, 0] for a, b in zip(theirs, ours, strict=True)]
        count, masks = count + 1, masks + len(boxes)
    result = {
        "model": wanted.model,
        "tiles": count,
        "masks": masks,
        "mean_iou": round(float(np.mean(agreement)), 5),
        "ratio": round(seconds["official"] / seconds["ours"], 2),
        **{f"{name}_tiles_per_s": round(count / s, 3) for name, s in seconds.items()},
        **{f"{name}_masks_per_s": round(masks / s, 2) for name, s in seconds.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
