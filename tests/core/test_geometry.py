"""Known answers and properties of boxes and polygons."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from samrs.core.geometry import (
    Array,
    clip_hbb,
    clockwise,
    hbb_area,
    hbb_iou,
    hbb_to_polygon,
    polygon_areas,
    polygon_to_hbb,
    rotated_box_to_polygon,
)

numbers = st.floats(-500, 500, allow_nan=False, width=32)
sides = st.floats(1, 300, allow_nan=False, width=32)
angles = st.floats(-pi, pi, allow_nan=False)


def polygon_area(polygon: Array) -> float:
    return float(polygon_areas(polygon[None])[0])


@st.composite
def hbbs(draw: st.DrawFn) -> Array:
    x, y, w, h = draw(numbers), draw(numbers), draw(sides), draw(sides)
    return np.array([x, y, x + w, y + h])


@st.composite
def obbs(draw: st.DrawFn) -> Array:
    return rotated_box_to_polygon(
        draw(numbers), draw(numbers), draw(sides), draw(sides), draw(angles)
    )


def test_ten_by_six_box_has_area_sixty() -> None:
    box = [4, 4, 14, 10]
    assert hbb_area(box) == 60
    assert polygon_area(hbb_to_polygon(box)) == 60


def test_inverted_box_has_no_area() -> None:
    assert hbb_area([14, 4, 4, 10]) == 0
    assert hbb_area([14, 10, 4, 4]) == 0


def test_area_is_exact_far_from_the_origin() -> None:
    assert polygon_area(np.array([[0, 0], [10, 0], [10, 6], [0, 6]]) + 1e7) == 60


def test_iou_of_boxes_sharing_a_third() -> None:
    assert hbb_iou([0, 0, 10, 10], [[5, 0, 15, 10], [20, 20, 30, 30]]).tolist() == [[1 / 3, 0]]


def test_iou_of_empty_boxes_is_zero() -> None:
    assert hbb_iou([1, 1, 1, 1], [1, 1, 1, 1]).tolist() == [[0]]
    assert hbb_iou([], [1, 1, 2, 2]).shape == (0, 1)


def test_square_turned_by_an_eighth_is_a_diamond() -> None:
    diamond = rotated_box_to_polygon(0, 0, 2, 2, pi / 4)
    assert polygon_to_hbb(diamond) == pytest.approx([-sqrt(2), -sqrt(2), sqrt(2), sqrt(2)])


def test_positive_angle_turns_clockwise_on_screen() -> None:
    front = rotated_box_to_polygon(0, 0, 10, 2, pi / 2)[1:3].mean(axis=0)
    assert front == pytest.approx([0, 5]), "the x axis points down"


def test_counter_clockwise_corners_are_turned_round() -> None:
    corners = [[4, 4], [4, 10], [14, 10], [14, 4]]
    assert clockwise(corners).tolist() == [[4, 4], [14, 4], [14, 10], [4, 10]]


@given(hbbs(), sides, sides)
def test_clipped_box_lies_in_the_image_and_in_itself(
    hbb: Array, width: float, height: float
) -> None:
    clipped = clip_hbb(hbb, (width, height))
    assert (clipped >= 0).all()
    assert (clipped <= [width, height, width, height]).all()
    assert hbb_area(clipped) <= hbb_area(hbb) + 1e-6


@given(obbs())
def test_rotated_box_is_clockwise_of_its_size_and_inside_its_hull(obb: Array) -> None:
    assert np.array_equal(clockwise(obb), obb)
    assert polygon_area(obb) > 0
    assert polygon_area(obb) <= hbb_area(polygon_to_hbb(obb)) * (1 + 1e-9) + 1e-9


@given(obbs(), st.booleans(), st.integers(0, 3))
def test_clockwise_keeps_the_first_corner_and_the_area(obb: Array, back: bool, start: int) -> None:
    given_corners = np.roll(obb[::-1] if back else obb, start, axis=0)
    turned = clockwise(given_corners)
    assert np.array_equal(turned[0], given_corners[0])
    assert polygon_area(turned) == pytest.approx(polygon_area(obb))
    assert np.array_equal(clockwise(turned), turned)


@given(arrays(np.float64, (5, 4), elements=st.integers(-50, 50)))
def test_iou_is_symmetric_and_one_with_itself(boxes: Array) -> None:
    boxes[:, 2:] = boxes[:, :2] + np.abs(boxes[:, 2:]) + 1
    iou = hbb_iou(boxes, boxes)
    assert np.array_equal(iou, iou.T)
    assert (np.diag(iou) == 1).all()


@given(hbbs())
def test_box_polygon_and_rotated_box_are_the_same_thing_three_ways(hbb: Array) -> None:
    polygon = hbb_to_polygon(hbb)
    assert np.array_equal(polygon_to_hbb(polygon), hbb)
    assert polygon_area(polygon) == pytest.approx(hbb_area(hbb), rel=1e-9)
    centre, size = (hbb[:2] + hbb[2:]) / 2, hbb[2:] - hbb[:2]
    flat = rotated_box_to_polygon(*centre, *size, 0.0)
    assert np.abs(flat - polygon).max() < 1e-6
    upright = rotated_box_to_polygon(*centre, size[1], size[0], pi / 2)
    assert np.abs(polygon_to_hbb(upright) - hbb).max() < 1e-6


@given(numbers, numbers, sides, sides, angles)
def test_centre_sides_and_angle_come_back_from_the_corners(
    cx: float, cy: float, w: float, h: float, angle: float
) -> None:
    corners = rotated_box_to_polygon(cx, cy, w, h, angle)
    assert np.abs(corners.mean(axis=0) - (cx, cy)).max() < 1e-6
    across, down = corners[1] - corners[0], corners[3] - corners[0]
    assert (np.hypot(*across), np.hypot(*down)) == pytest.approx((w, h), abs=1e-6)
    assert np.hypot(np.cos(angle) - across[0] / w, np.sin(angle) - across[1] / w) < 1e-6
    assert np.abs(polygon_to_hbb(corners)[:2] - corners.min(axis=0)).max() == 0
