"""The annotated upright box, grown by a tenth, as SAM's box prompt.

Tight boxes cut what SAM sees of an object's border, and annotators' boxes are often a px short. How
SAM's masks depend on shifted and grown boxes is measured in Huang et al. (arXiv:2304.14660).
"""

from __future__ import annotations

import numpy as np

from samrs.core.geometry import clip_hbb
from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = False

GROWTH = 0.10
"""Of width and height."""


def build(boxes: Boxes) -> Prompt:
    """One box a prompt: ``hbb`` grown about its centre, clipped to the image."""
    half = (boxes.hbb[:, 2:] - boxes.hbb[:, :2]) * GROWTH / 2
    grown = boxes.hbb + np.concatenate([-half, half], axis=1)
    clipped = [clip_hbb(box, boxes.size_hw[::-1]) for box in grown]
    return Prompt(
        fallback=np.zeros(len(boxes), dtype=bool), boxes_xyxy=np.array(clipped).reshape(-1, 4)
    )
