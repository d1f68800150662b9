"""Ultralytics' YOLO format of rotated boxes (docs.ultralytics.com/datasets/obb).

Layout::

    data.yaml                        splits and class names
    images/train/P0000__0_0.png
    labels/train/P0000__0_0.txt      empty for a tile without instances

A line is a class number and four corners, clockwise, as shares of the image's width and height::

    4 0.671680 0.126200 0.774902 0.006400 0.912207 0.130400 0.809082 0.250300

The corners are those annotated; without them, and for all with ``--boxes mask``, the rectangle of
least area around the mask. Both may reach beyond the tile. Ultralytics leaves out an image when the
upright hull of one of its boxes has its centre outside or is larger than the image: such a box
gives way to the next in the order ``annotated``, ``mask_rectangle``, ``mask_hbb``; the summary
counts them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import Array, hbb_to_polygon, polygon_to_hbb
from samrs.export.outlines import rle_to_obb
from samrs.export.subset import Row, Subset
from samrs.export.yolo_layout import share, write_tile, write_yaml

LEVELS = "tile", "scene"


def write(subset: Subset, out: Path, *, boxes: str = "annotated") -> dict[str, Any]:
    """Write the export; returns images, and boxes by where they are from.

    Args:
        boxes: whose the boxes are where they may be either, one of BOXES.
    """
    images = 0
    counts = dict.fromkeys(("annotated", "mask_rectangle", "mask_hbb"), 0)
    for tile in subset.tiles(["obb", "mask_hbb", "area"]):
        lines = []
        for row in tile.rows:
            annotated = row["obb"] if boxes == "annotated" else None
            if not row["area"] and annotated is None:
                continue  # an empty mask has no rectangle
            kind, corners = written_box({**row, "obb": annotated}, tile.size_wh)
            counts[kind] += 1
            shares = (
                share(v, side) for xy in corners for v, side in zip(xy, tile.size_wh, strict=True)
            )
            lines.append(f"{row['label']} {' '.join(shares)}")
        write_tile(tile, lines, out)
        images += 1
    write_yaml(subset, out)
    return {"images": images, "instances": sum(counts.values()), "boxes": counts}


def written_box(row: Row, size_wh: tuple[int, int]) -> tuple[str, Array]:
    """Where the box of an instance is from, and its corners (4, 2) xy in px.

    Args:
        row: an instance of a ``Tile``, with the columns rle, obb and mask_hbb.
        size_wh: of the tile, px.
    """
    if row["obb"] is not None:
        annotated = np.reshape(row["obb"], (4, 2))
        if _fits(annotated, size_wh):
            return "annotated", annotated
    rectangle = rle_to_obb(row["rle"])
    if _fits(rectangle, size_wh):
        return "mask_rectangle", rectangle
    return "mask_hbb", hbb_to_polygon(row["mask_hbb"])


def _fits(corners: Array, size_wh: tuple[int, int]) -> bool:
    """Whether the upright hull's centre lies in the tile, and the hull is no larger than it."""
    hull = polygon_to_hbb(corners) / [*size_wh, *size_wh]
    centre, size = (hull[:2] + hull[2:]) / 2, hull[2:] - hull[:2]
    return bool((centre >= 0).all() and (centre <= 1).all() and (size <= 1).all())
