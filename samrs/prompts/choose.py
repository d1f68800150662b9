"""SAM's three masks asked for, and of these the one that agrees best with the rotated box.

SAM answers an ambiguous prompt with whole, part and subpart (Kirillov et al., arXiv:2304.02643, 3).
The annotated box says which is meant. Without a rotated box the upright one decides, by the box
around the mask: a filled upright box is no likeness of an object that lies askew.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from samrs.core.geometry import hbb_iou
from samrs.core.rle import polygons_to_rle, rle_iou, rle_to_hbb
from samrs.prompting.soft_masks import to_mask
from samrs.prompting.types import Answer, Boxes, Floats
from samrs.prompting.view import Asking, View

NEEDS_OBB = True
RANK = 0
ASKS = 1
EXTRA_PASSES = False
WANTS = ("soft", "several")


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """The best of each instance's candidates; the first of equals.

    Args:
        inner: how candidates are asked for.
    """
    candidates = view.candidates(inner.build(boxes))
    for few, hbb, obb in zip(candidates, boxes.hbb, boxes.obb, strict=True):
        agreements = [_agreement(answer, hbb, obb, boxes.size_hw) for answer in few]
        yield few[int(np.argmax(agreements))]


def _agreement(answer: Answer, hbb: Floats, obb: Floats, size_hw: tuple[int, int]) -> float:
    rle, _ = to_mask(answer, size_hw)
    if np.isfinite(obb).all():
        return float(rle_iou([rle], [polygons_to_rle([obb], size_hw)])[0, 0])
    return float(hbb_iou(rle_to_hbb(rle), hbb)[0, 0])
