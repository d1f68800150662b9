"""The rotated box as a soft mask prompt: sure on its middle line, unsure at its border.

SAMRS's R-Box fills the rotated box with +1000, which says of every corner that it is the object's;
SAM was trained on its own logits, which fall off toward the border (Kirillov et al.,
arXiv:2304.02643, A). Given with a box: hbox+soft_rbox.
"""

from __future__ import annotations

import numpy as np

from samrs.prompting.hulls import hbb_outlines
from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = True
NEEDS_BOX = True

SLOPE = 8.0
"""Logit on the middle line; about that of SAM's own where it is sure."""


def build(boxes: Boxes) -> Prompt:
    """One soft mask a prompt: ``obb``; none, so that the box alone is asked, without ``obb``."""
    has_obb = boxes.has_obb
    outlines = np.where(has_obb[:, None, None], boxes.obb, hbb_outlines(boxes.hbb))
    slopes = np.where(has_obb, SLOPE, np.nan)
    return Prompt(fallback=~has_obb, mask_polygons=outlines, mask_slopes=slopes)
