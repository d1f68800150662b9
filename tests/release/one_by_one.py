"""Masks painted into a map one after the other, decoded whole: slow, and plain to see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle, rle_area, rle_to_mask


def paint(
    masks: Sequence[Rle], labels: Sequence[int], size_hw: tuple[int, int], rule: str
) -> tuple[NDArray[np.uint8], int, int]:
    """The (H, W) labels of one tile, px under two or more masks, and under masks of two classes."""
    keys = {
        "smaller_on_top": lambda i: -rle_area(masks[i]),
        "larger_on_top": lambda i: rle_area(masks[i]),
        "annotation_order": lambda i: 0,
    }
    painted = np.full(size_hw, 255, dtype=np.uint8)
    under = np.zeros(size_hw, dtype=int)
    classes: dict[int, NDArray[np.bool_]] = {}
    for i in sorted(range(len(masks)), key=keys[rule]):
        mask = rle_to_mask(masks[i])
        painted[mask] = labels[i]
        under += mask
        classes[labels[i]] = classes.get(labels[i], np.zeros(size_hw, dtype=bool)) | mask
    several = sum((mask.astype(int) for mask in classes.values()), np.zeros(size_hw, dtype=int))
    return painted, int((under > 1).sum()), int((several > 1).sum())
