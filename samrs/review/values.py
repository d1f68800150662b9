"""Nested metrics and parameters as flat values with dotted names, and what changed between two.

``metrics/sam_label/dota.json`` holding ``{"tiles": 12}`` is ``sam_label.dota.tiles``; a
folder's ``summary.json`` takes the folder's name. Items of a list are named by the first text
that tells them apart (``classes.ship.instances``), else by their place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from samrs.core.errors import ProductError

MAX_VALUES = 200_000
"""More values than this in one file are refused: YAML's aliases can stand for billions."""


@dataclass(frozen=True)
class Value:
    """A number, text, truth value, None, or a list of these.

    Args:
        detail: it comes from an item of a list: a histogram, a row of a table.
    """

    value: Any
    detail: bool = False

    @property
    def number(self) -> float | None:
        """As a finite number, None where it is none."""
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return self.value if is_number and math.isfinite(self.value) else None


@dataclass(frozen=True)
class Change:
    """A value in two revisions; None where it is not there."""

    name: str
    old: Value | None
    new: Value | None

    @property
    def difference(self) -> float | None:
        """New less old, where both are numbers."""
        old = self.old.number if self.old else None
        new = self.new.number if self.new else None
        return None if old is None or new is None else new - old

    @property
    def changed(self) -> bool:
        return repr(self.old) != repr(self.new)

    @property
    def detail(self) -> bool:
        """Whether it comes from an item of a list."""
        return any(value.detail for value in (self.old, self.new) if value)


def _item_names(items: list[Any]) -> list[str]:
    if all(isinstance(item, Mapping) for item in items):
        for key in items[0]:
            texts = [item.get(key) for item in items]
            if all(isinstance(t, str) for t in texts) and len(set(texts)) == len(texts):
                return [str(t) for t in texts]
    return [str(place) for place in range(len(items))]


def flat(value: Any, name: str = "", detail: bool = False) -> Iterator[tuple[str, Value]]:
    """Every single value with its dotted name; a list of single values is one."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{name}.{key}" if name else str(key), detail)
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for key, item in zip(_item_names(value), value, strict=True):
            yield from flat(item, f"{name}.{key}", True)
    else:
        yield name, Value(value, detail)


def _collect(where: str, value: Any, name: str, into: dict[str, Value]) -> None:
    start = len(into)
    for key, item in flat(value, name):
        if key in into:
            raise ProductError(
                f"{where}: two values of one name, got {key!r} twice; names of files and keys "
                "joined by dots must differ; rename one"
            )
        into[key] = item
        if len(into) - start > MAX_VALUES:
            raise ProductError(
                f"{where}: too many values, got more than {MAX_VALUES:,}; metrics and parameters "
                "are few; write large tables to data/"
            )


def metrics_name(path: str) -> str:
    """Where a file's values are, ``sam_label.dota`` of ``metrics/sam_label/dota.json``."""
    parts = path.removeprefix("metrics/").removesuffix(".json").split("/")
    return ".".join(parts[:-1] if parts[-1] == "summary" and len(parts) > 1 else parts)


def metrics_values(contents: Mapping[str, bytes]) -> dict[str, Value]:
    """All values of metrics files.

    Args:
        contents: bytes of JSON files by path, e.g. ``metrics/stats.json``.

    Raises:
        ProductError: a file is no JSON, holds too much, or two values have one name.
    """
    found: dict[str, Value] = {}
    for path in sorted(contents):
        try:
            _collect(path, json.loads(contents[path]), metrics_name(path), found)
        except (ValueError, RecursionError) as error:
            raise ProductError(
                f"{path}: unreadable metrics, got {type(error).__name__}; JSON in UTF-8 is "
                "allowed; run dvc repro for the stage that writes it"
            ) from error
    return found


def parameter_values(values: Mapping[str, Any]) -> dict[str, Value]:
    """All parameters by their dotted names."""
    found: dict[str, Value] = {}
    _collect("params.yaml", values, "", found)
    return found


def compare(old: Mapping[str, Value], new: Mapping[str, Value]) -> list[Change]:
    """Every value of either side, in the order of the new one, what is gone last."""
    names = [*new, *(name for name in old if name not in new)]
    return [Change(name, old.get(name), new.get(name)) for name in names]
