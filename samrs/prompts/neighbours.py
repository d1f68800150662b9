"""Points in the middle of neighbouring instances, which are not the object's.

Where objects stand close, SAM's mask runs over to the next one. The others' boxes are known: their
centres are background points. What single points inside and outside an object say of its mask is
shown by Cheng et al., Pointly-Supervised Instance Segmentation (arXiv:2104.06404).
Given with a box: hbox+neighbours.
"""

from __future__ import annotations

import numpy as np

from samrs.prompting.types import NO_POINT, POINT_OUTSIDE, Boxes, Floats, Prompt

NEEDS_OBB = False
NEEDS_BOX = True

MOST = 4
REACH = 0.75
"""Of the box's sides from its middle: neighbours whose centre is nearer are asked around."""
WITHIN = 0.5
"""A neighbour whose box holds this share of the object's is what it stands on, not beside it."""


def build(boxes: Boxes) -> Prompt:
    """Up to four points a prompt, nearest first."""
    points = np.zeros((len(boxes), MOST, 2))
    labels = np.full((len(boxes), MOST), NO_POINT, dtype=np.int64)
    centres = (boxes.hbb[:, :2] + boxes.hbb[:, 2:]) / 2
    for i in range(len(boxes)):
        near = _near(i, boxes.hbb, centres)
        points[i, : len(near)] = centres[near]
        labels[i, : len(near)] = POINT_OUTSIDE
    return Prompt(fallback=np.zeros(len(boxes), dtype=bool), points_xy=points, point_labels=labels)


def _near(i: int, hbb: Floats, centres: Floats) -> list[int]:
    box = hbb[i]
    size = np.maximum(box[2:] - box[:2], 1e-9)
    away = (np.abs(centres - centres[i]) / size).max(axis=1)
    shared = np.minimum(hbb[:, 2:], box[2:]) - np.maximum(hbb[:, :2], box[:2])
    overlap = np.prod(np.maximum(shared, 0), axis=1)
    smaller = np.minimum(np.prod(size), np.prod(hbb[:, 2:] - hbb[:, :2], axis=1))
    beside = (away <= REACH) & (overlap < WITHIN * smaller)
    beside[i] = False
    order = np.argsort(away, kind="stable")
    return [int(k) for k in order if beside[k]][:MOST]
