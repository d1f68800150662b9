"""Pictures of released tiles with boxes and masks drawn on, for people to look at.

Masks are rasters decoded from RLE; OpenCV only resamples pictures and draws lines on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from samrs.core.errors import MissingInputError
from samrs.core.geometry import hbb_to_polygon
from samrs.core.images import decode_rgb
from samrs.core.rle import rle_to_mask
from samrs.core.shards import shard_paths
from samrs.drawing.palette import Rgb, bright, colour

Image = NDArray[np.uint8]
Row = dict[str, Any]

FILL = 0.45  # share of the palette's colour in a filled mask
SHIFT = 4  # OpenCV draws at 1/16 px
DARK = (20, 20, 20)
THIN_BELOW = 24  # px: smaller masks get the thinnest outline, which would else hide them


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

    Args:
        tile_ids: which tiles.

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


@dataclass(frozen=True, eq=False)
class Box:
    """A box to draw, as a line with a dark rim.

    Args:
        hbb: (4,) xyxy, in px of the image it is drawn on.
        line: width in px of the picture; None: what still shows when it is shrunk.
    """

    hbb: ArrayLike
    rgb: Rgb
    line: int | None = None


@dataclass(frozen=True, eq=False)
class Mask:
    """A mask to draw, filled and outlined inside itself.

    Args:
        mask: (H, W) of the image it is drawn on.
        rgb: of the fill.
        line_rgb: of the outline.
        fill: share of the colour in the fill.
        line: as of ``Box``, but thin where the mask is small.
    """

    mask: NDArray[np.bool_]
    rgb: Rgb
    line_rgb: Rgb
    fill: float = FILL
    line: int | None = None


def draw(
    image: Image, layers: Iterable[Box | Mask], size_wh: tuple[int, int] | None = None
) -> Image:
    """A copy of an image with boxes and masks on it, the later on top.

    Args:
        layers: masks and boxes, the lowest first.
        size_wh: of the picture; None: as large as the image.
    """
    height, width = image.shape[:2]
    size_wh = size_wh or (width, height)
    picture = resize(image, size_wh) if size_wh != (width, height) else image.copy()
    for layer in layers:
        if isinstance(layer, Box):
            corners = hbb_to_polygon(layer.hbb) * [size_wh[0] / width, size_wh[1] / height]
            _draw_polygon(picture, corners, layer.rgb, layer.line or _line(picture))
        elif layer.mask.any():
            grown = cv2.resize(
                layer.mask.astype(np.uint8), size_wh, interpolation=cv2.INTER_NEAREST
            )
            _draw_mask(picture, np.asarray(grown, dtype=np.uint8), layer)
    return picture


def _line(picture: Image) -> int:
    """Width in px of lines that still show when the picture is shrunk to some 600 px."""
    return int(max(1, round(max(picture.shape[:2]) / 600)))


def _draw_mask(picture: Image, mask: Image, how: Mask) -> None:
    x, y, w, h = cv2.boundingRect(mask)
    part, inside = picture[y : y + h, x : x + w], mask[y : y + h, x : x + w]
    filled = inside.astype(bool)
    tint = how.fill * np.array(how.rgb, dtype=np.float64)
    part[filled] = (part[filled] * (1 - how.fill) + tint).astype(np.uint8)
    outlines, _ = cv2.findContours(inside, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=(x, y))
    line = how.line or (1 if min(w, h) < THIN_BELOW else _line(picture))
    cv2.drawContours(picture, outlines, -1, how.line_rgb, line)


def _draw_polygon(picture: Image, polygon: NDArray[np.float64], rgb: Rgb, line: int) -> None:
    """A closed polygon (K, 2) xy, in place."""
    # OpenCV's integer coordinates are pixel centres; ours are pixel corners.
    points = np.round((polygon - 0.5) * 2**SHIFT).astype(np.int32)
    for value, width in ((DARK, line + 2), (rgb, line)):
        cv2.polylines(picture, [points], True, value, width, cv2.LINE_AA, SHIFT)


def of_label(mask: NDArray[np.bool_], label: int) -> Mask:
    """A mask (H, W) in the palette's colour of its label."""
    return Mask(mask, colour(label), bright(colour(label)))


def with_boxes(tile: Tile) -> Image:
    """The tile's picture with the horizontal boxes drawn on."""
    return draw(tile.image, (Box(r["hbb"], bright(colour(r["category_id"]))) for r in tile.rows))


def with_masks(tile: Tile) -> Image:
    """The tile's picture with the masks drawn on, smaller ones on top."""
    rows = sorted(tile.rows, key=lambda row: -row["area"])
    return draw(tile.image, (of_label(rle_to_mask(r["rle"]), r["category_id"]) for r in rows))
