"""Five slightly different boxes asked for, and the mean of their masks.

Annotators' boxes are a few px off, and a good mask should not hang on these. The spread of the
answers is an uncertainty: SAM-U (Deng et al., MICCAI 2023, arXiv:2307.04973) asks with several
boxes and takes both from them. The boxes are fixed shares of the annotated one, not random.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from samrs.core.geometry import clip_hbb, hbb_area
from samrs.prompting.soft_masks import union_of
from samrs.prompting.types import Answer, Boxes, Floats
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 2
ASKS = 5
EXTRA_PASSES = False
WANTS = ("soft",)

STEP = 0.05
"""Of a box's width and height, by which it is grown, shrunk and moved."""
CHANGES = ((0, 0, 0), (STEP, 0, 0), (-STEP, 0, 0), (0, STEP, -STEP), (0, -STEP, STEP))
"""Growth, move to the right, move down."""
LIMIT = 6.0
"""Logits beyond this are as sure as can be: one answer must not outweigh four."""


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """The mean answers, with the mean of 1 - IoU of each with their mean as ``disagreement``.

    Args:
        inner: how each of the five boxes is asked about.
    """
    several = [inner.answers(view, _changed(boxes, *change)) for change in CHANGES]
    for few in zip(*several, strict=True):
        yield _mean(few)


def _changed(boxes: Boxes, growth: float, right: float, down: float) -> Boxes:
    hbb = np.array([_moved(box, growth, right, down, boxes.size_hw) for box in boxes.hbb])
    sides = boxes.hbb[:, None, 2:] - boxes.hbb[:, None, :2]
    middles = boxes.obb.mean(axis=1, keepdims=True)
    obb = middles + (boxes.obb - middles) * (1 + growth) + sides * [right, down]
    return Boxes(hbb.reshape(-1, 4), obb, boxes.size_hw)


def _moved(
    box: Floats, growth: float, right: float, down: float, size_hw: tuple[int, int]
) -> Floats:
    width, height = box[2:] - box[:2]
    grown = np.array([-width, -height, width, height]) * growth / 2
    moved = clip_hbb(box + grown + np.tile([width * right, height * down], 2), size_hw[::-1])
    return moved if hbb_area(moved) > 0 else box


def _mean(few: Sequence[Answer]) -> Answer:
    stack, x0, y0 = union_of(few)
    stack = stack.clip(-LIMIT, LIMIT)
    mean = stack.mean(axis=0)
    both = np.count_nonzero((stack > 0) & (mean > 0), axis=(1, 2))
    either = np.count_nonzero((stack > 0) | (mean > 0), axis=(1, 2))
    apart = np.where(either > 0, 1 - both / np.maximum(either, 1), 0.0)
    predicted = float(np.mean([answer.predicted_iou for answer in few]))
    return replace(
        few[0], logits=mean, x0=x0, y0=y0, predicted_iou=predicted, frame_logits=None,
        disagreement=float(apart.mean()),
    )  # fmt: skip
