from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from samrs.core.geometry import clockwise, polygon_areas
from samrs.core.rle import hbb_to_rle, mask_to_rle, polygons_to_rle, rle_to_mask
from samrs.export.outlines import (
    bridged,
    join_rings,
    rings_by_part,
    rle_corners,
    rle_rings,
    rle_to_obb,
    simple_rings,
)

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=24))


def filled(ring: list[tuple[int, int]], size_hw: tuple[int, int]) -> np.ndarray:
    """Even-odd rule at the pixels' centres: a pixel is in when a ray to its left crosses oddly."""
    ys, xs = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    inside = np.zeros(size_hw, dtype=bool)
    for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
        if y0 != y1:
            crosses = (y0 > ys) != (y1 > ys)
            inside ^= crosses & (xs > x0 + (ys - y0) * (x1 - x0) / (y1 - y0))
    return inside


def test_a_box_has_its_four_corners():
    rle = hbb_to_rle((3, 4, 13, 10), (20, 30))
    assert rle_corners(rle).tolist() == [[3, 4], [3, 10], [13, 4], [13, 10]]
    (ring,) = rle_rings(rle)
    assert sorted(ring) == [(3, 4), (3, 10), (13, 4), (13, 10)]


def test_a_hole_is_a_ring_of_its_own():
    mask = np.ones((9, 9), dtype=bool)
    mask[3:6, 3:6] = False
    assert sorted(map(len, rle_rings(mask_to_rle(mask)))) == [4, 4]


def test_an_empty_mask_has_no_outline():
    rle = mask_to_rle(np.zeros((5, 7), dtype=bool))
    assert rle_rings(rle) == []
    assert join_rings([]) == []


def enclosed(ring: list[tuple[float, float]]) -> float:
    """Area inside a ring that does not cross itself, px."""
    x, y = np.array(ring).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


@given(MASKS)
def test_simple_rings_make_up_the_mask_without_holes_or_touching_themselves(mask):
    rings = simple_rings(mask_to_rle(mask))
    assert all(len(set(ring)) == len(ring) for ring in rings)  # no corner twice
    assert sum(map(enclosed, rings)) == mask.sum()  # nothing twice, no hole
    if rings:
        polygons = [np.array(ring) for ring in rings]
        assert (rle_to_mask(polygons_to_rle(polygons, mask.shape)) == mask).all()


def test_a_part_is_cut_as_seldom_as_will_do():
    comb = np.ones((9, 20), dtype=bool)
    comb[1:8:2, 3:15] = False  # four holes one above the other: one cut opens all of them
    assert len(simple_rings(mask_to_rle(comb))) == 2
    apart = np.ones((5, 20), dtype=bool)
    apart[2, [3, 9, 15]] = False
    assert len(simple_rings(mask_to_rle(apart))) == 4
    whole = np.ones((5, 20), dtype=bool)
    whole[0, 4:8] = False  # a notch is no hole
    assert len(simple_rings(mask_to_rle(whole))) == 1


@given(MASKS)
def test_joined_outline_painted_by_pycocotools_is_the_mask(mask):
    ring = join_rings(rle_rings(mask_to_rle(mask)))
    if ring:
        assert (rle_to_mask(polygons_to_rle([np.array(ring)], mask.shape)) == mask).all()
    else:
        assert not mask.any()


@given(MASKS)
def test_an_inset_outline_painted_by_pycocotools_is_the_mask(mask):
    ring = join_rings(rle_rings(mask_to_rle(mask), 0.05))
    if ring:
        assert (rle_to_mask(polygons_to_rle([np.array(ring)], mask.shape)) == mask).all()


@given(MASKS)
def test_an_inset_outline_painted_by_opencv_is_the_mask(mask):
    """But for bridges, and for the pixel that OpenCV adds where two touch at a corner only."""
    parts, count = ndimage.label(mask)
    for part in range(1, count + 1):
        alone = ndimage.binary_fill_holes(parts == part)
        rings = rle_rings(mask_to_rle(alone), 0.05)
        if len(rings) == 1 and not any(crosses_itself(alone)):
            painted = cv2.fillPoly(
                np.zeros(mask.shape, np.uint8), [np.array(rings[0]).astype(int)], 1
            )
            assert (painted == alone).all()


