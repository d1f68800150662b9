"""Each pixel of a scene counted once, though tiles overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Place(NamedTuple):
    """Where a tile lies in its scene, in px."""

    x0: int
    y0: int
    width: int
    height: int


def owned(places: Sequence[Place], number: int) -> NDArray[np.bool_]:
    """The pixels (H, W) of a tile that count in it: those nearer to its middle than to another's,
    side by side and up and down.

    A pixel of several tiles belongs to one of them, the first of equals.

    Args:
        places: of all tiles of a scene that are counted.
        number: the tile's among them.
    """
    own = places[number]
    mine, result = _distance(own, own), np.ones((own.height, own.width), bool)
    for other, place in enumerate(places):
        left, top = max(place.x0, own.x0), max(place.y0, own.y0)
        right = min(place.x0 + place.width, own.x0 + own.width)
        bottom = min(place.y0 + place.height, own.y0 + own.height)
        if other == number or left >= right or top >= bottom:
            continue
        part = np.s_[top - own.y0 : bottom - own.y0, left - own.x0 : right - own.x0]
        theirs = _distance(place, own)[part]
        result[part] &= (mine[part] <= theirs) if number < other else (mine[part] < theirs)
    return result


def _distance(place: Place, frame: Place) -> NDArray[np.float64]:
    """How far each pixel of a frame lies from the middle of a place, in sides of the place."""
    x = np.abs(frame.x0 + np.arange(frame.width) + 0.5 - place.x0 - place.width / 2) / place.width
    y = np.abs(frame.y0 + np.arange(frame.height) + 0.5 - place.y0 - place.height / 2)
    found: NDArray[np.float64] = x[None, :] + y[:, None] / place.height
    return found
