"""Windows that cover a scene."""

from __future__ import annotations

from typing import NamedTuple

from samrs.core.errors import ParameterError


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
            "0 <= overlap < tile is allowed; lower the overlap"
        )
    w, h = min(tile, width), min(tile, height)
    return [
        Window(x, y, w, h)
        for y in _starts(height, tile, overlap)
        for x in _starts(width, tile, overlap)
    ]
