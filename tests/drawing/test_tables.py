from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samrs.drawing.tables import input_table, number

METRICS = Path(__file__).parents[2] / "metrics"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1234, "1,234"),
        (1234.5678, "1,234.568"),
        ("ship", "ship"),
        ({}, "–"),
        ({"box has no area": 1234, "image too large": 1}, "1,234 × box has no area, 1 × image"),
        ([], "–"),
        ([1, 2.5], "1, 2.500"),
    ],
)
def test_a_cell_is_a_text_whatever_it_is_made_of(value: Any, text: str) -> None:
    assert number(value).startswith(text)
    assert not set(number(value)) & set("{}[]")


def test_what_was_set_aside_is_counted_by_reason() -> None:
    """The metrics in git are what ``normalize`` writes."""
    normalized = json.loads((METRICS / "normalize" / "dota.json").read_text(encoding="utf-8"))
    assert input_table({"dota": normalized}).rows[0][-2:] == ["0", "–"]
    normalized["quarantined"] = {"total": 3, "by_reason": {"image too large": 2, "no name": 1}}
    shown = input_table({"dota": normalized}).rows[0]
    assert shown[-2:] == ["3", "2 × image too large, 1 × no name"]
