"""Colours as codes."""

from __future__ import annotations

import numpy as np

from samrs.reading.colour_codes import code_masks, colour_codes
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
