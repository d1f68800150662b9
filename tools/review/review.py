"""Two commits and the gate: guarded metrics may not get worse by more than their tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from samrs.check.guard import SIGNS, Guard, guards, unknown
from samrs.core.errors import ParameterError
from tools.review.commits import Commit, both

ROUNDING = 1e-9
"""Differences of decimal numbers are not exact: 0.81 - 0.80 is a little more than 0.01."""


@dataclass(frozen=True)
class Verdict:
    """What became of a guarded metric.

    Args:
        guard: what it may lose.
        old, new: the metric; None where there is no number.
    """

    guard: Guard
    old: float | None
    new: float | None

    @property
    def worse_by(self) -> float | None:
        """How much worse it is, 0 where it is not; None where either number is missing."""
        if self.old is None or self.new is None:
            return None
        return max(0.0, SIGNS[self.guard.direction] * (self.old - self.new))

    @property
    def passed(self) -> bool:
        """Whether it is there, and not worse than tolerated; a new metric has nothing to lose."""
        return self.new is not None and (self.worse_by or 0) <= self.guard.tolerance + ROUNDING

    @property
    def sentence(self) -> str:
        """What is wrong and what to do, of one that did not pass."""
        lost = "gone or no number" if self.worse_by is None else f"worse by {self.worse_by:.6g}"
        return (
            f"{self.guard.path}: guarded metric {self.guard.name} is {lost}, {self.old} to "
            f"{self.new}; {self.guard.tolerance} is tolerated; mend it, or raise its tolerance or "
            "remove it under guard in params.yaml"
        )


@dataclass(frozen=True)
class Review:
    """All there is to tell.

    Args:
        old, new: the commit where the change left its base branch, and its last one.
        verdicts: of the guarded metrics.
        unguarded: metrics that the old commit guards and the new one does not.
    """

    old: Commit
    new: Commit
    verdicts: Sequence[Verdict]
    unguarded: Sequence[str]

    @property
    def failed(self) -> list[Verdict]:
        """What shuts the gate."""
        return [verdict for verdict in self.verdicts if not verdict.passed]


def judge(guard: Guard, old: Commit, new: Commit) -> Verdict:
    """The verdict on a guarded metric."""
    values = (side.metrics.get(guard.path, {}).get(guard.name) for side in (old, new))
    before, after = (None if isinstance(value, str | bool) else value for value in values)
    return Verdict(guard, before, after)


def review(repo: Path, base: str, head: str) -> Review:
    """Compare a commit with the one where it left its base branch.

    The guards are the head's: whoever means a loss raises a tolerance there, for all to see.

    Args:
        repo: a git repository that holds both with their history.
        base, head: commits, branches or tags.

    Raises:
        ParameterError: the section ``guard`` is wrong or names no metric.
        SamrsError: as ``both``.
    """
    old, new = both(repo, base, head)
    guarded = guards(new.params)
    for sentence in unknown(guarded, new.metrics, old.metrics):
        raise ParameterError(sentence)
    try:
        names = {f"{guard.path} {guard.name}" for guard in guards(old.params)}
    except ParameterError:  # the base's mistake, which the change may mend
        names = set()
    unguarded = sorted(names - {f"{guard.path} {guard.name}" for guard in guarded})
    return Review(old, new, [judge(guard, old, new) for guard in guarded], unguarded)
