"""Boxes in the parts in which SAMRS gave them to the official predictor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BOXES_A_CALL = 20


def parts(boxes: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """(N, 4) in parts of ``BOXES_A_CALL``."""
    for first in range(0, len(boxes), BOXES_A_CALL):
        yield boxes[first : first + BOXES_A_CALL]
