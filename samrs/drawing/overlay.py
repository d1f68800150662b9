"""Pictures of released tiles with boxes and masks drawn on, for people to look at.

Masks are rasters decoded from RLE; OpenCV only resamples pictures and draws lines on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.errors import MissingInputError, ParameterError
from samrs.core.geometry import hbb_to_polygon
from samrs.core.images import decode_rgb, encode_rgb
from samrs.core.rle import rle_to_mask
from samrs.core.shards import shard_paths
from samrs.drawing.palette import bright, colour

Image = NDArray[np.uint8]
Row = dict[str, Any]

FILL = 0.45  # share of the palette's colour in a filled mask
SHIFT = 4  # OpenCV draws at 1/16 px
DARK = (20, 20, 20)
THIN_BELOW = 24  # px: smaller masks get the thinnest outline, which would else hide them
GAP = 8  # white px between the pictures of a grid
MARGIN = 0.5  # of a box's longer side, shown around it in a crop
SMALLEST_CROP = 24  # px


@dataclass(frozen=True)
class Tile:
    """A released tile.

    Args:
        image: (H, W, 3) RGB.
        rows: its released instances (schema RELEASED), in stored order.
    """

    tile_id: str
    image: Image
    rows: list[Row]


def load_tiles(release: Path, tile_ids: Sequence[str]) -> list[Tile]:
    """The named tiles of a release, in the order they were named.

    Raises:
        MissingInputError: a tile is not in the release.
    """

    if not tile_ids:
        return []
    only = [("tile_id", "in", sorted(set(tile_ids)))]

    def found(table: str) -> list[Row]:
        parts = [pq.read_table(path, filters=only) for path in shard_paths(release, table)]
        return [row for part in parts for row in part.to_pylist()]

    images = {row["tile_id"]: row["image"]["bytes"] for row in found("tiles")}
    missing = sorted(set(tile_ids) - set(images))
    if missing:
        raise MissingInputError(
            f"{release}: no such tile, got {missing[0]!r}; a tile_id of its tiles table is "
            "allowed; correct the name"
        )
    instances = found("instances")
    return [
        Tile(t, decode_rgb(images[t], t), [row for row in instances if row["tile_id"] == t])
        for t in tile_ids
    ]


def resize(image: Image, size_wh: tuple[int, int]) -> Image:
    """Resample an image: area averages when it shrinks, cubic when it grows."""
    how = cv2.INTER_AREA if size_wh[0] < image.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size_wh, interpolation=how), dtype=np.uint8)


def fit(image: Image, longest: int) -> Image:
    """Shrink an image so that its longer side has at most ``longest`` px."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    return resize(image, (max(1, round(width * scale)), max(1, round(height * scale))))


def _line(picture: Image) -> int:
    """Width in px of lines that still show when the picture is shrunk to some 600 px."""
    return int(max(1, round(max(picture.shape[:2]) / 600)))


def draw_mask(picture: Image, mask: NDArray[np.bool_], label: int) -> None:
    """Fill and outline a mask (H, W), in place, in the palette's colour of its label."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    part, inside = picture[y : y + h, x : x + w], mask[y : y + h, x : x + w]
    fill = FILL * np.array(colour(label), dtype=np.float64)
    part[inside] = (part[inside] * (1 - FILL) + fill).astype(np.uint8)
    outlines, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x, y)
    )
    line = 1 if min(w, h) < THIN_BELOW else _line(picture)
    cv2.drawContours(picture, outlines, -1, bright(colour(label)), line)


def draw_polygon(picture: Image, polygon: NDArray[np.float64], rgb: Sequence[int]) -> None:
    """Draw a closed polygon (K, 2) xy, in place, as a line with a dark rim."""
    # OpenCV's integer coordinates are pixel centres; ours are pixel corners.
    points = np.round((polygon - 0.5) * 2**SHIFT).astype(np.int32)
    line = _line(picture)
    for value, width in ((DARK, line + 2), (tuple(rgb), line)):
        cv2.polylines(picture, [points], True, value, width, cv2.LINE_AA, SHIFT)


def with_boxes(tile: Tile) -> Image:
    """The tile's picture with the horizontal boxes drawn on."""
    picture = tile.image.copy()
    for row in tile.rows:
        draw_polygon(picture, hbb_to_polygon(row["hbb"]), bright(colour(row["category_id"])))
    return picture


def with_masks(tile: Tile) -> Image:
    """The tile's picture with the masks drawn on, smaller ones on top."""
    picture = tile.image.copy()
    for row in sorted(tile.rows, key=lambda r: -r["area"]):
        draw_mask(picture, rle_to_mask(row["rle"]), row["category_id"])
    return picture


def _window(image: Image, left: int, top: int, span: int) -> Image:
    """The square of an image at (left, top); black where it leaves the image."""
    height, width = image.shape[:2]
    part = np.zeros((span, span, *image.shape[2:]), dtype=np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + span, width), min(top + span, height)
    part[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return part


def instance_crop(tile: Tile, row: Row, side: int) -> Image:
    """One instance with its mask and box and what is around it, (side, side, 3)."""
    x0, y0, x1, y1 = row["hbb"]
    span = max(round(max(x1 - x0, y1 - y0) * (1 + 2 * MARGIN)), SMALLEST_CROP)
    left, top = round((x0 + x1 - span) / 2), round((y0 + y1 - span) / 2)
    picture = resize(_window(tile.image, left, top, span), (side, side))
    mask = _window(rle_to_mask(row["rle"]).astype(np.uint8), left, top, span)
    mask = np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_NEAREST), np.uint8)
    draw_mask(picture, mask.astype(bool), row["category_id"])
    box = (hbb_to_polygon(row["hbb"]) - [left, top]) * (side / span)
    draw_polygon(picture, box, (255, 255, 255))
    return picture


def _beside(pictures: Sequence[Image], axis: int) -> Image:
    gap = [GAP if a == axis else pictures[0].shape[a] for a in (0, 1)]
    white = np.full((*gap, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (white, picture)]
    return np.concatenate(parts[1:], axis=axis)


def boxes_to_masks_picture(release: Path, tile_ids: Sequence[str], path: Path) -> None:
    """Write a picture with one row a tile: its boxes on the left, its masks on the right.

    Args:
        tile_ids: tiles of the release.
        path: ``.jpg`` or ``.png``; 1,208 px wide.

    Raises:
        MissingInputError: a tile is not in the release.
        ParameterError: no tile was named.
    """
    if not tile_ids:
        raise ParameterError(
            f"{path}: no tile to draw, got none; one or more tile_ids of {release} are allowed; "
            "name some"
        )
    rows = []
    for tile in load_tiles(release, tile_ids):
        height, width = tile.image.shape[:2]
        size_wh = (600, round(600 * height / width))
        rows.append(_beside([resize(f(tile), size_wh) for f in (with_boxes, with_masks)], axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_rgb(_beside(rows, axis=0), path.suffix, quality=85))
