"""Every instance asked at two sizes, and of both masks the one that is surer of its outline and
agrees better with the box.

Which size is best differs by what is shown: nano answers about planes best where they have 128 px
of its frame, about baseball diamonds where they have 64. The first size is that of ``fit``, the
second half of it, in crops of half the side, sixteen to the quarter of a picture. A mask is as sure
as its stability score says; SAM's own estimate of its IoU tells the two apart less well.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from samrs.core.geometry import hbb_iou
from samrs.core.rle import rle_area, rle_to_hbb
from samrs.prompting.crops import TARGET, alone_at_target, fitting
from samrs.prompting.mosaic import ask_in_pieces
from samrs.prompting.soft_masks import to_mask
from samrs.prompting.types import Answer, Boxes, Floats
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 3
ASKS = 2
EXTRA_PASSES = True
WANTS = ("soft",)
SIZES = (64, 384)


def answers(inner: Asking, view: View, boxes: Boxes, size: float = TARGET) -> Iterator[Answer]:
    """The better of each instance's two answers; the first of equals.

    Args:
        inner: how a crop, or the tile, is asked about.
        size: px of the model's frame that an instance's longer side is first brought to.
    """
    every = np.ones(len(boxes), dtype=bool)
    first = ask_in_pieces(inner, view, boxes, fitting(boxes, size, view.part))
    second = ask_in_pieces(inner, view, boxes, alone_at_target(boxes, every, size / 2))
    for one, other, hbb in zip(first, second, boxes.hbb, strict=True):
        better = _worth(other, hbb, boxes.size_hw) > _worth(one, hbb, boxes.size_hw)
        yield other if better else one


def _worth(answer: Answer, hbb: Floats, size_hw: tuple[int, int]) -> float:
    """Stability of a mask, and the IoU of its box with the one asked about; -1 of an empty one."""
    rle, stability = to_mask(answer, size_hw)
    return stability + float(hbb_iou(rle_to_hbb(rle), hbb)[0, 0]) if rle_area(rle) else -1.0
