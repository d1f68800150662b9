"""Masks as polygons along the edges of their pixels, with holes and parts, valid by OGC's rules.

Many masks at a time, straight from their runs. A part is what hangs together by the sides of its
pixels; where parts, or a part and its own hole, touch at a corner, rings touch at a point and no
ring touches itself. Corners are whole numbers, so a polygon's area is its mask's number of px.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samrs.core.geometry import Array
from samrs.release.cleaning import Columns, parts_of

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Polygons:
    """The polygons of N masks, as ragged arrays.

    Args:
        xy: (P, 2) corners in px; the first of a ring is repeated at its end. Seen on the screen,
            outer rings run counterclockwise and holes clockwise.
        rings: (R + 1,) where each ring begins in ``xy``.
        polygons: (Q + 1,) where each polygon begins in the rings: its outer one, then its holes.
        masks: (N + 1,) where each mask begins in the polygons.
    """

    xy: Array
    rings: Ints
    polygons: Ints
    masks: Ints

    def of_mask(self) -> Ints:
        """(P,) the mask that each corner is of."""
        counts = np.diff(self.rings[self.polygons[self.masks]])
        return np.repeat(np.arange(len(counts)), counts)


def mask_polygons(columns: Columns) -> Polygons:
    """The polygons of N masks.

    Args:
        columns: their runs, in the order of masks, columns and rows; no two of a column touch.
    """
    number = len(columns.heights)
    if not len(columns.mask):
        none = np.zeros(1, dtype=np.int64)
        return Polygons(np.zeros((0, 2)), none, none, np.zeros(number + 1, np.int64))
    line = columns.lines()
    stride = int(columns.bottom.max()) + 2
    tops, bottoms = line * stride + columns.top, line * stride + columns.bottom
    entries, ends, twice = _walked(tops, bottoms, stride)
    part = parts_of(columns, diagonal=False)
    rings = _Rings(*_corners(entries, ends))
    _describe(rings, tops, bottoms, stride, part)
    if len(twice):
        rings = _split(rings, twice)
    of_part = np.zeros(part.max() + 1, dtype=np.int64)
    of_part[part] = columns.mask
    shift = np.zeros(number, dtype=np.int64)
    shift[columns.mask] = line - columns.x
    return _assembled(rings, of_part, shift, stride, number)


class _Rings:
    """Closed walks along the sides of pixels.

    Args:
        places: (P,) corners, x * stride + y by numbered columns, ring after ring.
        begins: (R + 1,) where each begins.
    """

    def __init__(self, places: Ints, begins: Ints) -> None:
        self.places, self.begins = places, begins
        self.part = np.zeros(len(begins) - 1, dtype=np.int64)
        self.hole = np.zeros(len(begins) - 1, dtype=bool)


def _walked(tops: Ints, bottoms: Ints, stride: int) -> tuple[Ints, Ints, Ints]:
    """Corners in the order of walking: pairs of upright sides' ends, ring after ring.

    Returns:
        (2S,) places; (R,) where each ring ends among them; places that are corners twice.
    """
    toggles = np.concatenate([tops, bottoms])
    corners = np.setxor1d(toggles, toggles + stride, assume_unique=True)
    falling = np.intersect1d(tops, bottoms + stride, assume_unique=True)  # masks like a backslash
    rising = np.intersect1d(bottoms, tops + stride, assume_unique=True)
    twice = np.concatenate([falling, rising])
    places = np.sort(np.concatenate([corners, twice, twice])) if len(twice) else corners
    x, y = np.divmod(places, stride)
    level = np.argsort(y * (int(x[-1]) + 1) + x, kind="stable")
    if len(rising):  # the px below a rising corner is to its left: its side is the left one
        at = np.flatnonzero(np.isin(places[level], rising))
        level[at[::2]], level[at[1::2]] = level[at[1::2]], level[at[::2]].copy()
    beside = np.empty(len(places), dtype=np.int64)
    beside[level[::2]], beside[level[1::2]] = level[1::2], level[::2]
    follows = beside[np.arange(len(places)) ^ 1].tolist()
    seen = bytearray(len(places))
    order: list[int] = []
    ends: list[int] = []
    for start in range(0, len(places), 2):
        if seen[start]:
            continue
        at_corner = start
        while not seen[at_corner]:
            seen[at_corner] = seen[at_corner ^ 1] = 1
            order.append(at_corner)
            at_corner = follows[at_corner]
        ends.append(2 * len(order))
    entered = np.array(order, dtype=np.int64)
    walked = np.stack([entered, entered ^ 1], axis=1).ravel()
    return places[walked], np.array(ends, dtype=np.int64), np.sort(twice)


def _corners(places: Ints, ends: Ints) -> tuple[Ints, Ints]:
    return places, np.concatenate([[0], ends])


def _describe(rings: _Rings, tops: Ints, bottoms: Ints, stride: int, part: Ints) -> None:
    """Whether each ring is that of a hole, and the part it bounds: what its first side tells.

    A ring begins at the upper end of its leftmost side: to the right of it is mask or, where the
    ring is a hole's, to the left.
    """
    first = rings.places[rings.begins[:-1]]
    run = np.maximum(np.searchsorted(tops, first, side="right") - 1, 0)
    right = (tops[run] <= first) & (first < bottoms[run])
    left = np.maximum(np.searchsorted(tops, first - stride, side="right") - 1, 0)
    rings.hole = ~right
    rings.part = part[np.where(right, run, left)]


def _split(rings: _Rings, twice: Ints) -> _Rings:
    """Rings that pass a corner twice as several that touch there."""
    marked = np.isin(rings.places, twice)
    touched = np.add.reduceat(marked, rings.begins[:-1]) > 1
    parts: list[Ints] = []
    hole: list[bool] = []
    of: list[int] = []
    for number, (begin, end) in enumerate(zip(rings.begins[:-1], rings.begins[1:], strict=True)):
        places = rings.places[begin:end]
        loops = [places]
        if touched[number]:
            loops = [np.array(loop) for loop in _loops(places.tolist())]
        for loop in loops:
            parts.append(loop)
            hole.append(bool(rings.hole[number]))
            of.append(int(rings.part[number]))
    sizes = np.array([len(loop) for loop in parts], dtype=np.int64)
    found = _Rings(np.concatenate(parts), np.concatenate([[0], np.cumsum(sizes)]))
    found.part, found.hole = np.array(of, dtype=np.int64), np.array(hole)
    return found


def _loops(places: list[int]) -> list[list[int]]:
    """A closed walk as closed walks none of which passes a corner twice."""
    loops: list[list[int]] = []
    path: list[int] = []
    at: dict[int, int] = {}
    for place in places:
        if place in at:
            loop = path[at[place] :]
            for passed in loop:
                del at[passed]
            del path[-len(loop) :]
            loops.append(loop)
        at[place] = len(path)
        path.append(place)
    return [*loops, path]


def _assembled(rings: _Rings, of_part: Ints, shift: Ints, stride: int, number: int) -> Polygons:
    """Rings in the order of masks and parts, outer ones first, closed and turned."""
    x, y = np.divmod(rings.places, stride)
    begins, sizes = rings.begins[:-1], np.diff(rings.begins)
    of_ring = np.repeat(np.arange(len(sizes)), sizes)
    following = np.arange(1, len(x) + 1)
    following[rings.begins[1:] - 1] = begins
    own = x - x[begins][of_ring]  # small numbers: products stay exact
    doubled = np.add.reduceat(own * y[following] - own[following] * y, begins)
    # walked with the mask on the left, a loop is outer if it runs counterclockwise on the screen
    outer = (doubled < 0) != rings.hole
    backwards = (doubled < 0) != outer
    mask = of_part[rings.part]
    order = np.lexsort((~outer, rings.part, mask))
    sizes_out = sizes[order] + 1
    starts = np.concatenate([[0], np.cumsum(sizes_out)])
    nth = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes_out)
    size, turned = (np.repeat(v[order], sizes_out) for v in (sizes, backwards))
    nth = np.where(nth == size, 0, nth)
    nth = np.where(turned, (size - nth) % size, nth)
    taken = np.repeat(begins[order], sizes_out) + nth
    of_mask = np.repeat(mask[order], sizes_out)
    xy = np.stack([x[taken] - shift[of_mask], y[taken]], axis=1).astype(np.float64)
    firsts = np.flatnonzero(outer[order])
    polygons = np.append(firsts, len(order))
    masks = np.searchsorted(mask[order][firsts], np.arange(number + 1))
    return Polygons(xy, starts, polygons, masks)
