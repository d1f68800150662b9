"""Semantic maps of a release: the labels of each tile, and how many px lie under several masks.

A chunk of tiles is painted at once (``release/overlap.py``). Where maps tell the background
(``release/background.py``) it is their label 0, and each class's label is its number plus 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from samrs.core.label_png import encode_labels
from samrs.core.records import IGNORE
from samrs.core.runs import decode_runs
from samrs.release.background import Uncertain
from samrs.release.overlap import RULES, batches, check_masks

CHUNK_PIXELS = 16 * 2**20
CHUNK_TILES = 64
"""A chunk of tiles ends before it is larger than that."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Tiles to paint and their masks.

    Args:
        where: what to name in errors.
        sizes_hw: (T, 2) height and width of each tile, px.
        tiles: (N,) place of each mask's tile in ``sizes_hw``, ascending; of one tile's masks the
            order is that of annotation.
        labels: (N,) numbers of the classes, 0-254.
        characters: the text of the masks' encodings and
        begins: (N + 1,) where each begins, as ``text_buffers`` gives them.
        uncertain: what is not background; None where maps do not tell the background.
    """

    where: str
    sizes_hw: NDArray[np.int64]
    tiles: NDArray[np.int64]
    labels: NDArray[np.uint8]
    characters: NDArray[np.uint8]
    begins: NDArray[np.int64]
    rule: str
    uncertain: Uncertain | None = None


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
    check_masks(chunk.where, runs, chunk.tiles, chunk.sizes_hw)
    areas = chunk.sizes_hw.prod(axis=1)
    begins = np.cumsum(areas) - areas
    canvas = _canvas(chunk)
    first = 0 if chunk.uncertain is None else 1
    label_pixels = np.bincount(canvas, minlength=IGNORE + 1)
    overpainted, contested = _Marked(len(canvas)), _Marked(len(canvas))
    order, shown = RULES[chunk.rule], chunk.labels + np.uint8(first)
    for pixels, labels in batches(runs, chunk.tiles, chunk.sizes_hw, shown, order):
        ranked = np.sort(pixels)
        again = ranked[1:] == ranked[:-1]
        once = np.concatenate([ranked[:1], ranked[1:][~again]])
        before = canvas[once]
        canvas[pixels] = labels  # as ``paint`` does
        after = canvas[once]
        label_pixels += np.bincount(after, minlength=IGNORE + 1)
        label_pixels -= np.bincount(before, minlength=IGNORE + 1)
        known = (before != IGNORE) & (before >= first)
        overpainted.add(ranked[1:][again], once[known])
        contested.add(pixels[canvas[pixels] != labels], once[known & (before != after)])
    images = [
        _encoded(canvas[begin : begin + height * width].reshape(height, width), some)
        for begin, (height, width), some in zip(
            begins, chunk.sizes_hw.tolist(), _marked_tiles(chunk), strict=True
        )
    ]
    return Painted(images, label_pixels, overpainted.count, contested.count)


def _canvas(chunk: Chunk) -> NDArray[np.uint8]:
    """The px of all tiles of a chunk before any mask is painted."""
    size = int(chunk.sizes_hw.prod(axis=1).sum())
    if chunk.uncertain is None:
        return np.full(size, IGNORE, dtype=np.uint8)
    canvas = np.zeros(size, dtype=np.uint8)
    chunk.uncertain.mark(canvas, chunk.sizes_hw)
    return canvas


def _marked_tiles(chunk: Chunk) -> list[bool]:
    """Whether there may be more than one label in a tile, for each tile."""
    found = np.bincount(chunk.tiles, minlength=len(chunk.sizes_hw)) > 0
    if chunk.uncertain is not None:
        found[chunk.uncertain.tiles] = True
        found[[tile for tile, _ in chunk.uncertain.outlines]] = True
    return [bool(some) for some in found]


def _encoded(labels: NDArray[np.uint8], some: bool) -> bytes:
    return encode_labels(labels) if some else _blank(*labels.shape, int(labels[0, 0]))


class _Marked:
    """Px of a canvas that something holds for, each counted once."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self._is = np.zeros(size, dtype=bool)

    def add(self, *several: NDArray[np.integer]) -> None:
        for pixels in several:
            new = np.sort(pixels[~self._is[pixels]])
            self.count += int(np.count_nonzero(new[1:] != new[:-1])) + (len(new) > 0)
            self._is[new] = True


@lru_cache(maxsize=16)
def _blank(height: int, width: int, label: int) -> bytes:
    """The map of a tile of one label."""
    return encode_labels(np.full((height, width), label, dtype=np.uint8))
