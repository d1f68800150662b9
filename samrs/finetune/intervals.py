"""Means over repeated trainings or draws, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95
FEWEST = 3
"""Values below which an interval tells nothing."""


def interval(values: Sequence[float]) -> dict[str, float]:
    """Mean of at least two values and the ends of its 95 % interval, by Student's t.

    Args:
        values: one a draw or seed.
    """
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(stdtrit(len(values) - 1, (1 + LEVEL) / 2)) * error
    ends = {"mean": mean, "low": mean - reach, "high": mean + reach}
    return {name: round(value, 4) for name, value in ends.items()}


def paired(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """The interval of the differences of pairs.

    Args:
        ours: one a draw or seed.
        theirs: of the same draws or seeds, in the same order.
    """
    return interval([one - other for one, other in zip(ours, theirs, strict=True)])
