"""The filled annotated upright box as SAM's mask prompt: SAMRS's H-Box-M."""

from __future__ import annotations

import numpy as np

from samrs.prompting.hulls import hbb_outlines
from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = False


def build(boxes: Boxes) -> Prompt:
    """One mask a prompt: ``hbb``, clipped to the tile, filled."""
    return Prompt(fallback=np.zeros(len(boxes), dtype=bool), mask_polygons=hbb_outlines(boxes.hbb))
