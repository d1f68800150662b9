"""What an ablation groups instances by, and what it compares recipes with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

REFERENCE = "hbox"
"""The recipe that the others are compared with: SAMRS's own choice where boxes are upright."""

ALL = "all"
SMALL = "<32²"
BINS = {
    "<16²": (0, 16),
    "16²–32²": (16, 32),
    SMALL: (0, 32),
    "32²–96²": (32, 96),
    ">96²": (96, np.inf),
}
"""Size bins by true area: from the square of one side to below that of the other, px; 32 and 96 are
COCO's small and medium. ``<32²`` joins the two before it."""


def in_bin(true_area: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """Which areas (N,) in px are in a size bin; all are in ``all``.

    Args:
        true_area: of the true masks.
    """
    if name == ALL:
        return np.ones(len(true_area), dtype=bool)
    low, high = BINS[name]
    return np.asarray((true_area >= low**2) & (true_area < high**2))
