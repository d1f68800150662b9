"""Tight boxes of many masks at once, from their runs, without decoding a mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samrs.core.runs import Runs


def mask_boxes(runs: Runs, heights: NDArray[np.int64]) -> NDArray[np.float64]:
    """(N, 4) boxes xyxy in tile px, half-open; zeros where a mask is empty.

    Args:
        runs: of N masks, as ``decode_runs`` gives them.
        heights: (N,) px of each mask's image, 1 or more.
    """
    starts, lengths, masks = runs.foreground()
    there = lengths > 0
    starts, masks = starts[there], masks[there]
    lasts, high = starts + lengths[there] - 1, heights[masks]
    columns = starts // high, lasts // high
    one = columns[0] == columns[1]  # a run over two columns has the last row and the first
    sides = (
        (np.minimum, columns[0]),
        (np.minimum, np.where(one, starts % high, 0)),
        (np.maximum, columns[1] + 1),
        (np.maximum, np.where(one, lasts % high + 1, high)),
    )
    boxes = np.zeros((len(heights), 4), dtype=np.float64)
    first = np.flatnonzero(np.diff(masks, prepend=-1))
    if len(first):
        for side, (most, values) in enumerate(sides):
            boxes[masks[first], side] = most.reduceat(values, first)
    return boxes
