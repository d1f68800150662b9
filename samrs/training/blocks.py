"""A tile as bytes of which a window is read without the rest.

The image is cut into blocks of 128 x 128 px, each packed by itself: red and blue as differences to
green, every row as differences to the one above, plane after plane, then zstd. That is lossless,
smaller than PNG, and unpacks five times as fast. The label map is a list of runs: the place where
each ends and its label, row after row, from which the n-th pixel of a label is found by a search.

Layout, little-endian: the size of each block (uint32), the blocks, the runs' ends (uint32), their
labels (uint8).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple, cast

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.records import IGNORE

Image = NDArray[np.uint8]

FORMAT = 1
"""Of the bytes; another one lets all tiles be packed again."""

BLOCK = 128
"""Side of a block in px."""
LEVEL = 1
"""zstd's: higher ones are slower and no smaller here."""
CODEC = "zstd"


class Frame(NamedTuple):
    """Height and width of a tile in px, bytes of its blocks with their sizes, and its runs."""

    height: int
    width: int
    blocks: int
    runs: int

    @property
    def bytes(self) -> int:
        """Of the whole tile."""
        return self.blocks + 5 * self.runs


class Window(NamedTuple):
    """A part of a tile in px; it lies within the tile."""

    x0: int
    y0: int
    width: int
    height: int


def pack(image: Image, labels: Image, where: str = "tile") -> tuple[Frame, bytes]:
    """A tile's bytes and their frame.

    Args:
        image: (H, W, 3) RGB.
        labels: (H, W).
        where: what to name in the error.

    Raises:
        ProductError: the two differ in size, or have no pixel.
    """
    if image.shape[:2] != labels.shape or not labels.size:
        raise ProductError(
            f"{where}: image and label map differ in size, or have no pixel, got "
            f"{image.shape[:2]} and {labels.shape}; equal ones of at least 1 x 1 are "
            "allowed; make the product again"
        )
    height, width = labels.shape
    codec = pa.Codec(CODEC, LEVEL)
    packed = [
        codec.compress(_differences(image[y : y + BLOCK, x : x + BLOCK]), asbytes=True)
        for y in range(0, height, BLOCK)
        for x in range(0, width, BLOCK)
    ]
    sizes = np.array([len(part) for part in packed], "<u4").tobytes()
    flat = labels.ravel()
    last = np.append(np.flatnonzero(flat[1:] != flat[:-1]), flat.size - 1)
    body = b"".join([sizes, *packed])
    frame = Frame(height, width, len(body), len(last))
    return frame, body + (last + 1).astype("<u4").tobytes() + flat[last].tobytes()


class PackedTile:
    """A tile that ``pack`` made; what is asked for is unpacked, and nothing else.

    Args:
        frame: from ``pack``.
        read: gives bytes ``begin`` to ``end`` of the tile.
    """

    def __init__(self, frame: Frame, read: Callable[[int, int], bytes]) -> None:
        self.frame, self._read = frame, read

    @property
    def whole(self) -> Window:
        """All of it."""
        return Window(0, 0, self.frame.width, self.frame.height)

    def image(self, window: Window) -> Image:
        """RGB (height, width, 3) of a window.

        Args:
            window: within the tile.
        """
        planes = np.empty((3, window.height, window.width), np.uint8)
        for y in range(window.y0 // BLOCK * BLOCK, window.y0 + window.height, BLOCK):
            top, left = max(window.y0, y), window.x0 // BLOCK * BLOCK
            bottom = min(window.y0 + window.height, y + BLOCK)
            rows = self._rows(y, bottom - y, left, window.x0 + window.width)
            part = rows[top - y :, :, window.x0 - left :][..., : window.width]
            planes[:, top - window.y0 : bottom - window.y0] = part.transpose(1, 0, 2)
        planes[0] += planes[1]
        planes[2] += planes[1]
        return cast(Image, cv2.merge(list(planes)))

    def labels(self, window: Window) -> Image:
        """Labels (height, width) of a window.

        Args:
            window: within the tile.
        """
        ends, values = self._runs
        width, bottom = self.frame.width, window.y0 + window.height
        begin, end = window.y0 * width, bottom * width
        first, last = np.searchsorted(ends, [begin, end - 1], side="right")
        parts = np.minimum(ends[first : last + 1], end)
        rows = np.repeat(values[first : last + 1], np.diff(parts, prepend=begin))
        part = rows.reshape(window.height, width)[:, window.x0 : window.x0 + window.width]
        return np.ascontiguousarray(part)

    def place(self, label: int | None, number: Callable[[int], int]) -> tuple[int, int] | None:
        """Row and column of a pixel of a label; None where it has none.

        Args:
            label: None: all but 255.
            number: takes how many there are, and gives which it is to be: from 0, as they stand
                row after row.
        """
        ends, values = self._runs
        chosen = np.flatnonzero(values != IGNORE if label is None else values == label)
        sums = np.cumsum(np.diff(ends, prepend=0)[chosen])
        if not len(sums):
            return None
        nth = number(int(sums[-1]))
        run = int(np.searchsorted(sums, nth, side="right"))
        return divmod(int(ends[chosen[run]]) - int(sums[run]) + nth, self.frame.width)

    @cached_property
    def present(self) -> tuple[int, ...]:
        """The labels that the map holds, sorted; without 255."""
        return tuple(int(v) for v in np.unique(self._runs[1]) if v != IGNORE)

    @cached_property
    def _runs(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        begin, count = self.frame.blocks, self.frame.runs
        data = self._read(begin, self.frame.bytes)
        ends = np.frombuffer(data, "<u4", count).astype(np.int64)
        return ends, np.frombuffer(data, np.uint8, count, offset=4 * count)

    @cached_property
    def _offsets(self) -> NDArray[np.int64]:
        """Where each block begins, and where the last one ends."""
        count = -(-self.frame.height // BLOCK) * self._columns
        sizes = np.frombuffer(self._read(0, 4 * count), "<u4")
        return np.cumsum([4 * count, *sizes], dtype=np.int64)

    @property
    def _columns(self) -> int:
        return -(-self.frame.width // BLOCK)

    def _rows(self, y: int, count: int, left: int, right: int) -> Image:
        """The first rows (count, 3, columns) of the blocks that begin at ``y``, from ``left`` on,
        until one holds ``right``; red and blue less green."""
        height, parts = min(BLOCK, self.frame.height - y), []
        for x in range(left, right, BLOCK):
            number = y // BLOCK * self._columns + x // BLOCK
            begin, end = (int(offset) for offset in self._offsets[number : number + 2])
            width = min(BLOCK, self.frame.width - x)
            data = pa.decompress(self._read(begin, end), 3 * height * width, CODEC)
            parts.append(np.frombuffer(data, np.uint8).reshape(height, 3, width)[:count])
        rows = np.concatenate(parts, axis=2)
        for row in range(1, count):
            np.add(rows[row], rows[row - 1], out=rows[row])
        return rows


def _differences(block: Image) -> bytes:
    """A block (h, w, 3), rows of planes (h, 3, w), as differences."""
    rows = block.transpose(0, 2, 1).copy()
    rows[:, 0] -= rows[:, 1]
    rows[:, 2] -= rows[:, 1]
    rows[1:] -= rows[:-1].copy()
    return rows.tobytes()


def packed(image: Image, labels: Image) -> PackedTile:
    """A tile in memory.

    Args:
        image: see ``pack``.
        labels: see ``pack``.

    Raises:
        ProductError: see ``pack``.
    """
    frame, data = pack(image, labels)
    return PackedTile(frame, lambda begin, end: data[begin:end])
