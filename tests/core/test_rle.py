"""Run lengths: known answers, and the same bytes as pycocotools on any mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from samrs.core.rle import (
    crop_rle,
    crop_to_rle,
    empty_rle,
    hbb_to_rle,
    mask_to_rle,
    polygons_to_rle,
    rle_area,
    rle_intersection,
    rle_iou,
    rle_to_crop,
    rle_to_hbb,
    rle_to_mask,
    rle_union,
)

Mask = NDArray[np.bool_]
masks = st.tuples(st.integers(1, 24), st.integers(1, 24)).flatmap(lambda s: arrays(bool, s))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Mask, int, int, int, int]:
    """A mask and a window x0, y0, width, height inside it."""
    mask = draw(masks)
    height, width = mask.shape
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return mask, x0, y0, draw(st.integers(1, width - x0)), draw(st.integers(1, height - y0))


def test_ten_by_six_box_has_sixty_px() -> None:
    box = hbb_to_rle([4, 4, 14, 10], (30, 40))
    assert rle_area(box) == 60
    assert rle_to_hbb(box).tolist() == [4, 4, 14, 10]
    assert polygons_to_rle([[[4, 4], [14, 4], [14, 10], [4, 10]]], (30, 40)) == box


def test_union_of_polygons_counts_shared_px_once() -> None:
    left = [[0, 0], [10, 0], [10, 6], [0, 6]]
    right = [[5, 0], [15, 0], [15, 6], [5, 6]]
    assert rle_area(polygons_to_rle([left, right], (10, 20))) == 90


def test_iou_of_masks_sharing_a_third() -> None:
    a, b = hbb_to_rle([0, 0, 10, 10], (30, 40)), hbb_to_rle([5, 0, 15, 10], (30, 40))
    assert rle_iou([a], [b]).tolist() == [[1 / 3]]
    assert rle_intersection(a, b) == 50
    assert rle_iou([], [a]).shape == (0, 1)


def test_empty_mask_has_no_area_and_no_box() -> None:
    nothing = empty_rle((30, 40))
    assert rle_area(nothing) == 0
    assert rle_to_hbb(nothing).tolist() == [0, 0, 0, 0]
    assert rle_iou([nothing], [nothing]).tolist() == [[0]]


@pytest.mark.parametrize("value", [False, True])
def test_uniform_crops_of_full_height_are_canonical(value: bool) -> None:
    whole: Any = np.full((5, 4), value)
    assert crop_to_rle(whole, 0, 0, (5, 4)) == mask_to_rle(whole)


def test_crop_of_a_large_mask_is_that_window() -> None:
    mask = np.zeros((3000, 3000), bool)
    mask[100:2900, 200:2500] = True
    assert rle_to_crop(mask_to_rle(mask), 190, 90, 20, 20).sum() == 100


def test_window_beside_the_mask_is_empty() -> None:
    assert crop_rle(hbb_to_rle([4, 4, 14, 10], (30, 40)), 20, 0, 20, 30) == empty_rle((30, 20))


@given(masks)
def test_encoding_and_decoding_gives_the_mask_back(mask: Mask) -> None:
    rle = mask_to_rle(mask)
    assert np.array_equal(rle_to_mask(rle), mask)
    assert rle_area(rle) == mask.sum()


@settings(max_examples=150)
@given(masks, st.integers(0, 5), st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_crop_is_encoded_as_pycocotools_encodes_the_whole(
    crop: Mask, left: int, top: int, right: int, bottom: int
) -> None:
    whole = np.pad(crop, ((top, bottom), (left, right)))
    assert crop_to_rle(crop, left, top, whole.shape) == mask_to_rle(whole)


@given(masks, st.integers(1, 24))
def test_union_of_strips_is_the_whole(mask: Mask, rows: int) -> None:
    parts = [crop_to_rle(mask[y : y + rows], 0, y, mask.shape) for y in range(0, len(mask), rows)]
    assert rle_union(parts) == mask_to_rle(mask)


@settings(max_examples=150)
@given(windows())
def test_window_of_a_mask_is_that_part(case: tuple[Mask, int, int, int, int]) -> None:
    mask, x0, y0, width, height = case
    part = mask[y0 : y0 + height, x0 : x0 + width]
    assert np.array_equal(rle_to_crop(mask_to_rle(mask), x0, y0, width, height), part)
    assert crop_rle(mask_to_rle(mask), x0, y0, width, height) == mask_to_rle(part)
