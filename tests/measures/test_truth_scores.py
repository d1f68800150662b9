"""Scores against a true mask: squares whose answers can be counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.geometry import rotated_box_to_polygon
from samrs.core.rle import Rle, empty_rle, hbb_to_rle, mask_to_rle, polygons_to_rle, rle_to_mask
from samrs.measures.truth_scores import boundary_f, tolerance, truth_scores

SIZE = (60, 80)


def box(x0: int, y0: int, x1: int, y1: int) -> Rle:
    return hbb_to_rle((x0, y0, x1, y1), SIZE)


def test_a_mask_that_is_the_truth_scores_one() -> None:
    truth = box(10, 10, 30, 20)
    found = truth_scores(truth, truth)
    assert found == {
        "iou": 1.0,
        "intersection": 200,
        "union": 200,
        "true_area": 200,
        "precision": 1.0,
        "recall": 1.0,
        "boundary_f": 1.0,
    }


def test_half_of_the_truth_is_precise_and_recalls_half() -> None:
    found = truth_scores(box(10, 10, 20, 20), box(10, 10, 30, 20))
    assert (found["precision"], found["recall"], found["iou"]) == (1.0, 0.5, 0.5)


def test_an_empty_mask_scores_nothing() -> None:
    found = truth_scores(empty_rle(SIZE), box(10, 10, 30, 20))
    assert found == {**dict.fromkeys(found, 0), "union": 200, "true_area": 200}


def test_the_tolerance_is_two_per_cent_of_the_diagonal_and_at_least_a_pixel() -> None:
    assert tolerance(box(0, 0, 3, 4)) == 1
    assert tolerance(hbb_to_rle((0, 0, 300, 400), (500, 500))) == pytest.approx(10)


def test_an_outline_one_pixel_off_is_right() -> None:
    assert boundary_f(box(11, 10, 31, 30), box(10, 10, 30, 30)) == 1


def test_an_outline_three_pixels_off_is_right_where_the_edges_run_on() -> None:
    # 20 x 20 px, moved by 3: of 76 outline pixels 18 of 20 above and below are right, and of the
    # sides the two that lie next to the other's upper and lower edge.
    assert boundary_f(box(13, 10, 33, 30), box(10, 10, 30, 30)) == pytest.approx(38 / 76)


def test_far_outlines_score_nothing() -> None:
    assert boundary_f(box(0, 0, 10, 10), box(40, 40, 60, 60)) == 0


def test_the_edge_of_the_image_is_an_outline_of_both() -> None:
    assert boundary_f(box(0, 0, 20, 20), box(0, 0, 20, 20)) == 1


@given(
    st.integers(5, 70), st.integers(5, 50), st.integers(3, 25), st.integers(3, 25),
    st.floats(0, 3.14), st.integers(1, 9),
)  # fmt: skip
def test_boundary_f_is_a_share_that_does_not_change_when_masks_swap_or_turn(
    cx: int, cy: int, w: int, h: int, angle: float, off: int
) -> None:
    one = polygons_to_rle([rotated_box_to_polygon(cx, cy, w + 4, h + 4, angle)], SIZE)
    other = box(cx - 3, cy - 3, min(cx + off, 80), min(cy + off, 60))
    value = boundary_f(one, other)
    assert 0 <= value <= 1
    turned = [mask_to_rle(rle_to_mask(rle).T) for rle in (one, other)]
    assert boundary_f(*turned) == pytest.approx(value)
    assert boundary_f(one, one) == 1
