"""Prints a hash of nano's labels of a drawn tile for each recipe; run by test_portable.

    python -m tests.sam.portable PRECISION RECIPE...

The tile is drawn in integers, so that only labelling can differ between CPUs.
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

import numpy as np

from samrs.core.images import encode_rgb
from samrs.label.label import Labeller
from samrs.prompting.types import Prompt
from samrs.weights.weights import find_checkpoint

SIZE_HW = (232, 300)
BOXES = ([40, 30, 130, 92], [150.5, 100.25, 240, 200], [200, 10, 290, 60], [3, 140, 90, 231])


def tile() -> dict[str, Any]:
    """A row of the table tiles: boxes of other colours on a gradient."""
    rows, columns = np.indices(SIZE_HW)
    image = np.stack([rows % 256, (columns * 3 // 4) % 256, (rows * columns // 97) % 256], -1)
    for number, (x0, y0, x1, y1) in enumerate(np.array(BOXES).astype(int)):
        image[y0 + 4 : y1 - 3, x0 + 2 : x1 - 5] = (60 * number, 200 - 40 * number, 90)
    encoded = encode_rgb(image.astype(np.uint8))
    return {"height": SIZE_HW[0], "width": SIZE_HW[1], "image": {"bytes": encoded}}


def instances() -> list[dict[str, Any]]:
    """Its boxes, turned ones within."""
    return [
        {"instance_id": str(i), "hbb": [x0, y0, x1, y1],
         "obb": [x0, y0 + 9, x1 - 7, y0, x1, y1 - 9, x0 + 7, y1]}
        for i, (x0, y0, x1, y1) in enumerate(BOXES)
    ]  # fmt: skip


def main() -> None:
    """The command line."""
    precision, *recipes = sys.argv[1:]
    checkpoint = find_checkpoint("sam", "nano")
    for recipe in recipes:
        work = Labeller(prompt=recipe, checkpoint=checkpoint, precision=precision, device="cpu")
        rows = json.dumps(work(tile(), instances(), "tile"), default=str)
        print(recipe, hashlib.sha256(rows.encode()).hexdigest()[:16])
    image = np.random.default_rng(0).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8)
    state = work.engine.encode(image)
    given = hashlib.sha256(state.embedding.numpy().tobytes())
    prompt = Prompt(boxes_xyxy=np.array(BOXES, np.float64), fallback=np.zeros(len(BOXES), bool))
    for answer in work.engine.answers(state, prompt):
        given.update(answer.logits.tobytes())
    print("logits", given.hexdigest()[:16])


if __name__ == "__main__":
    main()
