"""``guard`` of params.yaml: the metrics that a pull request may not make worse.

A file's path and the keys in it, joined by dots, name a metric as ``dvc metrics diff`` does::

    guard:
      metrics/stats.json:
        sota.mean_outside:
          direction: minimize
          tolerance: 0.005
"""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.check.values import Plain, metrics_of
from samrs.core.errors import ParameterError, SamrsError, advice

SIGNS = {"maximize": 1, "minimize": -1}
"""Directions, and the sign of a change for the better."""


@dataclass(frozen=True)
class Guard:
    """A guarded metric.

    Args:
        path: its file.
        name: its keys, joined by dots.
        direction: ``maximize`` where more is better, ``minimize`` where less is.
        tolerance: how much worse it may become, in its own unit.
    """

    path: str
    name: str
    direction: str
    tolerance: float


def _items(where: Any, value: Any) -> ItemsView[Any, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: {value!r:.80}")
    return value.items()


def _guards(section: Any) -> Iterator[Guard]:
    for path, metrics in _items("guard", section):
        for name, entry in _items(path, metrics):
            found = dict(_items(name, entry))
            direction, tolerance = found.pop("direction", None), found.pop("tolerance", None)
            number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool)
            if found or direction not in [*SIGNS] or not number or not 0 <= tolerance < math.inf:
                raise ValueError(f"{name}: {entry!r:.80}")
            yield Guard(str(path), str(name), direction, tolerance)


def guards(params: Mapping[str, Any]) -> list[Guard]:
    """The guarded metrics, in the order of params.yaml.

    Args:
        params: the parameters, nested.

    Raises:
        ParameterError: the section is missing, or an entry is wrong.
    """
    try:
        return list(_guards(params.get("guard")))
    except ValueError as error:
        raise ParameterError(
            f"params.yaml: wrong guard, got {error}; a file, the metrics in it, and for each a "
            f"direction ({' or '.join(SIGNS)}) and a tolerance from 0 on are needed, see "
            "docs/experiments.md; correct it"
        ) from error


def unknown(guarded: Sequence[Guard], *values: Mapping[str, Mapping[str, Plain]]) -> Iterator[str]:
    """A sentence for each guard whose metric does not exist: it is misspelt.

    Args:
        guarded: the guards.
        values: metrics by file and name; it is enough that one has it.
    """
    for guard in guarded:
        known = [name for side in values for name in side.get(guard.path, {})]
        if guard.name not in known:
            yield (
                f"params.yaml: unknown metric, got guard of {guard.name} in {guard.path}; names "
                "that dvc metrics show prints are allowed; "
                + advice(guard.name, known, "correct or remove it")
            )


def guard_faults(root: Path, params: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the section of a checkout, a sentence each.

    Args:
        root: the checkout; guards of metrics files that it lacks are not compared with them.
        params: the parameters, nested.
    """
    try:
        guarded = [guard for guard in guards(params) if (root / guard.path).is_file()]
        paths = dict.fromkeys(guard.path for guard in guarded)
        values = {path: metrics_of(path, (root / path).read_bytes()) for path in paths}
        yield from unknown(guarded, values)
    except SamrsError as error:
        yield str(error)
