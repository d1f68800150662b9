from __future__ import annotations

import numpy as np
import pytest

from samrs.core.errors import ParameterError
from samrs.core.rle import empty_rle, hbb_to_rle
from samrs.release.overlap import paint

SIZE = (20, 30)
SMALL = hbb_to_rle((4, 4, 8, 8), SIZE)  # 16 px
LARGE = hbb_to_rle((2, 2, 12, 12), SIZE)  # 100 px, over all of SMALL


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
    painted = paint(masks, labels, SIZE, rule)
    assert painted.labels[5, 5] == winner
    assert painted.labels[10, 10] == 2
    assert painted.labels[15, 20] == 255
    assert (painted.overpainted, painted.contested) == (16, 16)


@pytest.mark.parametrize("rule", ["smaller_on_top", "larger_on_top", "annotation_order"])
def test_later_annotation_is_on_top_of_an_equally_large_earlier_one(rule):
    painted = paint([SMALL, SMALL], [3, 4], SIZE, rule)
    assert painted.labels[5, 5] == 4


def test_overlap_within_a_class_is_overpainted_but_not_contested():
    painted = paint([LARGE, SMALL], [1, 1], SIZE, "smaller_on_top")
    assert (painted.overpainted, painted.contested) == (16, 0)


def test_three_masks_of_two_classes_contest_a_pixel_once():
    painted = paint([SMALL, LARGE, SMALL], [1, 2, 1], SIZE, "annotation_order")
    assert (painted.overpainted, painted.contested) == (16, 16)


def test_no_mask_and_empty_masks_leave_every_pixel_unlabelled():
    for masks, labels in ([], []), ([empty_rle(SIZE)], [0]):
        painted = paint(masks, labels, SIZE, "smaller_on_top")
        assert painted.labels.shape == SIZE
        assert painted.labels.dtype == np.uint8
        assert (painted.labels == 255).all()


def test_unknown_rule_is_refused_by_name():
    with pytest.raises(ParameterError, match=r"unknown rule, got 'random'.*smaller_on_top"):
        paint([], [], SIZE, "random")
