"""Soft masks to masks: logits above 0, as run-length encodings with their stability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle, crop_to_rle, empty_rle
from samrs.prompting.types import FLOOR, Answer, Prediction

BEYOND = 2 * FLOOR
"""Logit of what lies beyond the part that an answer holds."""


def to_prediction(answers: Iterable[Answer], size_hw: tuple[int, int]) -> Prediction:
    """The masks of soft masks of an image of ``size_hw`` px, which are not held together.

    Args:
        answers: one an instance, taken one at a time.
    """
    rles: list[Rle] = []
    scores: list[tuple[float, float, float]] = []
    for answer in answers:
        rle, stability = to_mask(answer, size_hw)
        rles.append(rle)
        scores.append((answer.predicted_iou, stability, answer.disagreement))
    table = np.array(scores, dtype=np.float64).reshape(-1, 3)
    return Prediction(rles, table[:, 0], table[:, 1], table[:, 2])


def to_mask(answer: Answer, size_hw: tuple[int, int]) -> tuple[Rle, float]:
    """The mask, and its stability score: the IoU of the masks cut at logits +1 and -1, as in
    SamAutomaticMaskGenerator; 0 where nothing is above -1.

    Args:
        answer: logits of the part of the image where they matter.
    """
    union = np.count_nonzero(answer.logits > FLOOR)
    if union == 0:
        return empty_rle(size_hw), 0.0
    rle = crop_to_rle(answer.logits > 0, answer.x0, answer.y0, size_hw)
    return rle, np.count_nonzero(answer.logits > -FLOOR) / union


def union_of(answers: Sequence[Answer]) -> tuple[NDArray[np.float32], int, int]:
    """K soft masks on one part of the image: logits (K, h, w), first column and first row.

    Args:
        answers: of one image, each of a part of it.
    """
    seen = [a for a in answers if a.logits.size]
    if not seen:
        return np.zeros((len(answers), 0, 0), np.float32), 0, 0
    x0, y0 = min(a.x0 for a in seen), min(a.y0 for a in seen)
    x1 = max(a.x0 + a.logits.shape[1] for a in seen)
    y1 = max(a.y0 + a.logits.shape[0] for a in seen)
    out = np.full((len(answers), y1 - y0, x1 - x0), BEYOND, np.float32)
    for part, a in zip(out, answers, strict=True):
        height, width = a.logits.shape
        part[a.y0 - y0 : a.y0 - y0 + height, a.x0 - x0 : a.x0 - x0 + width] = a.logits
    return out, x0, y0
