"""Figures of an estimate: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from samrs.fit_quality.figures import calibration_error, figures, reliability

EVEN = np.linspace(0, 1, 101)


def test_an_estimate_that_is_the_truth_is_perfect() -> None:
    found = figures(EVEN, EVEN)
    assert (found["spearman"], found["pearson"], found["ece"]) == (1, 1, 0)
    assert (found["masks"], found["mean_iou"], found["mean_estimate"]) == (101, 0.5, 0.5)
    # 50 of 101 are below 0.5; the worst 6 are all of these
    assert found["bad_share"] == pytest.approx(50 / 101, abs=1e-4)
    assert found["worst_holds"] == found["worst_possible"] == pytest.approx(6 / 50)
    assert (found["kept"], found["mean_iou_kept"]) == (pytest.approx(51 / 101, abs=1e-4), 0.75)


def test_the_calibration_error_of_a_constant_shift_is_the_shift() -> None:
    iou = np.linspace(0.2, 0.6, 600)
    assert calibration_error(iou + 0.1, iou) == pytest.approx(0.1)
    assert calibration_error(iou - 0.1, iou) == pytest.approx(0.1)


def test_errors_of_opposite_sign_do_not_cancel_between_bins() -> None:
    iou = np.r_[np.full(50, 0.2), np.full(50, 0.8)]
    estimate = np.r_[np.full(50, 0.3), np.full(50, 0.7)]
    assert estimate.mean() == pytest.approx(iou.mean())
    assert calibration_error(estimate, iou, bins=2) == pytest.approx(0.1)


def test_bins_hold_equally_many_masks_in_rising_order() -> None:
    rng = np.random.default_rng(1)
    estimate = rng.permutation(np.arange(12) / 12)
    said, seen = reliability(estimate, estimate**2, bins=4)
    assert said.tolist() == pytest.approx([1 / 12, 4 / 12, 7 / 12, 10 / 12])
    assert seen[0] == pytest.approx((0 + 1 + 4) / 3 / 144)


def test_fewer_masks_than_bins_have_a_bin_each() -> None:
    said, _ = reliability(np.array([0.5, 0.1]), np.array([0.5, 0.1]))
    assert said.tolist() == [0.1, 0.5]


def test_what_does_not_vary_has_no_correlation() -> None:
    found = figures(np.full(5, 0.9), np.array([0.8, 0.9, 1, 0.7, 0.6]))
    assert found["spearman"] is None
    assert found["worst_holds"] is None
    assert found["bad_share"] == 0
