"""A random sample of a release's masks, and what judging it says of all of them.

The sample is stratified: masks of one class and one range of estimated quality are a stratum, each
gets places by its size, at least two where it has as many. What is found is weighed back by
Horvitz and Thompson (1952): a mask stands for N_h / n_h of its stratum. A stratum with one judged
mask is taken to spread as much as all masks together, which makes intervals larger rather than
smaller (as collapsing strata does: Cochran, Sampling Techniques, 5A.12).

Intervals of shares are Wilson's at the effective number of masks, which keep within 0 and 1 and do
not shrink to a point where every mask was good (Korn and Graubard 1998; Franco et al. 2019).
Intervals of means are Student's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError

EDGES = (0.5, 0.7, 0.85)
"""Of the estimated quality, between strata of a class; masks without one are a stratum, too."""
LEAST = 2
"""Masks of a stratum that has as many: one says nothing of how masks differ."""
CONFIDENCE = 0.95

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """Masks drawn at random.

    Args:
        numbers: of the masks, in the order in which they are to be judged: at random, so that
            those judged at any time are a sample, too.
        strata: of each of these, a number.
        sizes: masks of the release in each stratum.
    """

    numbers: tuple[int, ...]
    strata: tuple[int, ...]
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Estimate:
    """What a sample says of all: the value with its interval.

    Args:
        low: lower end of the 95 % interval, and
        high: its upper one; None where the sample says nothing of it.
    """

    value: float
    low: float | None
    high: float | None


def strata_of(category: NDArray[np.uint16], quality: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) the stratum of each mask, a number from 0.

    Args:
        category: (N,) class of each.
        quality: (N,) its estimate, NaN where there is none.
    """
    bins = np.searchsorted(np.array(EDGES), quality.astype(np.float64), side="right")
    bins[np.isnan(quality)] = len(EDGES) + 1
    told = category.astype(np.int64) * (len(EDGES) + 2) + bins
    return np.asarray(np.unique(told, return_inverse=True)[1], dtype=np.int64)


