"""Images whose colours are codes: one colour an instance, or one a class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage


def colour_codes(rgb: ArrayLike) -> NDArray[np.int32]:
    """One number (...) a colour (..., 3) uint8: r * 65536 + g * 256 + b."""
    parts = np.asarray(rgb).astype(np.int32)
    return np.asarray((parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2])


def code_masks(
    codes: NDArray[np.int32],
) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.bool_]]]:
    """Each code of an image (H, W) but 0, sorted: code, its tight (rows, columns), mask therein.

    Args:
        codes: a number a pixel; 0 is no object.
    """
    painted = codes > 0
    found, indices = np.unique(codes[painted], return_inverse=True)
    numbers = np.zeros(codes.shape, dtype=np.int32)
    numbers[painted] = indices.ravel() + 1
    for number, place in enumerate(ndimage.find_objects(numbers), start=1):
        yield int(found[number - 1]), place, numbers[place] == number
