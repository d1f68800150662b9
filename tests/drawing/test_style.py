from __future__ import annotations

import pytest

from samrs.drawing.style import short_number, shorten


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1234, "1.2k"), (45_600, "46k"), (2e6, "2M")],
)
def test_numbers_are_short(value, text):
    assert short_number(value) == text


def test_long_names_are_cut():
    assert shorten("ship") == "ship"
    assert len(shorten("x" * 99)) == 28
