"""Windows that cover a scene."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samrs.core.errors import ParameterError

FRAME = 1024
"""Side of SAM's frame, px: larger tiles are made smaller to fit it."""
TILE, OVERLAP = 1024, 200
"""What to cut larger scenes into, px."""
FAR = 2 * FRAME
"""Side from which on so much is lost that it is told, px."""
MOST_SHARES = 2**20
"""Shares held at once: 8 MiB."""


class Listed(NamedTuple):
    """Which boxes which windows list: (K,) numbers of windows and boxes, and the visible shares."""

    windows: NDArray[np.int64]
    boxes: NDArray[np.int64]
    shares: NDArray[np.float64]


class Window(NamedTuple):
    """A tile's place in its scene: left and top in scene px, width and height in px."""

    x0: int
    y0: int
    width: int
    height: int


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    if length <= tile:
        return [0]
    last = length - tile
    return [*range(0, last, tile - overlap), last]


def windows(width: int, height: int, *, tile: int | None, overlap: int) -> list[Window]:
    """Windows covering a scene, row by row.

    Args:
        tile: side in px; None keeps the scene whole. Scenes smaller than a tile stay whole.
        overlap: px shared by neighbours; the last window of a row or column is shifted back to end
            at the border (as BboxToolkit does), so it may share more.
    """
    if tile is None:
        return [Window(0, 0, width, height)]
    if not 0 <= overlap < tile:
        raise ParameterError(
            f"normalize: overlap does not fit the tile, got overlap {overlap} with tile {tile}; "
            "0 <= overlap < tile is allowed; correct either"
        )
    w, h = min(tile, width), min(tile, height)
    return [
        Window(x, y, w, h)
        for y in _starts(height, tile, overlap)
        for x in _starts(width, tile, overlap)
    ]


def far_too_large(name: str, sides: Iterable[int]) -> str | None:
    """What to say where tiles are so large that the masks suffer; None where they are not.

    Args:
        name: of the dataset.
        sides: the longer side of each tile, px.
    """
    large = [side for side in sides if side > FAR]
    if not large:
        return None
    return (
        f"{name}: tiles are far larger than the {FRAME} px that SAM sees, got {len(large)} of up "
        f"to {max(large)} px, shown {max(large) / FRAME:.1f} times smaller; small objects get bad "
        f"masks, set tile: {TILE} and overlap: {OVERLAP} (normalize.{name} in params.yaml, or "
        f"--tile {TILE})"
    )


def strips(width: int, height: int, most_px: int) -> list[Window]:
    """Windows of whole rows covering a scene from the top, of at most ``most_px`` or of one row."""
    rows = max(1, most_px // width)
    return [Window(0, y, width, min(rows, height - y)) for y in range(0, height, rows)]


def visible_shares(hbbs: Sequence[ArrayLike], places: Sequence[Window]) -> NDArray[np.float64]:
    """Share (T, N) in [0, 1] of each box's area, xyxy in scene px, inside each of T windows.

    Args:
        places: windows in scene px.
    """
    boxes = np.array(hbbs, dtype=np.float64).reshape(-1, 4)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    x0, y0, width, height = np.array(places, dtype=np.float64).reshape(-1, 4).T[:, :, None]
    wide = np.minimum(boxes[:, 2], x0 + width) - np.maximum(boxes[:, 0], x0)
    high = np.minimum(boxes[:, 3], y0 + height) - np.maximum(boxes[:, 1], y0)
    return np.asarray(np.maximum(wide, 0) * np.maximum(high, 0) / areas)


def memberships(shares: NDArray[np.float64], min_visible: float) -> NDArray[np.bool_]:
    """Which tiles (T, N) list which box: those seeing enough of it, and the one seeing most.

    Among equals the first window is the one that sees most; a tile never lists what it does not
    see at all.

    Args:
        shares: (T, N) of each box in each tile, from ``visible_shares``.
        min_visible: share [0, 1] of a box that is enough.
    """
    most = np.zeros(shares.shape, dtype=bool)
    most[shares.argmax(axis=0), np.arange(shares.shape[1])] = True
    return np.asarray(((shares >= min_visible) | most) & (shares > 0))


def listed_boxes(hbbs: Sequence[ArrayLike], places: Sequence[Window], min_visible: float) -> Listed:
    """Window, box and visible share for every box that a tile lists, by window, then by box.

    Boxes are compared with the windows some at a time: a scene may have thousands of either.

    Args:
        places: windows in scene px.
        min_visible: share [0, 1] of a box that a tile must see to list it.
    """
    found: list[Listed] = []
    step = max(1, MOST_SHARES // max(1, len(places)))
    for begin in range(0, len(hbbs), step):
        shares = visible_shares(hbbs[begin : begin + step], places)
        rows, columns = np.nonzero(memberships(shares, min_visible))
        found.append(Listed(rows, columns + begin, shares[rows, columns]))
    if not found:
        return Listed(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    numbers = np.concatenate([part.windows for part in found])
    boxes = np.concatenate([part.boxes for part in found])
    shares = np.concatenate([part.shares for part in found])
    order = np.lexsort((boxes, numbers))
    return Listed(numbers[order], boxes[order], shares[order])
