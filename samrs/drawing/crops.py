"""Single instances cut out of their tiles: the image, the box, a mask and the true mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.images import decode_rgb
from samrs.core.rle import Rle, rle_to_crop, rle_to_hbb
from samrs.core.shards import shard_paths
from samrs.drawing.overlay import Box, Image, Mask, draw

T = TypeVar("T", bound=np.generic)

MARGIN = 0.6
"""Surroundings shown around the box and the true mask, as a share of half the longer side."""

MIN_MARGIN = 6
"""px."""

BOX, TRUE, PREDICTED = (255, 213, 74), (53, 224, 111), (255, 61, 139)
LINE = 160
"""px of a picture's longer side for each px of a line's width."""


@dataclass(frozen=True)
class Crop:
    """One instance as one recipe has it, and what is around it.

    Args:
        row: its row of the ablation's frame.
        image: (H, W, 3) uint8 RGB, the part of the tile around the box and the true mask.
        hbb: (4,) xyxy in px of the part, the box that was asked about.
        predicted: (H, W) mask of the recipe.
        truth: (H, W) true mask.
    """

    row: dict[str, Any]
    image: NDArray[np.uint8]
    hbb: NDArray[np.float64]
    predicted: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def load_crops(product: Path, rows: pd.DataFrame) -> list[Crop]:
    """The crops of some rows of an ablation's frame, in their order.

    Args:
        product: the normalized product that was measured.
        rows: with ``tile_id, instance_id, hbb, rle``; rows of one instance share its window.
    """
    tiles = sorted(set(rows["tile_id"]))
    images = {
        row["tile_id"]: decode_rgb(row["image"]["bytes"], f"{product}: tile {row['tile_id']}")
        for row in _of_tiles(product, "tiles", ["tile_id", "image"], tiles)
    }
    truths = {
        (row["tile_id"], row["instance_id"]): row["rle"]
        for row in _of_tiles(product, "truth", ["tile_id", "instance_id", "rle"], tiles)
    }
    crops = []
    for record in rows.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        truth = truths[row["tile_id"], row["instance_id"]]
        x0, y0, w, h = window(row["hbb"], truth)
        image = images[row["tile_id"]][y0 : y0 + h, x0 : x0 + w]
        masks = [rle_to_crop(rle, x0, y0, w, h) for rle in (row["rle"], truth)]
        crops.append(Crop(row, image, np.subtract(row["hbb"], [x0, y0, x0, y0]), *masks))
    return crops


def _of_tiles(
    product: Path, table: str, columns: list[str], tiles: Sequence[str]
) -> list[dict[str, Any]]:
    if not tiles:
        return []
    only = [("tile_id", "in", list(tiles))]
    parts = [
        pq.read_table(path, columns=columns, filters=only) for path in shard_paths(product, table)
    ]
    return [row for part in parts for row in part.to_pylist()]


def window(hbb: Sequence[float], truth: Rle) -> tuple[int, int, int, int]:
    """A square x0, y0, width, height around a box and a true mask, with a margin, inside the tile.

    It is moved where it would leave the tile, and cut only where it is larger than the tile.

    Args:
        truth: the true mask, of the tile's size.
    """
    box, mask = np.asarray(hbb, dtype=np.float64), rle_to_hbb(truth)
    low, high = np.minimum(box[:2], mask[:2]), np.maximum(box[2:], mask[2:])
    half = (high - low).max() / 2
    span = int(np.ceil(2 * (half + max(MARGIN * half, MIN_MARGIN))))
    height, width = (int(v) for v in truth["size"])
    w, h = min(span, width), min(span, height)
    x0, y0 = np.round((low + high - [w, h]) / 2).astype(int)
    return int(np.clip(x0, 0, width - w)), int(np.clip(y0, 0, height - h)), w, h


def draw_crop(crop: Crop, side: int, *, box: bool, predicted: bool, fill: float = 0.0) -> Image:
    """A picture of a crop with its true mask outlined.

    Args:
        side: px of its longer side.
        box: whether to draw the box.
        predicted: whether to draw the predicted mask.
        fill: share of the colour that fills it.
    """
    height, width = crop.truth.shape
    scale = side / max(height, width)
    line = max(1, side // LINE)
    layers: list[Box | Mask] = [Mask(crop.truth, TRUE, TRUE, 0.0, line)]
    if box:
        layers.insert(0, Box(crop.hbb, BOX, line))
    if predicted:
        layers.insert(0, Mask(crop.predicted, PREDICTED, PREDICTED, fill, 2 * line))
    return draw(crop.image, layers, (max(1, round(width * scale)), max(1, round(height * scale))))


def square(image: NDArray[T], left: int, top: int, span: int) -> NDArray[T]:
    """The square of an image at (left, top); black where it leaves the image.

    Args:
        span: its side, px.
    """
    height, width = image.shape[:2]
    part = np.zeros((span, span, *image.shape[2:]), dtype=image.dtype)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + span, width), min(top + span, height)
    part[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return part
