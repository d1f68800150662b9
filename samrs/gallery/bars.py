"""Histograms as lines of text and bars, which a phone shows as well as a desk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samrs.drawing.tables import number, percent

QUALITY_EDGES = tuple(round(0.1 * n, 1) for n in range(11))
SIDES = (0, 8, 16, 32, 64, 128, 256, np.inf)
"""Bounds of the sizes of masks, px: the root of their area."""


def bars(values: ArrayLike, edges: Sequence[float], form: str) -> list[dict[str, Any]]:
    """A histogram of counts.

    Args:
        values: (N,).
        edges: (B + 1,) bounds of the bins, the last of which holds its upper bound.
        form: how a bound is written.

    Returns:
        For each bin ``name`` and ``bars``, one: its ``text``, the count, and its ``width``, the
        share of the fullest bin's, per cent.
    """
    counts = _counts(values, edges)
    return _lines({"": counts}, [number(int(n)) for n in counts], edges, form)


def shares(
    series: Mapping[str, ArrayLike], edges: Sequence[float], form: str
) -> list[dict[str, Any]]:
    """Histograms beside each other, of shares, as their values need not be equally many.

    Args:
        series: values (N,) by name; in the bins ``bars`` stand in this order.
        edges: as for ``bars``.
        form: as for ``bars``.
    """
    counts = {name: _counts(values, edges) for name, values in series.items()}
    parts = {name: found / max(found.sum(), 1) for name, found in counts.items()}
    texts = [percent(float(found[place])) for place in range(len(edges) - 1)
             for found in parts.values()]  # fmt: skip
    return _lines(parts, texts, edges, form)


def _counts(values: ArrayLike, edges: Sequence[float]) -> NDArray[Any]:
    return np.histogram(np.asarray(values, dtype=np.float64), np.asarray(edges))[0]


def _lines(
    series: Mapping[str, NDArray[Any]], texts: Sequence[str], edges: Sequence[float], form: str
) -> list[dict[str, Any]]:
    most = max((float(found.max(initial=0)) for found in series.values()), default=0.0) or 1.0
    low = [form.format(edge) for edge in edges]
    names = [f"{one} to {next_}" for one, next_ in pairwise(low)]
    if np.isinf(edges[-1]):
        names[-1] = f"{low[-2]} up"
    said = iter(texts)
    return [
        {
            "name": name,
            "bars": [
                {"text": next(said), "width": round(100 * float(found[place]) / most, 1)}
                for found in series.values()
            ],
        }
        for place, name in enumerate(names)
    ]
