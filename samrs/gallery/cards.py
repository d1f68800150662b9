"""The chosen instances as pictures: a part of the tile, and mask and boxes as shapes over it.

The picture is of the tile's own pixels, so that the mask can be taken off; shapes stay sharp when
the picture is made larger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.images import decode_rgb
from samrs.core.shards import shard_paths
from samrs.drawing.crops import square
from samrs.drawing.html import jpeg_uri
from samrs.drawing.overlay import fit
from samrs.export.outlines import path_of, rings_by_part

MARGIN = 1.7
"""Side of the part shown, of the longer side of the box and the mask."""
SMALLEST = 32
"""px of a tile that are shown at least."""
SIDE, JPEG = 208, 78
"""Longest side of a picture, px, and quality of its JPEG."""
SCORES = {
    "quality": ("quality", 1),
    "predicted_iou": ("predicted IoU", 1),
    "stability_score": ("stability", 1),
    "box_iou": ("box IoU", 1),
    "obb_iou": ("rotated-box IoU", 1),
    "outside": ("outside the box", -1),
    "disagreement": ("disagreement of answers", -1),
}
"""What a page calls a score of an instance, and whether more of it is better (1) or worse (-1)."""

Row = dict[str, Any]


def cards(release: Path, chosen: pd.DataFrame) -> list[Row]:
    """What a page shows of each chosen instance, in their order.

    Args:
        release: the release product.
        chosen: rows with ``instance_id`` and ``tile_id``.

    Returns:
        ``picture`` (a data URI) of ``side`` px, ``mask`` and ``box`` as SVG paths over it, and
        ``told``: what a script filters, sorts and tells by, as texts; scores that are not there
        are left out.
    """
    wanted = list(zip(chosen["instance_id"], chosen["tile_id"], strict=True))
    by_tile: dict[str, list[Row]] = {}
    for row in _instances(release, wanted):
        by_tile.setdefault(row["tile_id"], []).append(row)
    made = {}
    for tile, split, image in _tiles(release, set(by_tile)):
        for row in by_tile[tile]:
            made[row["instance_id"], tile] = _card(row, split, image)
    return [made[key] for key in wanted]


def _instances(release: Path, wanted: Sequence[tuple[str, str]]) -> Iterator[Row]:
    keys = set(wanted)
    only = [("instance_id", "in", sorted({instance for instance, _ in keys}))]
    for path in shard_paths(release, "instances") if keys else ():
        for row in pq.read_table(path, filters=only).to_pylist():
            if (row["instance_id"], row["tile_id"]) in keys:
                yield row


def _tiles(release: Path, wanted: set[str]) -> Iterator[tuple[str, str, NDArray[np.uint8]]]:
    """Id, split and image of some tiles; row groups without one of them are not read."""
    for path in shard_paths(release, "tiles"):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, ["tile_id"])["tile_id"]
                if wanted.isdisjoint(ids.to_pylist()):
                    continue
                rows = file.read_row_group(group, ["tile_id", "split", "image"])
                for row in rows.filter(
                    pc.is_in(ids, pc.cast(sorted(wanted), ids.type))
                ).to_pylist():
                    where = f"{release}: tile {row['tile_id']}"
                    yield row["tile_id"], row["split"], decode_rgb(row["image"]["bytes"], where)


def _card(row: Row, split: str, image: NDArray[np.uint8]) -> Row:
    box, mask = np.array(row["hbb"]), np.array(row["mask_hbb"])
    if row["area"]:
        box = np.concatenate([np.minimum(box[:2], mask[:2]), np.maximum(box[2:], mask[2:])])
    span = max(int(np.ceil(MARGIN * (box[2:] - box[:2]).max())), SMALLEST)
    middle = np.round((box[:2] + box[2:] - span) / 2)
    # moved where it would leave the tile, which is done only where it is larger than the tile
    room = np.array(image.shape[1::-1]) - span
    left, top = (int(v) for v in np.clip(middle, np.minimum(room, 0), np.maximum(room, 0)))
    picture = fit(square(image, left, top, span), SIDE)
    scale = len(picture) / span
    place = np.array([left, top])
    x0, y0, x1, y1 = row["hbb"]
    hbb = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    obb = [] if row["obb"] is None else [np.reshape(row["obb"], (4, 2))]
    return {
        "picture": jpeg_uri(picture, JPEG),
        "side": len(picture),
        "mask": path_of(outline(row, place, scale)),
        "box": path_of([(corners - place) * scale for corners in (hbb, *obb)]),
        "told": _told(row, split),
    }


def outline(row: Row, place: NDArray[Any], scale: float) -> list[NDArray[np.float64]]:
    """The outlines (K, 2) xy of a mask in px of a picture of a part of its tile.

    Args:
        row: of the instances table.
        place: xy of the part in the tile, px.
        scale: px of the picture for each px of the tile.
    """
    parts = rings_by_part(row["rle"]) if row["area"] else []
    rings = [ring for _, of_part in parts for ring in of_part]
    return [_simple((np.array(ring) - place) * scale) for ring in rings]


def _told(row: Row, split: str) -> dict[str, str]:
    line, recipe = row["source_line"], row.get("recipe") or "none"
    return {
        "name": row["category"],
        "split": split,
        "recipe": recipe,
        "made": row.get("made_by") or "machine",
        "accepted": "yes" if row.get("accepted") else "no",
        "tile": row["tile_id"],
        "instance": row["instance_id"],
        "source": row["source_file"] if line is None else f"{row['source_file']}:{line}",
        "area": str(row["area"]),
        "size": f"{row['area'] ** 0.5:.1f}",
        **{name: f"{row[name]:.4f}" for name in SCORES if _is_number(row.get(name))},
    }


def _is_number(value: Any) -> bool:
    return value is not None and value == value


def _simple(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """A ring without corners that no eye tells apart: a quarter of a px of the picture."""
    simple = cv2.approxPolyDP(ring.astype(np.float32).reshape(-1, 1, 2), 0.25, True)
    return np.asarray(simple, dtype=np.float64).reshape(-1, 2)
