"""A stranger's words stay in their code span."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.review.cells import LONGEST, cell, code, number
from samrs.review.values import Value


@given(st.text())
def test_a_code_span_holds_any_text_on_one_line_of_one_cell(text: str) -> None:
    span = code(text)
    inside = span[1:-1]
    assert span[0] == span[-1] == "`"
    assert not set(inside) & set("`|\n\r\u202e")
    assert inside.isprintable()
    assert 1 <= len(inside) <= LONGEST


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value(1234567), "1,234,567"),
        (Value(0.123456789), "0.123457"),
        (Value(-2.5), "−2.5"),
        (Value(True), "`true`"),
        (Value(None), "`null`"),
        (Value(["a", 1]), "`a, 1`"),
        (Value([]), "`[]`"),
        (Value("@all <b>|`x`"), "`@all <b>¦'x'`"),
        (Value(float("nan")), "`nan`"),
        (None, "–"),
    ],
)
def test_cell(value: Value | None, text: str) -> None:
    assert cell(value) == text


def test_a_difference_has_its_sign() -> None:
    assert [number(v, "+") for v in (1, -1, 0.25, -1e-9)] == ["+1", "−1", "+0.25", "−1e−09"]
