"""Scores of masks against their boxes: known answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from samrs.core.geometry import hbb_to_polygon
from samrs.core.rle import empty_rle, hbb_to_rle, mask_to_rle
from samrs.label.scores import count_components, mask_scores

SIZE = (40, 60)


def test_a_mask_that_fills_its_box_scores_one() -> None:
    box = [10.0, 5, 20, 11]
    scores = mask_scores(hbb_to_rle(box, SIZE), box, hbb_to_polygon(box))
    assert scores == {
        "area": 60,
        "mask_hbb": box,
        "box_iou": 1.0,
        "obb_iou": 1.0,
        "outside": 0.0,
        "components": 1,
    }


def test_a_mask_twice_its_box_is_half_outside() -> None:
    scores = mask_scores(hbb_to_rle([10, 5, 30, 11], SIZE), [10, 5, 20, 11], None)
    assert scores["outside"] == 0.5
    assert scores["box_iou"] == 0.5
    assert scores["obb_iou"] is None


def test_an_empty_mask_scores_zero() -> None:
    scores = mask_scores(empty_rle(SIZE), [10, 5, 20, 11], hbb_to_polygon([10, 5, 20, 11]))
    assert scores["mask_hbb"] == [0, 0, 0, 0]
    assert [scores[k] for k in ("area", "box_iou", "obb_iou", "outside", "components")] == [0] * 5


@pytest.mark.parametrize(
    ("pixels", "parts"),
    [([(1, 1), (2, 2)], 1), ([(1, 1), (1, 3)], 2), ([(0, 0), (39, 59), (20, 20)], 3)],
    ids=["corners touch", "a gap", "far apart"],
)
def test_components_are_8_connected(pixels: list[tuple[int, int]], parts: int) -> None:
    mask = np.zeros(SIZE, dtype=bool)
    mask[tuple(np.transpose(pixels))] = True
    assert count_components(mask_to_rle(mask)) == parts


@given(
    st.integers(0, 2**32 - 1),
    st.tuples(st.integers(1, 40), st.integers(1, 60)),
    st.sampled_from([0.05, 0.5, 1.0]),
)
def test_components_of_masks_of_any_width_are_those_of_the_whole_tile(
    seed: int, part_hw: tuple[int, int], share: float
) -> None:
    """Narrow masks are decoded alone, wide ones with their tile."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(SIZE, dtype=bool)
    y, x = (int(rng.integers(0, n - k + 1)) for n, k in zip(SIZE, part_hw, strict=True))
    mask[y : y + part_hw[0], x : x + part_hw[1]] = rng.random(part_hw) < share
    _, parts = ndimage.label(mask, structure=np.ones((3, 3)))
    assert count_components(mask_to_rle(mask)) == parts


def test_a_small_mask_on_a_large_tile_is_not_unpacked_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "samrs.label.scores.rle_to_mask", lambda rle: pytest.fail("whole tile decoded")
    )
    box = [3000.0, 2000, 3030, 2040]
    assert mask_scores(hbb_to_rle(box, (4000, 4000)), box, None)["components"] == 1
