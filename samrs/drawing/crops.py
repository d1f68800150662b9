"""Single instances cut out of their tiles: the image, the box, a mask and the true mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.images import decode_rgb
from samrs.core.rle import Rle, rle_to_crop, rle_to_hbb
from samrs.core.shards import shard_paths

MARGIN = 0.6
"""Surroundings shown around the box and the true mask, as a share of half the longer side."""

MIN_MARGIN = 6
"""px."""


@dataclass(frozen=True)
class Cell:
    """One instance as one recipe has it, and what is around it.

    Args:
        row: its row of the ablation's frame.
        image: (H, W, 3) uint8 RGB, the part of the tile around the box and the true mask.
        hbb: (4,) xyxy in px of the part, the box that was asked about.
        predicted, truth: (H, W) masks.
    """

    row: dict[str, Any]
    image: NDArray[np.uint8]
    hbb: NDArray[np.float64]
    predicted: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def load_cells(product: Path, rows: pd.DataFrame) -> list[Cell]:
    """The cells of some rows of an ablation's frame, in their order.

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
    cells = []
    for record in rows.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        truth = truths[row["tile_id"], row["instance_id"]]
        x0, y0, w, h = window(row["hbb"], truth)
        image = images[row["tile_id"]][y0 : y0 + h, x0 : x0 + w]
        masks = [rle_to_crop(rle, x0, y0, w, h) for rle in (row["rle"], truth)]
        cells.append(Cell(row, image, np.subtract(row["hbb"], [x0, y0, x0, y0]), *masks))
    return cells


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
    """
    box, mask = np.asarray(hbb, dtype=np.float64), rle_to_hbb(truth)
    low, high = np.minimum(box[:2], mask[:2]), np.maximum(box[2:], mask[2:])
    half = (high - low).max() / 2
    span = int(np.ceil(2 * (half + max(MARGIN * half, MIN_MARGIN))))
    height, width = (int(v) for v in truth["size"])
    w, h = min(span, width), min(span, height)
    x0, y0 = np.round((low + high - [w, h]) / 2).astype(int)
    return int(np.clip(x0, 0, width - w)), int(np.clip(y0, 0, height - h)), w, h
