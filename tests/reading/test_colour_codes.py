"""Colours as codes."""

from __future__ import annotations

import numpy as np
import pytest

from samrs.core.errors import ImageError
from samrs.reading.colour_codes import MOST_CODES, code_masks, colour_codes
from tests.datasets.by_hand import painted


def test_each_colour_has_its_own_code() -> None:
    assert colour_codes((1, 2, 3)) == 0x010203
    assert colour_codes([(255, 255, 255), (0, 0, 0)]).tolist() == [0xFFFFFF, 0]


def test_masks_come_by_code_with_their_tight_places() -> None:
    fields = {(4, 4, 14, 10): (9, 0, 0), (20, 2, 24, 4): (0, 0, 9), (30, 2, 34, 4): (0, 0, 9)}
    found = list(code_masks(colour_codes(painted(fields))))
    assert [code for code, _, _ in found] == [9, 9 << 16]
    (_, (rows, columns), mask), (_, place, box) = found
    assert (rows.start, rows.stop, columns.start, columns.stop) == (2, 4, 20, 34)
    assert mask.sum() == 16
    assert place == (slice(4, 10), slice(4, 14))
    assert box.all()


def test_black_image_has_no_masks() -> None:
    assert list(code_masks(np.zeros((3, 4), np.int32))) == []


def test_noise_is_no_image_of_codes() -> None:
    codes = np.arange(MOST_CODES + 2, dtype=np.int32).reshape(2, -1)
    with pytest.raises(ImageError, match=r"^a: colours are no codes of objects, got 50001 of them"):
        next(code_masks(codes, "a"))
    assert sum(1 for _ in code_masks(np.minimum(codes, MOST_CODES))) == MOST_CODES
