"""A stranger's words stay in their code span."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from samrs.drawing.markdown import LONGEST, code, folded, number, table


@given(st.text())
def test_a_code_span_holds_any_text_on_one_line_of_one_cell(text: str) -> None:
    span = code(text)
    inside = span[1:-1]
    assert span[0] == span[-1] == "`"
    assert not set(inside) & set("`|\n\r\u202e")
    assert inside.isprintable()
    assert 1 <= len(inside) <= LONGEST


def test_numbers_have_six_digits_thousands_and_where_wanted_a_sign() -> None:
    assert [number(v) for v in (1234567, 0.123456789, -2.5)] == ["1,234,567", "0.123457", "−2.5"]
    assert [number(v, "+") for v in (1, -1, 0.25, -1e-9)] == ["+1", "−1", "+0.25", "−1e−09"]


def test_a_table_has_its_numbers_right() -> None:
    assert table(("a", "b", "c"), [("x", "1", "y")], 1).splitlines() == [
        "| a | b | c |",
        "| --- | ---: | --- |",
        "| x | 1 | y |",
    ]


def test_a_fold_has_a_blank_line_before_its_text_and_no_tag_in_its_summary() -> None:
    assert folded("a <b>", "text") == (
        "<details><summary>a &lt;b&gt;</summary>\n\ntext\n\n</details>"
    )
