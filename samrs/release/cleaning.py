"""Masks made clean: clipped to their box, small holes filled, small parts left out.

No mask is decoded. Runs within columns are the nodes of a graph in which those that touch are
joined: its connected components are the parts of the masks, and those of the gaps between runs are
their holes (the run-based labelling of He, Chao and Suzuki, IEEE Trans. Image Process. 17(5),
2008, for thousands of masks at once).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from samrs.core.runs import Runs, within_columns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The foreground of N masks as runs within columns, in the order of masks, columns and rows.

    Args:
        heights: (N,) px of each mask's tile.
        mask: (R,) which mask each run is of.
        x: (R,) its column.
        top: (R,) its first row.
        bottom: (R,) the row after its last.
    """

    heights: Ints
    mask: Ints
    x: Ints
    top: Ints
    bottom: Ints

    @classmethod
    def of(cls, runs: Runs, heights: Ints) -> Columns:
        """The columns of N masks.

        Args:
            runs: encodings of masks of whole tiles.
            heights: (N,) px of each tile.
        """
        starts, lengths, masks = runs.foreground()
        there = lengths > 0
        starts, lengths, masks = starts[there], lengths[there], masks[there]
        starts, lengths, masks = within_columns(starts, lengths, masks, heights[masks])
        x, top = np.divmod(starts, heights[masks])
        return cls(heights=heights, mask=masks, x=x, top=top, bottom=top + lengths)

    def areas(self) -> Ints:
        """(N,) px of each mask."""
        return self.sums(self.bottom - self.top)

    def sums(self, values: Ints) -> Ints:
        """(N,) sums of the values (R,) of each mask's runs."""
        return np.bincount(self.mask, values, len(self.heights)).astype(np.int64)

    def only(self, kept: Bools) -> Columns:
        """Without the runs that are not ``kept`` (R,)."""
        chosen = {name: getattr(self, name)[kept] for name in ("mask", "x", "top", "bottom")}
        return replace(self, **chosen)

    def starts(self) -> Ints:
        """(R,) where each run begins, px from its mask's own corner, column by column."""
        return self.x * self.heights[self.mask] + self.top

    def lines(self) -> Ints:
        """(R,) a number for each run's column: neighbours differ by 1, columns of two masks by
        more."""
        ends = np.zeros(len(self.heights), dtype=np.int64)
        np.maximum.at(ends, self.mask, self.x + 2)
        return (np.cumsum(ends) - ends)[self.mask] + self.x


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """How masks are cleaned, each an array of one value a mask; see ``samrs.release.release``."""

    margin: Floats
    max_hole: Floats
    min_part: Floats
    core: Floats


def clean(columns: Columns, boxes: Floats, how: Cleaning) -> tuple[Columns, Ints]:
    """Clip masks to their boxes, then fill their holes, then leave out their small parts.

    Args:
        columns: of N masks.
        boxes: (N, 4) xyxy in tile px.
        how: N values each.

    Returns:
        The clean masks, and (N,) the number of their 8-connected parts.
    """
    return _without_parts(_filled(_clipped(columns, boxes, how.margin), how.max_hole), boxes, how)


