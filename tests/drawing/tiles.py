"""Tiles to draw on, written by hand."""

from __future__ import annotations

import numpy as np

from samrs.core.rle import hbb_to_rle
from samrs.drawing.overlay import Tile

SIZE = (100, 120)


def tile(*boxes: tuple[int, int, int, int]) -> Tile:
    """A grey tile of (100, 120) px with a mask that fills each box, of classes 0, 1, ..."""
    rows = [
        {
            "instance_id": f"i{k}",
            "category_id": k,
            "hbb": [float(v) for v in box],
            "area": (box[2] - box[0]) * (box[3] - box[1]),
            "rle": hbb_to_rle(box, SIZE),
        }
        for k, box in enumerate(boxes)
    ]
    return Tile("t", np.full((*SIZE, 3), 100, np.uint8), rows)
