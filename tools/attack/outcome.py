"""How an attack ended."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from samrs.core.errors import SamrsError

SURVIVED, SILENT, TRACEBACK = "survived", "silent", "traceback"


@dataclass(frozen=True)
class Outcome:
    """One attack: what was done, and how it ended.

    Args:
        attack: what was done.
        verdict: SURVIVED: found, refused in a sentence, or the right result all the same; SILENT: a
            wrong result without a word; TRACEBACK: an error that no user can act on.
        detail: what was seen where it did not survive.
    """

    attack: str
    verdict: str
    detail: str = ""


@dataclass
class Tally:
    """Outcomes of a class."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count them as they come.

        Args:
            outcomes: of one class.
        """
        for outcome in outcomes:
            self.counts[outcome.verdict] += 1
            if outcome.verdict != SURVIVED:
                self.failed.append(outcome)

    def row(self, name: str) -> str:
        """A row of the table: class, tried, survived, silent, tracebacks.

        Args:
            name: of the class.
        """
        counts = [self.counts.total(), *(self.counts[v] for v in (SURVIVED, SILENT, TRACEBACK))]
        return f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |"


def judged(attack: str, judge: Callable[[], str | None]) -> Outcome:
    """Do an attack; errors of ours are sentences, others tracebacks.

    Args:
        attack: what is done.
        judge: does it and tells in words what is wrong of the result, or None.
    """
    try:
        wrong = judge()
    except SamrsError:
        return Outcome(attack, SURVIVED)
    except Exception:
        return Outcome(attack, TRACEBACK, traceback.format_exc()[-2000:])
    return Outcome(attack, SILENT, wrong) if wrong else Outcome(attack, SURVIVED)


def numbered(attacks: Iterable[tuple[str, Callable[[], str | None]]]) -> Iterator[Outcome]:
    """Judge a stream of attacks.

    Args:
        attacks: what is done, and what does and judges it.
    """
    for attack, judge in attacks:
        yield judged(attack, judge)
