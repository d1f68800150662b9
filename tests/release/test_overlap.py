from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, ProductError
from samrs.core.rle import Rle, empty_rle, hbb_to_rle
from samrs.core.runs import rle_runs
from samrs.release.overlap import RULES, check_masks, check_rule, paint
from tests.release import one_by_one

SIZE = (20, 30)
SMALL = hbb_to_rle((4, 4, 8, 8), SIZE)  # 16 px
LARGE = hbb_to_rle((2, 2, 12, 12), SIZE)  # 100 px, over all of SMALL


def painted(masks: Sequence[Rle], values: Sequence[int], rule: str) -> NDArray[np.integer]:
    """One tile's map of whole numbers, 70,000 under no mask."""
    tiles, sizes_hw = np.zeros(len(masks), np.int64), np.array([SIZE])
    runs = rle_runs(masks)
    check_masks("here", runs, tiles, sizes_hw)
    order, numbers = RULES[rule], np.array(values, np.int32)
    return paint(runs, tiles, sizes_hw, numbers, order=order, background=70_000).reshape(SIZE)


@pytest.mark.parametrize(
    ("rule", "masks", "labels", "winner"),
    [
        ("smaller_on_top", [SMALL, LARGE], [1, 2], 1),
        ("smaller_on_top", [LARGE, SMALL], [2, 1], 1),
        ("larger_on_top", [SMALL, LARGE], [1, 2], 2),
        ("larger_on_top", [LARGE, SMALL], [2, 1], 2),
        ("annotation_order", [SMALL, LARGE], [1, 2], 2),
        ("annotation_order", [LARGE, SMALL], [2, 1], 1),
    ],
)
def test_rule_decides_the_label_where_masks_overlap(rule, masks, labels, winner):
    labels_of_px = painted(masks, labels, rule)
    assert labels_of_px[5, 5] == winner
    assert labels_of_px[10, 10] == 2
    assert labels_of_px[15, 20] == 70_000
    alone, over, contested = one_by_one.paint(masks, labels, SIZE, rule)
    assert (np.where(alone == 255, 70_000, alone.astype(int)) == labels_of_px).all()
    assert (over, contested) == (16, 16)


@pytest.mark.parametrize("rule", RULES)
def test_later_annotation_is_on_top_of_an_equally_large_earlier_one(rule):
    assert painted([SMALL, SMALL], [3, 4], rule)[5, 5] == 4


def test_overlap_within_a_class_is_overpainted_but_not_contested():
    assert one_by_one.paint([LARGE, SMALL], [1, 1], SIZE, "smaller_on_top")[1:] == (16, 0)


def test_three_masks_of_two_classes_contest_a_pixel_once():
    masks = [SMALL, LARGE, SMALL]
    assert one_by_one.paint(masks, [1, 2, 1], SIZE, "annotation_order")[1:] == (16, 16)


def test_no_mask_and_empty_masks_paint_nothing():
    for masks, labels in ([], []), ([empty_rle(SIZE)], [0]):
        assert (painted(masks, labels, "smaller_on_top") == 70_000).all()


def test_unknown_rule_is_refused_by_name():
    with pytest.raises(ParameterError, match=r"unknown rule, got 'random'.*smaller_on_top"):
        check_rule("random")


@pytest.mark.parametrize("bad", [hbb_to_rle((0, 0, 2, 2), (20, 31)), {"counts": "o" * 30}])
def test_a_mask_that_is_none_of_its_tile_is_refused(bad):
    with pytest.raises(ProductError, match=r"here: 1 masks do not decode .*got mask 1;"):
        painted([SMALL, bad], [1, 2], "annotation_order")
