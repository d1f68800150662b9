"""Metrics and parameters by dotted name, as DVC names them, from files that a stranger may have
written: what would end in a traceback is refused in a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from samrs.core.errors import ProductError
from samrs.core.parameters import LEVELS, VALUES

Plain = str | int | float | bool | None

LARGEST = 1e30
"""No metric or parameter is larger."""


def flat(value: Any, name: str = "", level: int = 0) -> Iterator[tuple[str, Plain]]:
    """Every value with its keys joined by dots; a list is one value, its text.

    Args:
        value: nested mappings and lists.
        name: of the value itself, empty at the top.
        level: how deep the value lies.

    Raises:
        ValueError: it is too deep, too large, or neither number, text nor truth value.
    """
    if level > LEVELS:
        raise ValueError(f"more than {LEVELS} levels")
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else str(key), level + 1)
    elif isinstance(value, list):
        items = [text for item in value for _, text in flat(item, name, level + 1)]
        yield name, f"[{', '.join(map(str, items))}]"
    elif value is None or isinstance(value, str) or _is_number(value):
        yield name, value
    else:
        raise ValueError(f"{type(value).__name__} that is neither text nor a usual number")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) <= LARGEST


def named(where: str, values: Any) -> dict[str, Plain]:
    """Every value by its dotted name.

    Args:
        where: the file, for the error.
        values: nested mappings and lists.

    Raises:
        ProductError: a value is neither a usual number nor a text, they are too many or too deep,
            or two have one name.
    """
    found: dict[str, Plain] = {}
    try:
        for name, value in flat(values):
            if name in found:
                raise ValueError(f"two values named {name!r:.80}")
            found[name] = value
            if len(found) > VALUES:
                raise ValueError(f"more than {VALUES:,} values")
    except (ValueError, RecursionError) as error:
        raise ProductError(
            f"{where}: unusable value, got {error}; finite numbers, truth values, texts and lists "
            "of them are allowed, in mappings; correct it"
        ) from error
    return found


def metrics_of(where: str, content: bytes) -> dict[str, Plain]:
    """The values of a metrics file.

    Args:
        where: its path, for the error.
        content: its bytes.

    Raises:
        ProductError: it is no JSON, or not of plain values.
    """
    try:
        return named(where, json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ProductError(
            f"{where}: unreadable metrics, got {type(error).__name__}; JSON is allowed; run dvc "
            "repro for the stage that writes it"
        ) from error