def crosses_itself(mask: np.ndarray) -> list[bool]:
    a, b, c, d = mask[:-1, :-1], mask[:-1, 1:], mask[1:, :-1], mask[1:, 1:]
    return ((a == d) & (b == c) & (a != b)).ravel().tolist()


@given(MASKS)
def test_parts_have_their_own_rings_and_areas(mask):
    found = rings_by_part(mask_to_rle(mask))
    assert sum(area for area, _ in found) == mask.sum()
    assert len(found) == ndimage.label(mask, np.ones((3, 3)))[1]
    assert [area for area, _ in found] == sorted((area for area, _ in found), reverse=True)
    union = np.zeros(mask.shape, dtype=bool)
    for area, rings in found:
        part = filled(join_rings(rings), mask.shape)
        assert part.sum() == area
        union |= part
    assert (union == mask).all()


def test_equal_parts_come_in_the_order_of_their_first_pixels():
    mask = np.zeros((4, 8), dtype=bool)
    mask[0, [1, 3]] = mask[1, [5, 7]] = mask[2, 0] = True  # blocks of 2 x 2 would tell otherwise
    assert [rings[0][0] for _, rings in rings_by_part(mask_to_rle(mask))] == [
        (1, 0), (3, 0), (5, 1), (7, 1), (0, 2)
    ]  # fmt: skip


def test_a_bridge_is_as_long_as_the_gap():
    left, right = ([(x, 0), (x, 4), (x + 4, 4), (x + 4, 0)] for x in (0.0, 10.0))
    ring, length = bridged(left, right)
    assert length == 6
    assert filled(ring, (4, 14)).sum() == 32


@given(MASKS)
def test_joined_outline_filled_by_the_even_odd_rule_is_the_mask(mask):
    ring = join_rings(rle_rings(mask_to_rle(mask)))
    assert (filled(ring, mask.shape) == mask).all()


@given(MASKS)
def test_sides_of_a_ring_are_upright_or_level_in_turn(mask):
    for ring in rle_rings(mask_to_rle(mask)):
        steps = np.diff(np.array([*ring, ring[0]]), axis=0)
        assert (steps[::2, 0] == 0).all()
        assert (steps[1::2, 1] == 0).all()
        assert (np.abs(steps).sum(axis=1) > 0).all()


@given(MASKS)
def test_rings_are_the_parts_and_the_holes(mask):
    parts = ndimage.label(mask, np.ones((3, 3)))[1]
    holes = ndimage.label(~np.pad(mask, 1))[1] - 1
    assert len(rle_rings(mask_to_rle(mask))) == parts + holes


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.0, 2.2])
def test_rotated_rectangle_of_a_drawn_one_is_it(angle):
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-60, -20], [60, -20], [60, 20], [-60, 20]]) @ turn + 100
    found = rle_to_obb(polygons_to_rle([corners], (200, 200)))
    assert polygon_areas(np.asarray(found)[None])[0] == pytest.approx(120 * 40, rel=0.06)
    apart = np.linalg.norm(found[:, None] - corners, axis=2).min(axis=0)
    assert apart.max() < 3


@given(MASKS.filter(lambda mask: mask.any()))
def test_rotated_rectangle_covers_every_pixel(mask):
    box = rle_to_obb(mask_to_rle(mask))
    assert (clockwise(box) == box).all()
    rows, columns = np.nonzero(mask)
    pixels = np.concatenate([np.stack([columns + i, rows + k], 1) for i in (0, 1) for k in (0, 1)])
    for start, end in zip(box, np.roll(box, -1, axis=0), strict=True):
        along, to = end - start, pixels - start
        side = along[0] * to[:, 1] - along[1] * to[:, 0]
        assert (side >= -1e-3 * (1 + np.hypot(*along))).all()
