"""The gate: guarded metrics may not get worse by more than their tolerance.

``guard`` in params.yaml maps a metric's dotted name to a tolerance in the metric's own unit. Worse
is lower or higher by the metric's direction; for one without direction any change is.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from samrs.core.errors import ParameterError
from samrs.core.parameters import read_parameters
from samrs.review.directions import Direction, direction
from samrs.review.values import Value, metrics_values

ROUNDING = 1e-9
"""Differences of decimal numbers are not exact: 0.81 - 0.80 is a little more than 0.01."""


@dataclass(frozen=True)
class Verdict:
    """What became of a guarded metric.

    Args:
        old, new: the metric; None where there is no number.
        worse_by: how much worse it is, 0 where it is not; None where either is missing.
    """

    name: str
    tolerance: float
    old: float | None
    new: float | None
    worse_by: float | None

    @property
    def outcome(self) -> Literal["kept", "worse", "missing", "first"]:
        """``first``: the base has no such metric, so there is nothing to fall behind."""
        if self.new is None:
            return "missing"
        if self.worse_by is None:
            return "first"
        return "worse" if self.worse_by > self.tolerance + ROUNDING else "kept"

    @property
    def passed(self) -> bool:
        return self.outcome in ("kept", "first")

    @property
    def sentence(self) -> str:
        """What is wrong and what to do."""
        if self.worse_by is None:
            return (
                f"{self.name}: guarded metric is missing or no finite number, was {self.old}; a "
                "number is needed; mend it, or remove its line under guard in params.yaml"
            )
        return (
            f"{self.name}: guarded metric is worse by {self.worse_by:.6g}, {self.old} to "
            f"{self.new}; {self.tolerance} is tolerated; mend it, or raise or remove its line "
            "under guard in params.yaml"
        )


def tolerances(params: Mapping[str, Any]) -> dict[str, float]:
    """The section ``guard`` of params.yaml.

    Raises:
        ParameterError: it is missing, or a tolerance is no number from 0 on.
    """
    section = params.get("guard")
    if not isinstance(section, Mapping):
        raise ParameterError(
            f"params.yaml: no guarded metrics, got guard = {section!r}; a mapping of metrics to "
            "tolerances is needed; write it, empty as {}"
        )
    for name, tolerance in section.items():
        is_number = isinstance(tolerance, int | float) and not isinstance(tolerance, bool)
        if not isinstance(name, str) or not is_number or not 0 <= tolerance < math.inf:
            raise ParameterError(
                f"params.yaml: wrong tolerance, got guard: {name}: {tolerance!r}; a number from 0 "
                "on is allowed, in the metric's own unit; correct it"
            )
    return dict(section)


def _worse_by(name: str, old: float, new: float) -> float:
    way = direction(name)
    return abs(new - old) if way is Direction.NEITHER else max(0.0, way * (old - new))


def judge(
    allowed: Mapping[str, float], old: Mapping[str, Value], new: Mapping[str, Value]
) -> list[Verdict]:
    """A verdict for each guarded metric, in the order of params.yaml.

    Args:
        allowed: tolerance by metric.
        old, new: all metrics before and after.

    Raises:
        ParameterError: a name is a metric neither before nor after: it is misspelt.
    """
    found = []
    for name, tolerance in allowed.items():
        if name not in old and name not in new:
            close = difflib.get_close_matches(name, new, 3, 0.5)
            raise ParameterError(
                f"params.yaml: unknown metric, got guard: {name}; names of values in metrics/ are "
                f"allowed{', such as ' + ', '.join(close) if close else ''}; correct or remove it"
            )
        before = old[name].number if name in old else None
        after = new[name].number if name in new else None
        either = before is None or after is None
        worse_by = None if either else _worse_by(name, before or 0.0, after or 0.0)
        found.append(Verdict(name, tolerance, before, after, worse_by))
    return found


def check_guard(root: Path) -> int:
    """Check that a checkout's guarded metrics are in its ``metrics/``; returns their number.

    Raises:
        ParameterError: the section is missing, a tolerance is no number, a metric does not exist.
    """
    files = {p.relative_to(root).as_posix(): p for p in (root / "metrics").rglob("*.json")}
    metrics = metrics_values({path: file.read_bytes() for path, file in files.items()})
    return len(judge(tolerances(read_parameters(root)), metrics, metrics))
