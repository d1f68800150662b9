"""What tells classes apart on a page, for everybody."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from samrs.drawing.marks import DISTINCT, mark
from samrs.drawing.palette import SAMRS, to_hex

SIGHT = {
    "usual": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
WHITE = [0.95047, 1.0, 1.08883]


def lab(colours: list[str], sight: list[list[float]]) -> NDArray[np.float64]:
    """CIELAB (N, 3), D65, of colours as somebody sees them."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = (linear @ np.transpose(sight)).clip(0, 1) @ np.transpose(TO_XYZ) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_of_a_page_are_told_apart_by_everybody(sight: str) -> None:
    found = lab(list(DISTINCT), SIGHT[sight])
    assert min(np.linalg.norm(one - other) for one, other in combinations(found, 2)) > 30


def test_samrs_own_colours_are_not() -> None:
    """Why a page has others; and the check above can fail."""
    found = lab([to_hex(rgb) for rgb in SAMRS], SIGHT["usual"])
    assert min(np.linalg.norm(one - other) for one, other in combinations(found, 2)) < 10


def test_colour_and_line_tell_40_classes_apart() -> None:
    assert len({mark(place) for place in range(40)}) == 40
    assert all(mark(place)[1] == "" for place in range(8))
