"""Images whose colours are codes: one colour an instance, or one a class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from samrs.core.errors import ImageError


def colour_codes(rgb: ArrayLike) -> NDArray[np.int32]:
    """One number (...) a colour (..., 3) uint8: r * 65536 + g * 256 + b."""
    parts = np.asarray(rgb).astype(np.int32)
    return np.asarray((parts[..., 0] << 16) | (parts[..., 1] << 8) | parts[..., 2])


MOST_CODES = 50_000
"""Objects of an image; iSAID's most crowded scene has some thousands."""


def check_codes(count: int, where: str) -> None:
    """Refuse an image of more than ``MOST_CODES`` colours.

    Args:
        count: of colours but black.
        where: the image, for the error.

    Raises:
        ImageError: there are more.
    """
    if count > MOST_CODES:
        raise ImageError(
            f"{where}: colours are no codes of objects, got {count} of them; {MOST_CODES} are "
            "allowed; bring the lossless image of codes"
        )


def code_masks(
    codes: NDArray[np.int32], where: str = "mask"
) -> Iterator[tuple[int, tuple[slice, slice], NDArray[np.bool_]]]:
    """Each code of an image (H, W) but 0, sorted: code, its tight (rows, columns), mask therein.

    Args:
        codes: a number a pixel; 0 is no object.
        where: the image, for the error.

    Raises:
        ImageError: there are more than ``MOST_CODES``: noise, or no image of codes.
    """
    painted = codes > 0
    found, indices = np.unique(codes[painted], return_inverse=True)
    check_codes(len(found), where)
    numbers = np.zeros(codes.shape, dtype=np.int32)
    numbers[painted] = indices.ravel() + 1
    for number, place in enumerate(ndimage.find_objects(numbers), start=1):
        yield int(found[number - 1]), place, numbers[place] == number
