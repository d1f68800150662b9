"""Metrics and parameters by dotted name; what a stranger may have written is refused."""

from __future__ import annotations

from datetime import date

import pytest

from samrs.check.values import metrics_of, named
from samrs.core.errors import ProductError
from samrs.core.parameters import LEVELS, VALUES


def nested(levels: int) -> str:
    return '{"a": ' * levels + "1" + "}" * levels


def test_names_are_keys_joined_by_dots() -> None:
    content = b'{"tiles": 12, "miou": {"pretrain": {"0.05": 0.5}}, "name": "hbox", "none": null}'
    assert metrics_of("metrics/x.json", content) == {
        "tiles": 12,
        "miou.pretrain.0.05": 0.5,
        "name": "hbox",
        "none": None,
    }


def test_lists_are_texts() -> None:
    assert named("params.yaml", {"a": ["x", [1, {"b": True}]], "c": []}) == {
        "a": "[x, [1, True]]",
        "c": "[]",
    }


def test_what_yaml_holds_beyond_json_is_refused() -> None:
    for value in (date(2001, 1, 1), b"bytes", {"x"}, float("inf")):
        with pytest.raises(ProductError, match=r"^params\.yaml: unusable value, got "):
            named("params.yaml", {"a": [value]})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "JSONDecodeError"),
        (b"\xff", "UnicodeDecodeError"),
        (b"[" * 2000 + b"]" * 2000, "RecursionError|more than"),
        (nested(LEVELS + 1).encode(), f"more than {LEVELS} levels"),
        (b'{"a": ' + b"9" * 400 + b"}", "int that is neither text nor a usual number"),
        (b'{"a": -1e99}', "float that is neither text nor a usual number"),
        (b'{"a": 1e999}', "float that is neither"),
        (b'{"a": NaN}', "float that is neither"),
        (b'{"a": [1, [NaN]]}', "float that is neither"),
        (b'{"a": {"b": 1}, "a.b": 2}', "two values named 'a.b'"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(VALUES + 1)) + b"}", "more than 20,000"),
    ],
    ids=lambda value: None if isinstance(value, str) else value[:12].decode(errors="replace"),
)
def test_unreadable_metrics_are_named(content: bytes, said: str) -> None:
    with pytest.raises(ProductError, match=rf"^metrics/x\.json: un\w+ \w+, got .*{said}"):
        metrics_of("metrics/x.json", content)
