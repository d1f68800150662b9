"""GrabCut in the box: the floor of a segmenter that looks at the image but has learnt nothing.

Rother et al., GrabCut (SIGGRAPH 2004), as in OpenCV, on a crop around the box.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle, crop_to_rle
from samrs.prompting.abilities import Abilities
from samrs.prompting.floor import Floor, on_cpu
from samrs.prompting.types import Floats
from samrs.weights.checkpoint import Checkpoint

MARGIN = 0.2
"""Background shown around the box, as a share of its longer side; the best of 0.1 to 2."""

MIN_MARGIN = 8
MAX_SIDE = 192
"""Crops with a longer side are reduced to this before GrabCut, whose cost grows with pixels."""

ITERATIONS = 5
SEED = 0


def _grabcut(image: NDArray[np.uint8], box: Floats) -> Rle:
    """The foreground inside a box, which may be empty."""
    height, width = image.shape[:2]
    margin = max(MARGIN * max(box[2] - box[0], box[3] - box[1]), MIN_MARGIN)
    x0, y0 = (int(max(v - margin, 0)) for v in box[:2])
    x1, y1 = (int(min(v + margin, side)) for v, side in zip(box[2:], (width, height), strict=True))
    crop = np.ascontiguousarray(image[y0:y1, x0:x1])
    scale = min(MAX_SIDE / max(crop.shape[:2]), 1.0)
    small = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    mask = np.full(small.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    left, top, right, bottom = np.rint((box - [x0, y0, x0, y0]) * scale).astype(int)
    high, wide = small.shape[:2]
    left, top = min(max(left, 0), wide - 1), min(max(top, 0), high - 1)  # the box may reach beyond
    mask[top : max(bottom, top + 1), left : max(right, left + 1)] = cv2.GC_PR_FGD
    if (mask == cv2.GC_BGD).any():  # a box that fills the tile leaves no background to learn
        colours = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.setRNGSeed(SEED)
        mode = cv2.GC_INIT_WITH_MASK  # which reads no rectangle
        cv2.grabCut(small, mask, (0, 0, 1, 1), *colours, ITERATIONS, mode)
    found = ((mask == cv2.GC_PR_FGD) | (mask == cv2.GC_FGD)).astype(np.uint8)
    size_wh = (crop.shape[1], crop.shape[0])
    whole = cv2.resize(found, size_wh, interpolation=cv2.INTER_NEAREST)
    return crop_to_rle(whole, x0, y0, (height, width))


ABILITIES = Abilities(frozenset({"boxes"}), only="boxes")

device = on_cpu


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> Floor:
    """The segmenter; the arguments are those of every segmenter and change nothing here."""
    return Floor("grabcut", "boxes_xyxy", _grabcut)
