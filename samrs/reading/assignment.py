"""The pairs of two lists of boxes whose IoUs sum to most, without comparing each with each.

Few boxes are compared each with each. Of many, equal ones pair first, which costs no other pair
anything (1 - IoU is a metric); what is left is compared where it overlaps along x, and assigned in
each group of boxes that overlap one another.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from samrs.core.geometry import Array, hbb_iou

FEW = 2**18
"""Most comparisons, boxes times boxes, that are made each with each."""

MOST = 2**22
"""Most of them in a group of overlapping boxes; a larger group is left unpaired: 32 MiB."""

MOST_OVERLAPS = 2**27
"""Most pairs that overlap along x; where there are more, what is not equal is left unpaired."""

_AT_ONCE = 2**20
Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]


def best_pairs(mine: ArrayLike, theirs: ArrayLike, least: float) -> Pairs:
    """Indices (K,) into boxes (N, 4) and (K,) into boxes (M, 4) of each pair, one to one.

    Args:
        mine: N boxes xyxy.
        theirs: M boxes xyxy.
        least: IoU above 0 below which two boxes are no pair.
    """
    p, q = (np.asarray(boxes, dtype=np.float64).reshape(-1, 4) for boxes in (mine, theirs))
    if len(p) * len(q) <= FEW:
        return _assigned(p, q, least)
    rows, columns = _equal(p, q)
    left = np.setdiff1d(np.arange(len(p)), rows)
    others = np.setdiff1d(np.arange(len(q)), columns)
    found = [(rows, columns)]
    for i, j in _groups(p[left], q[others]):
        some, them = _assigned(p[left[i]], q[others[j]], least)
        found.append((left[i][some], others[j][them]))
    return np.concatenate([r for r, _ in found]), np.concatenate([c for _, c in found])


def _assigned(p: Array, q: Array, least: float) -> Pairs:
    """The pairs of the largest sum of IoUs, by comparing each with each."""
    if not (len(p) and len(q)):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    iou = hbb_iou(p, q)
    if iou.size == 1:
        rows, columns = np.zeros(1, np.int64), np.zeros(1, np.int64)
    else:
        rows, columns = linear_sum_assignment(-iou)
    fits = iou[rows, columns] >= least
    return rows[fits], columns[fits]


def _equal(p: Array, q: Array) -> Pairs:
    """Pairs of boxes that are the same, in their order; those without area are none."""
    together = np.concatenate([p, q])
    _, group = np.unique(together, axis=0, return_inverse=True)
    group = group.ravel()
    group[(together[:, 2:] <= together[:, :2]).any(axis=1)] = -1
    first, second = _ranked(group[: len(p)]), _ranked(group[len(p) :])
    _, rows, columns = np.intersect1d(first, second, return_indices=True)
    kept = group[rows] >= 0
    return rows[kept], columns[kept]


def _ranked(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """A number that is the same for the k-th member of a group in every list."""
    order = np.argsort(group, kind="stable")
    ordered = group[order]
    starts = np.searchsorted(ordered, ordered)
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - starts
    return (group + 1) * 2**31 + rank


def _groups(p: Array, q: Array) -> Iterator[Pairs]:
    """Indices of the boxes of each group that overlap one another; too large ones are left out."""
    i, j = _overlaps(p, q)
    if not len(i):
        return
    size = len(p) + len(q)
    graph = coo_array((np.ones(len(i), bool), (i, len(p) + j)), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    mine, theirs = np.unique(i), np.unique(j)
    order = mine[np.argsort(labels[mine], kind="stable")]
    them = theirs[np.argsort(labels[len(p) + theirs], kind="stable")]
    ends = np.flatnonzero(np.diff(labels[order])) + 1
    ends_of_them = np.flatnonzero(np.diff(labels[len(p) + them])) + 1
    for rows, columns in zip(np.split(order, ends), np.split(them, ends_of_them), strict=True):
        if len(rows) * len(columns) <= MOST:
            yield rows, columns


def _overlaps(p: Array, q: Array) -> Pairs:
    """Indices of all pairs of boxes that have area in common."""
    by_left = np.argsort(q[:, 0], kind="stable")
    lefts = q[by_left, 0]
    widest = (q[:, 2] - q[:, 0]).max(initial=0)
    begin = np.searchsorted(lefts, p[:, 0] - widest, side="left")
    counts = np.maximum(np.searchsorted(lefts, p[:, 2], side="left") - begin, 0)
    found: list[Pairs] = []
    if counts.sum() <= MOST_OVERLAPS:
        for part in np.array_split(np.arange(len(p)), counts.sum() // _AT_ONCE + 1):
            i = np.repeat(part, counts[part])
            before = np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
            j = by_left[np.repeat(begin[part], counts[part]) + np.arange(len(i)) - before]
            meet = np.minimum(p[i, 2:], q[j, 2:]) > np.maximum(p[i, :2], q[j, :2])
            both = meet.all(axis=1)
            found.append((i[both], j[both]))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate([i for i, _ in found]), np.concatenate([j for _, j in found])
