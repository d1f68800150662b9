"""The schedule of a training of nano: cycles of a constant and a falling learning rate.

In each cycle `S+C` the learning rate is constant for S steps and falls to zero over C; the next one
goes on from the weights of the last (WSD-S, Wen et al. 2024, arXiv:2410.05192). Large crops are
more frequent toward a cycle's end and after the first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from samrs.core.errors import ParameterError

WARMUP = 60


@dataclass(frozen=True)
class Course:
    """What a cycle trains on.

    Args:
        mix: the share of the steps with crops of each size.
        late: the same for the second half of the cooldown.
        whole: share of the questions that are decoded over the whole crop.
        items: of the bank.
        wide: share of the pieces that are scaled as small pictures are, see ``items.py``.
    """

    mix: dict[int, float]
    late: dict[int, float]
    whole: float
    items: int
    wide: float = 0.0


LARGER = {256: 0.60, 512: 0.32, 1024: 0.08}
LARGEST = {256: 0.45, 512: 0.40, 1024: 0.15}
HUGE = {256: 0.35, 512: 0.40, 1024: 0.25}
COURSES = (
    Course({256: 0.84, 512: 0.14, 1024: 0.02}, {256: 0.60, 512: 0.30, 1024: 0.10}, 0.08, 3000),
    Course(LARGER, LARGEST, 0.25, 3000),
    Course(LARGER, LARGEST, 0.25, 3600),
    Course(LARGEST, HUGE, 0.3, 6000, wide=0.4),
)
"""Of the first cycle, the second, the third, and all after it."""


@dataclass(frozen=True)
class Cycle:
    """The `number`th, from 0: steps from `first` on, `stable` of them at a constant rate and
    `cooldown` with the rate falling to zero."""

    number: int
    first: int
    stable: int
    cooldown: int

    @property
    def end(self) -> int:
        """The first step after it."""
        return self.first + self.stable + self.cooldown

    def rate_at(self, step: int) -> float:
        """The factor of the learning rate at a step: a rise, a plateau, a fall to zero."""
        own = step - self.first
        if own < min(WARMUP, self.stable):
            return (own + 1) / WARMUP
        return min(1.0, (self.end - step) / max(self.cooldown, 1))

    def mix_at(self, step: int) -> dict[int, float]:
        """The share of crops of each size at a step of the cycle."""
        late = step >= self.first + self.stable + self.cooldown // 2
        return self.course.late if late else self.course.mix

    @property
    def course(self) -> Course:
        """What it trains on."""
        return COURSES[min(self.number, len(COURSES) - 1)]


def cycles_of(said: Sequence[str], before: int = 0) -> list[Cycle]:
    """Cycles from words "stable+cooldown".

    Args:
        said: the words, each of two numbers of steps.
        before: cycles that the first weights have behind them.

    Raises:
        ParameterError: a word is not of that form.
    """
    cycles: list[Cycle] = []
    for word in said:
        match = re.fullmatch(r"(\d+)\+(\d+)", word)
        if match is None:
            raise ParameterError(
                f"cycles: a cycle is not readable, got {word!r}; steps at a constant rate and "
                "those of the cooldown are needed; write it as 3000+1250"
            )
        first = cycles[-1].end if cycles else 0
        number = before + len(cycles)
        cycles.append(Cycle(number, first, int(match[1]), int(match[2])))
    return cycles


def cycle_at(cycles: list[Cycle], step: int) -> Cycle:
    """The cycle that a step is in.

    Args:
        cycles: of the whole training.
        step: from 0, before the end of the last cycle.
    """
    return next(cycle for cycle in cycles if step < cycle.end)
