"""Semantic maps of many tiles at once, without decoding a mask: runs are painted, not images.

What ``release/overlap.py`` says of one tile holds here for each: labels, and the counts of px under
several masks. A chunk of tiles is one canvas, tile after tile, row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.label_png import encode_labels
from samrs.core.records import IGNORE
from samrs.core.rle import Rle
from samrs.core.runs import Runs, decode_runs
from samrs.release.overlap import RULES, paint

CHUNK_PIXELS = 16 * 2**20
CHUNK_TILES = 64
"""A chunk of tiles ends before it is larger than that."""

MOST_PAINTED = 64 * 2**20
"""Px of masks in a chunk up to which all are painted at once, at some 20 bytes each."""


@dataclass(frozen=True)
class Chunk:
    """Tiles to paint and their masks.

    Args:
        where: what to name in errors.
        sizes_hw: (T, 2) height and width of each tile, px.
        tiles: (N,) place of each mask's tile in ``sizes_hw``, ascending; of one tile's masks the
            order is that of annotation.
        labels: (N,) label ids, 0-254.
        characters: the text of the masks' encodings and
        begins: (N + 1,) where each begins, as ``text_buffers`` gives them.
    """

    where: str
    sizes_hw: NDArray[np.int64]
    tiles: NDArray[np.int64]
    labels: NDArray[np.uint8]
    characters: NDArray[np.uint8]
    begins: NDArray[np.int64]
    rule: str


@dataclass(frozen=True)
class Painted:
    """The maps of a chunk.

    Args:
        images: PNG of each tile's (H, W) label ids, 255 = unlabelled.
        label_pixels: (256,) px of each label.
        overpainted: px under two or more masks.
        contested: px under masks of two or more classes, where the rule decided the label.
    """

    images: list[bytes]
    label_pixels: NDArray[np.int64]
    overpainted: int
    contested: int


@dataclass
class Totals:
    """The counts of ``Painted`` over chunks."""

    label_pixels: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(IGNORE + 1, dtype=np.int64)
    )
    overpainted: int = 0
    contested: int = 0

    def images(self, chunks: Iterable[Painted]) -> Iterator[bytes]:
        """The maps of all chunks in turn, counted on the way."""
        for painted in chunks:
            self.label_pixels += painted.label_pixels
            self.overpainted += painted.overpainted
            self.contested += painted.contested
            yield from painted.images


def chunk_bounds(sizes_hw: NDArray[np.int64]) -> list[int]:
    """Where chunks of tiles begin, and the number of tiles at the end.

    Args:
        sizes_hw: (T, 2) of the tiles, px.
    """
    bounds, pixels = [0], 0
    for place, area in enumerate(sizes_hw.prod(axis=1).tolist()):
        if place > bounds[-1] and (
            pixels + area > CHUNK_PIXELS or place - bounds[-1] >= CHUNK_TILES
        ):
            bounds.append(place)
            pixels = 0
        pixels += area
    return [*bounds, len(sizes_hw)] if len(sizes_hw) else bounds


def paint_chunk(chunk: Chunk) -> Painted:
    """Paint the maps of a chunk and encode them.

    Raises:
        ProductError: a mask is no encoding, or not of its tile's size.
    """
    runs = decode_runs(chunk.characters, chunk.begins)
    wrong = runs.bad | (runs.totals() != chunk.sizes_hw.prod(axis=1)[chunk.tiles])
    if wrong.any():
        raise ProductError(
            f"{chunk.where}: {int(wrong.sum())} masks do not decode to their tile's size, got "
            f"{_text(chunk, int(np.flatnonzero(wrong)[0]))!r}; COCO's run-length encoding of a "
            "whole tile is allowed; run sam-label again"
        )
    if int(runs.areas().sum()) > MOST_PAINTED:
        return _one_by_one(chunk)
    return _at_once(chunk, runs)


def _at_once(chunk: Chunk, runs: Runs) -> Painted:
    areas = chunk.sizes_hw.prod(axis=1)
    begins = np.concatenate([[0], np.cumsum(areas)])
    pixels, labels = _pixels(chunk, runs, begins[:-1])
    canvas = np.full(begins[-1], IGNORE, dtype=np.uint8)
    canvas[pixels] = labels  # of a px named several times the last value stays (numpy's manual)
    contested = np.unique(pixels[canvas[pixels] != labels])
    pixels.sort()
    again = pixels[1:] == pixels[:-1]
    once = np.concatenate([pixels[:1], pixels[1:][~again]])
    label_pixels = np.bincount(canvas[once], minlength=IGNORE + 1)
    label_pixels[IGNORE] = len(canvas) - len(once)
    masks = np.bincount(chunk.tiles, minlength=len(areas)).tolist()
    images = [
        encode_labels(canvas[begin : begin + h * w].reshape(h, w)) if some else _blank(h, w)
        for begin, (h, w), some in zip(begins[:-1], chunk.sizes_hw.tolist(), masks, strict=True)
    ]
    return Painted(images, label_pixels, len(np.unique(pixels[1:][again])), len(contested))


def _pixels(
    chunk: Chunk, runs: Runs, tile_begins: NDArray[np.int64]
) -> tuple[NDArray[np.integer], NDArray[np.uint8]]:
    """Px of all masks in the order of painting as places in the canvas, and their labels."""
    order = np.lexsort((RULES[chunk.rule] * runs.areas(), chunk.tiles))
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    starts, lengths, masks = runs.foreground()
    turn = np.argsort(rank[masks], kind="stable")
    turn = turn[lengths[turn] > 0]
    starts, lengths, masks = _within_columns(
        starts[turn], lengths[turn], masks[turn], chunk.sizes_hw[chunk.tiles[masks[turn]], 0]
    )
    height, width = chunk.sizes_hw[chunk.tiles[masks]].T
    first = tile_begins[chunk.tiles[masks]] + starts % height * width + starts // height
    small = np.int32 if chunk.sizes_hw.prod(axis=1).sum() < 2**31 else np.int64
    # Each px lies a row below the one before it, the first of a run where the run begins.
    begins = np.cumsum(lengths) - lengths
    pixels = np.repeat(width.astype(small), lengths)
    pixels[begins] = first
    pixels[begins[1:]] -= (first + (lengths - 1) * width)[:-1].astype(small)
    return np.cumsum(pixels, dtype=small), np.repeat(chunk.labels[masks], lengths)


def _within_columns(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    masks: NDArray[np.int64],
    heights: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Runs cut where a column ends."""
    columns = (starts + lengths - 1) // heights - starts // heights + 1
    if (columns == 1).all():
        return starts, lengths, masks
    place = np.arange(columns.sum()) - np.repeat(np.cumsum(columns) - columns, columns)
    whole, heights = np.repeat(starts, columns), np.repeat(heights, columns)
    ends = np.minimum(
        np.repeat(starts + lengths, columns), (whole // heights + place + 1) * heights
    )
    begins = np.where(place == 0, whole, (whole // heights + place) * heights)
    return begins, ends - begins, np.repeat(masks, columns)


@lru_cache(maxsize=16)
def _blank(height: int, width: int) -> bytes:
    """The map of a tile without masks."""
    return encode_labels(np.full((height, width), IGNORE, dtype=np.uint8))


def _one_by_one(chunk: Chunk) -> Painted:
    """The same in the memory of a few tiles, however much of them the masks cover."""
    images, over, contested = [], 0, 0
    label_pixels = np.zeros(IGNORE + 1, dtype=np.int64)
    splits = np.searchsorted(chunk.tiles, np.arange(len(chunk.sizes_hw) + 1))
    for tile, (height, width) in enumerate(chunk.sizes_hw.tolist()):
        own = range(splits[tile], splits[tile + 1])
        masks = [Rle(size=[height, width], counts=_text(chunk, i)) for i in own]
        labels: Sequence[int] = chunk.labels[own.start : own.stop].tolist()
        map_ = paint(masks, labels, (height, width), chunk.rule)
        images.append(encode_labels(map_.labels))
        label_pixels += np.bincount(map_.labels.ravel(), minlength=IGNORE + 1)
        over, contested = over + map_.overpainted, contested + map_.contested
    return Painted(images, label_pixels, over, contested)


def _text(chunk: Chunk, mask: int) -> str:
    return chunk.characters[chunk.begins[mask] : chunk.begins[mask + 1]].tobytes().decode("latin-1")
