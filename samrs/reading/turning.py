"""Turning a picture as its orientation tag says, and finding a window of it in the stored one."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from samrs.core.tiling import Window


class Turn(NamedTuple):
    """What makes the stored picture the one that is seen: in this order.

    Attributes:
        transpose: rows become columns.
        flip_x: left and right change places.
        flip_y: top and bottom change places.
    """

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @classmethod
    def of(cls, orientation: int) -> Self:
        """That of Exif's number, 1 to 8 (CIPA DC-008, 4.6.4 A).

        Args:
            orientation: the number.
        """
        return cls(
            orientation in (5, 6, 7, 8), orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
        )

    def size(self, stored_wh: tuple[int, int]) -> tuple[int, int]:
        """Width and height of the turned picture.

        Args:
            stored_wh: width and height as stored, px.
        """
        return stored_wh[::-1] if self.transpose else stored_wh

    def stored(self, window: Window, size_wh: tuple[int, int]) -> Window:
        """Where a window of the turned picture lies in the stored one.

        Args:
            size_wh: of the turned picture.
        """
        x0, y0, width, height = window
        if self.flip_x:
            x0 = size_wh[0] - x0 - width
        if self.flip_y:
            y0 = size_wh[1] - y0 - height
        return Window(y0, x0, height, width) if self.transpose else Window(x0, y0, width, height)

    def turned(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of a stored window as they are seen.

        Args:
            pixels: uint8, as stored.
        """
        if self == AS_STORED:
            return pixels
        if self.transpose:
            pixels = pixels.swapaxes(0, 1)
        step_y, step_x = -1 if self.flip_y else 1, -1 if self.flip_x else 1
        return np.ascontiguousarray(pixels[::step_y, ::step_x])


AS_STORED = Turn()