def grown(boxes: Floats, share: Floats) -> tuple[Ints, Ints, Ints, Ints]:
    """First column, first row, and the ones after the last, of the px whose centres lie in boxes.

    Args:
        boxes: (N, 4) xyxy.
        share: (N,) of a box's sides that it is first grown by on every side; infinite: without end.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    grow = np.where(
        np.isinf(share)[:, None], 1e9, np.where(np.isinf(share), 0, share)[:, None] * sides
    )
    low = np.ceil(boxes[:, :2] - grow - 0.5).astype(np.int64)
    high = np.floor(boxes[:, 2:] + grow - 0.5).astype(np.int64) + 1
    return low[:, 0], low[:, 1], high[:, 0], high[:, 1]


def _clipped(columns: Columns, boxes: Floats, margin: Floats) -> Columns:
    left, upper, right, lower = (side[columns.mask] for side in grown(boxes, margin))
    cut = replace(
        columns,
        top=np.maximum(columns.top, upper),
        bottom=np.minimum(columns.bottom, lower),
    )
    return cut.only((cut.x >= left) & (cut.x < right) & (cut.top < cut.bottom))


def _filled(columns: Columns, max_hole: Floats) -> Columns:
    """Without the holes that are at most a share of their mask."""
    line = columns.lines()
    before = np.flatnonzero(line[1:] == line[:-1])  # runs that another follows in their column
    if not len(before):
        return columns
    top, bottom = columns.bottom[before], columns.top[before + 1]
    hole = _components(line[before], top, bottom, diagonal=False)
    is_open = _beside_outside(columns, line, line[before], top, bottom)
    sizes = np.bincount(hole, bottom - top)
    opened = np.bincount(hole, is_open) > 0
    most = (max_hole * columns.areas())[columns.mask[before]]
    filled = ~opened[hole] & (sizes[hole] <= most)
    first = np.ones(len(line), dtype=bool)
    first[before[filled] + 1] = False
    last = np.ones(len(line), dtype=bool)
    last[before[filled]] = False
    return replace(columns.only(first), bottom=columns.bottom[last])


def _beside_outside(columns: Columns, line: Ints, of_gap: Ints, top: Ints, bottom: Ints) -> Bools:
    """Which gaps (G,) between runs touch, in a column beside theirs, what lies around the mask."""
    first = np.flatnonzero(np.diff(line, prepend=-1))
    highest, lowest = columns.top[first], np.maximum.reduceat(columns.bottom, first)
    outside = np.zeros(len(of_gap), dtype=bool)
    for beside in (-1, 1):
        place = np.minimum(np.searchsorted(line[first], of_gap + beside), len(first) - 1)
        empty = line[first][place] != of_gap + beside
        outside |= empty | (top < highest[place]) | (bottom > lowest[place])
    return outside


def _without_parts(columns: Columns, boxes: Floats, how: Cleaning) -> tuple[Columns, Ints]:
    """Without the parts that are less than a share of their mask, and the number of those left.

    The largest part stays, and every one that has px in the core of the box, if that is to count.
    """
    if not len(columns.mask):
        return columns, np.zeros(len(boxes), dtype=np.int64)
    part = _components(columns.lines(), columns.top, columns.bottom, diagonal=True)
    sizes = np.bincount(part, columns.bottom - columns.top).astype(np.int64)
    of_mask = np.zeros(len(sizes), dtype=np.int64)
    of_mask[part] = columns.mask
    left, upper, right, lower = (s[columns.mask] for s in grown(boxes, (how.core - 1) / 2))
    inside = (how.core[columns.mask] > 0) & (columns.x >= left) & (columns.x < right)
    inside &= np.maximum(columns.top, upper) < np.minimum(columns.bottom, lower)
    kept = sizes >= (how.min_part * columns.areas())[of_mask]
    kept |= np.bincount(part, inside) > 0
    largest = np.lexsort((-sizes, of_mask))
    kept[largest[np.diff(of_mask[largest], prepend=-1) > 0]] = True
    return columns.only(kept[part]), np.bincount(of_mask[kept], minlength=len(boxes))


def count_parts(columns: Columns) -> Ints:
    """(N,) 8-connected parts of each mask."""
    part = parts_of(columns, diagonal=True)
    _, first = np.unique(part, return_index=True)
    return np.bincount(columns.mask[first], minlength=len(columns.heights))


def parts_of(columns: Columns, *, diagonal: bool) -> Ints:
    """(R,) the number of the connected part that each run is of, from 0.

    Args:
        columns: of N masks.
        diagonal: whether px that touch at a corner are of one part.
    """
    if not len(columns.mask):
        return np.zeros(0, dtype=np.int64)
    return _components(columns.lines(), columns.top, columns.bottom, diagonal=diagonal)


def _components(line: Ints, top: Ints, bottom: Ints, *, diagonal: bool) -> Ints:
    """(R,) the number of the connected part that each run is of, from 0.

    Args:
        line: (R,) as ``Columns.lines`` gives them.
        top: (R,) first row of each run.
        bottom: (R,) the row after its last.
        diagonal: whether runs touch at corners, too.
    """
    stride = int(bottom.max()) + 2
    ends, begins = line * stride + bottom, line * stride + top
    beside = (line - 1) * stride
    first = np.searchsorted(ends, beside + top, side="left" if diagonal else "right")
    last = np.searchsorted(begins, beside + bottom, side="right" if diagonal else "left")
    count = last - first
    here = np.repeat(np.arange(len(line)), count)
    there = np.arange(len(here)) - np.repeat(np.cumsum(count) - count, count) + first[here]
    graph = coo_array((np.ones(len(here), np.int8), (here, there)), shape=(len(line),) * 2)
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
