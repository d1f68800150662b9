"""What a sample says of all masks: known answers, and intervals that hold the truth."""

from __future__ import annotations

import numpy as np
import pytest

from samrs.core.errors import ParameterError
from samrs.review.sampling import Estimate, allocate, draw, mean, merged, share, strata_of, wilson

MANY = 10**9
"""Masks of a stratum that a sample takes next to nothing of."""


@pytest.mark.parametrize(
    ("good", "count", "low", "high"),
    [  # statsmodels 0.15: proportion_confint(good, count, method="wilson")
        (45, 50, 0.7863976856252034, 0.9565242350681095),
        (0, 20, 0.0, 0.1611251580528194),
        (20, 20, 0.8388748419471804, 1.0),
        (173, 200, 0.8107086162924745, 0.9055342954521209),
    ],
)
def test_wilsons_interval_is_statsmodels(good: int, count: int, low: float, high: float) -> None:
    assert wilson(good / count, count) == pytest.approx((low, high), abs=1e-12)


def test_without_strata_the_mean_has_students_interval() -> None:
    values = np.array([0.2, 0.5, 0.9, 0.4, 0.7])
    found = mean(values, np.zeros(5, int), [MANY])
    # scipy.stats.t.interval(0.95, 4, mean, sem): 0.54 +- 2.7764 * 0.12083
    assert found is not None
    assert (found.value, found.low, found.high) == pytest.approx((0.54, 0.2045, 0.8755), abs=1e-4)


def test_strata_are_weighed_by_their_sizes() -> None:
    """Two strata of 30 and 10: 0.75 * 0.4 + 0.25 * 0.9, and its variance by hand."""
    values, strata = np.array([0.3, 0.5, 0.8, 1.0]), np.array([0, 0, 1, 1])
    found = mean(values, strata, [30, 10])
    # sum of W^2 (1 - f) s^2 / n with s^2 = 0.02 in both: 0.005250 + 0.0005; t of 2 is 4.302653
    half = 4.302653 * np.sqrt(0.75**2 * (28 / 30) * 0.01 + 0.25**2 * 0.8 * 0.01)
    assert found is not None
    assert found.value == pytest.approx(0.525)
    assert (found.low, found.high) == pytest.approx((0.525 - half, 0.525 + half), abs=1e-6)


def test_masks_without_a_value_are_no_part_of_the_mean() -> None:
    """Three of four masks of the one stratum, two of two of the other: weights 2 and 1."""
    values, strata = np.array([0.5, np.nan, 0.7, 1.0, 0.8]), np.array([0, 0, 0, 1, 1])
    found = mean(values, strata, [6, 2])
    assert found is not None
    assert found.value == pytest.approx((2 * 0.5 + 2 * 0.7 + 1.0 + 0.8) / 6)
    assert mean(np.array([np.nan]), np.zeros(1, int), [5]) is None


def test_all_masks_judged_leave_nothing_to_estimate() -> None:
    good = np.array([True, False, True, True])
    found = share(good, np.array([0, 0, 1, 1]), [2, 2])
    assert found == Estimate(0.75, 0.75, 0.75)


def test_a_stratum_without_a_judged_mask_leaves_it_open() -> None:
    assert share(np.array([True]), np.array([0]), [3, 1]) is None


def test_all_good_ones_do_not_make_an_interval_of_nothing() -> None:
    found = share(np.ones(20, bool), np.zeros(20, int), [MANY])
    assert found is not None
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.83887, abs=1e-4)


def test_weights_that_differ_cost_width() -> None:
    """Half of the sample in a hundredth of the release says little of the rest."""
    good, strata = np.ones(40, bool), np.repeat([0, 1], 20)
    even, uneven = (share(good, strata, sizes) for sizes in ([5000, 5000], [9900, 100]))
    assert even is not None
    assert uneven is not None
    assert even.low is not None
    assert uneven.low is not None
    assert uneven.low < even.low


def test_one_judged_mask_of_a_stratum_borrows_its_spread() -> None:
    values, strata = np.array([0.2, 0.6, 0.9, 0.5]), np.array([0, 0, 0, 1])
    found = mean(values, strata, [MANY, MANY])
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_places_go_by_size_but_two_to_each() -> None:
    assert allocate([1000, 100, 3, 1], 20) == [15, 2, 2, 1]
    assert allocate([5, 5], 100) == [5, 5]
    assert allocate([10, 30, 20], 2) == [0, 1, 1]
    for sizes, places in (([7, 1, 1, 90], 30), ([50] * 40, 50), ([1] * 10, 4)):
        given = allocate(sizes, places)
        assert sum(given) == min(places, sum(sizes))
        assert all(n <= size for n, size in zip(given, sizes, strict=True))


def test_strata_are_classes_and_ranges_of_quality() -> None:
    category = np.array([0, 0, 0, 1, 1], np.uint16)
    quality = np.array([0.2, 0.5, 0.49, np.nan, 0.95], np.float32)
    assert strata_of(category, quality).tolist() == [0, 1, 0, 3, 2]


def test_the_smallest_strata_are_one_where_places_do_not_go_round() -> None:
    strata = np.repeat([0, 1, 2, 3], [50, 1, 2, 30])
    assert merged(strata, 8).tolist() == strata.tolist()
    assert np.bincount(merged(strata, 6)).tolist() == [50, 3, 30]
    assert np.bincount(merged(strata, 3)).tolist() == [83]
    category, quality = np.arange(90, dtype=np.uint16), np.full(90, 0.9, np.float32)
    sample = draw(category, quality, 10, 1)
    assert share(np.ones(10, bool), np.array(sample.strata), sample.sizes) is not None


def test_a_sample_is_the_same_again_and_another_by_another_seed() -> None:
    category = np.arange(500, dtype=np.uint16) % 3
    quality = np.linspace(0, 1, 500, dtype=np.float32)
    one, again, other = (draw(category, quality, 60, seed) for seed in (7, 7, 8))
    assert one == again
    assert one.numbers != other.numbers
    assert len(set(one.numbers)) == 60
    assert sum(one.sizes) == 500
    with pytest.raises(ParameterError, match="nothing to draw, got 0"):
        draw(category, quality, 0, 7)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """300 samples of 60 out of 4,000 masks whose true values are known."""
    rng = np.random.default_rng(1)
    category = rng.choice(4, 4000, p=[0.6, 0.3, 0.07, 0.03]).astype(np.uint16)
    quality = rng.beta(5, 2, 4000).astype(np.float32)
    values = np.clip(quality + rng.normal(0, 0.15, 4000), 0, 1)
    good = values > 0.7
    held = np.zeros(2)
    for seed in range(300):
        sample = draw(category, quality, 60, seed)
        numbers, strata = list(sample.numbers), np.array(sample.strata)
        for k, (found, truth) in enumerate(
            (
                (share(good[numbers], strata, sample.sizes), good.mean()),
                (mean(values[numbers], strata, sample.sizes), values.mean()),
            )
        ):
            assert found is not None
            assert found.low is not None
            assert found.high is not None
            held[k] += found.low <= truth <= found.high
    assert (held / 300 > 0.93).all(), held / 300