def merged(strata: NDArray[np.int64], places: int) -> NDArray[np.int64]:
    """Strata, the smallest of them taken as one where places would not go round: a stratum without
    a judged mask would leave all masks unknown.

    Args:
        strata: (N,) of each mask.
        places: masks to draw.
    """
    sizes = np.bincount(strata)
    most = max(1, places // LEAST)
    order = np.argsort(sizes, kind="stable")
    target = np.arange(len(sizes))
    if len(sizes) > most:
        target[order[: len(sizes) - most + 1]] = order[0]
    return np.asarray(np.unique(target[strata], return_inverse=True)[1], dtype=np.int64)


def allocate(sizes: Sequence[int], places: int) -> list[int]:
    """Places of each stratum: in proportion to its size, but ``LEAST`` where they go round.

    Args:
        sizes: masks of each stratum.
        places: in all; fewer are given where there are fewer masks.
    """
    total = sum(sizes)
    places = min(places, total)
    if not places:
        return [0] * len(sizes)
    given = [0] * len(sizes)
    order = sorted(range(len(sizes)), key=lambda h: (-sizes[h], h))
    for _ in range(LEAST):  # the largest first where there are more strata than places
        for h in order:
            if given[h] < sizes[h] and sum(given) < places:
                given[h] += 1
    for _ in range(places - sum(given)):  # to the stratum that is furthest below its share
        open_ = [h for h in order if given[h] < sizes[h]]
        given[max(open_, key=lambda h: sizes[h] * places / total - given[h])] += 1
    return given


def draw(
    category: NDArray[np.uint16], quality: NDArray[np.float32], places: int, seed: int
) -> Sample:
    """Draw a sample; the same of the same masks.

    Args:
        category: (N,) class of each mask.
        quality: (N,) its estimate, NaN where there is none.
        places: masks to draw.

    Raises:
        ParameterError: nothing is to be drawn.
    """
    if places < 1 or not len(category):
        raise ParameterError(
            f"sample: nothing to draw, got {places} of {len(category)} masks; 1 or more are "
            "allowed; raise it, or name a release that has masks"
        )
    strata = merged(strata_of(category, quality), places)
    sizes = np.bincount(strata).tolist()
    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = [
        rng.choice(np.flatnonzero(strata == h), count, replace=False)
        for h, count in enumerate(allocate(sizes, places))
    ]
    numbers = rng.permutation(np.concatenate(drawn))
    return Sample(tuple(numbers.tolist()), tuple(strata[numbers].tolist()), tuple(sizes))


def mean(values: Floats, strata: NDArray[np.int64], sizes: Sequence[int]) -> Estimate | None:
    """The mean over all masks, by Horvitz and Thompson, with Student's interval.

    Args:
        values: (n,) of the masks judged; NaN where a mask has none, which is then a part of the
            masks that is not asked about: the mean is of the others.
        strata: (n,) stratum of each.
        sizes: masks of the release in each stratum.

    Returns:
        None where no mask has a value, or where nothing of a stratum was judged.
    """
    counts = np.bincount(strata, minlength=len(sizes))
    has = ~np.isnan(values)
    if not has.any() or (counts == 0).any():
        return None
    weights = np.array(sizes)[strata] / counts[strata]
    total = float((weights * has).sum())
    value = float((weights * np.where(has, values, 0.0)).sum()) / total
    # a ratio: what each mask adds to the mean beyond its part (Cochran, 6.13)
    beyond = np.where(has, np.where(has, values, 0.0) - value, 0.0) / total
    variance = _variance_of_total(beyond, strata, sizes)
    freedom = int(has.sum()) - len({int(h) for h in strata[has]})
    if variance is None or freedom < 1:
        return Estimate(value, None, None)
    half = _student(freedom) * math.sqrt(variance)
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def share(
    good: NDArray[np.bool_], strata: NDArray[np.int64], sizes: Sequence[int]
) -> Estimate | None:
    """The share of all masks that is good, by Horvitz and Thompson, with Wilson's interval.

    Args:
        good: (n,) of the masks judged.
        strata: (n,) stratum of each.
        sizes: masks of the release in each stratum.

    Returns:
        None where nothing of a stratum was judged.
    """
    found = mean(good.astype(np.float64), strata, sizes)
    if found is None:
        return None
    counts = np.bincount(strata, minlength=len(sizes))
    if (counts == np.array(sizes)).all():
        return Estimate(found.value, found.value, found.value)
    total = float(sum(sizes))
    variance = _variance_of_total(good.astype(np.float64) / total, strata, sizes)
    p = found.value
    weights = np.array(sizes)[strata] / counts[strata]
    effective = float(weights.sum() ** 2 / (weights**2).sum())  # Kish: what unequal weights cost
    if variance and p * (1 - p) > 0:
        effective = p * (1 - p) / variance
    low, high = wilson(p, min(effective, float(len(good))))
    return Estimate(p, low, high)


def wilson(share: float, count: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's (1927) interval of a share.

    Args:
        share: found, 0-1.
        count: of what it was found in; need not be whole.
        confidence: of the interval.
    """
    from scipy.stats import norm

    z = float(norm.ppf((1 + confidence) / 2))
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _student(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, freedom))


def _variance_of_total(
    parts: Floats, strata: NDArray[np.int64], sizes: Sequence[int]
) -> float | None:
    """Variance of the Horvitz-Thompson total of ``parts`` (n,): sum of N_h^2 (1 - f_h) s_h^2 / n_h.

    A stratum with one judged mask of several lends its spread from all strata together. None where
    no spread can be known.
    """
    counts = np.bincount(strata, minlength=len(sizes))
    lonely = [h for h, n in enumerate(counts) if n == 1 and sizes[h] > 1]
    if lonely and len(parts) < LEAST:
        return None
    whole = float(np.var(parts, ddof=1)) if len(parts) > 1 else 0.0
    total = 0.0
    for h, (n, size) in enumerate(zip(counts.tolist(), sizes, strict=True)):
        if n == size or not n:
            continue
        spread = whole if n == 1 else float(np.var(parts[strata == h], ddof=1))
        total += size**2 * (1 - n / size) * spread / n
    return total
