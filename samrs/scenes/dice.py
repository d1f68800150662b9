"""A random generator whose numbers have the same bits on every CPU."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from samrs.scenes.exact import log

Array = np.ndarray
SPREAD = math.sqrt(4 * (256 * 256 - 1) / 12)
"""Standard deviation of a sum of four bytes."""


class Dice(np.random.Generator):
    """NumPy's generator, with what it makes by a library's functions made from whole numbers.

    ``random``, ``integers`` and ``choice`` are NumPy's: they are exact. Its ``uniform`` may round a
    product and a sum at once, and ``normal`` and ``exponential`` take logarithms of the system.

    Args:
        seed: any natural number.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(np.random.PCG64(seed))

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Numbers from low to high; shaped as these where they are arrays.

        Args:
            size: as of ``numpy.random.Generator.uniform``.
        """
        if size is None and isinstance(low, np.ndarray):
            size = low.shape
        return low + (high - low) * self.random(size)

    def standard_normal(self, size: Any = None, dtype: Any = np.float64, out: Any = None) -> Any:
        """Numbers of mean 0 and variance 1, nearly normal: sums of four bytes, at most 3.46.

        Args:
            size: as of ``numpy.random.Generator.standard_normal``.
            dtype: float64 or float32.
            out: not taken.
        """
        assert out is None
        drawn = self.integers(0, 1 << 32, size, dtype=np.uint32)
        if size is None:
            return (sum(int(drawn).to_bytes(4, "little")) - 510) / SPREAD
        pairs = (drawn & 0xFF00FF) + (drawn >> 8 & 0xFF00FF)
        total = ((pairs & 0xFFFF) + (pairs >> 16)).astype(dtype)
        total -= 510
        total /= SPREAD
        return total

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Nearly normal numbers, see ``standard_normal``.

        Args:
            loc: their mean.
            scale: their standard deviation.
            size: as of ``numpy.random.Generator.normal``.
        """
        return loc + scale * self.standard_normal(size)

    def exponential(self, scale: Any = 1.0, size: Any = None) -> Any:
        """A number of an exponential distribution.

        Args:
            scale: its mean.
            size: not taken: it is one number.
        """
        assert size is None
        return -scale * log(1 - self.random())
