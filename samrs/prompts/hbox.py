"""The annotated upright box as SAM's box prompt: SAMRS's H-Box, its choice for SOTA and SIOR."""

from __future__ import annotations

import numpy as np

from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = False


def build(boxes: Boxes) -> Prompt:
    """One box a prompt: ``hbb``, clipped to the tile (SAMRS left boxes beyond the border)."""
    return Prompt(fallback=np.zeros(len(boxes), dtype=bool), boxes_xyxy=boxes.hbb)
