"""The filled rotated box as SAM's mask prompt: SAMRS's R-Box.

SAM's box encoder takes upright boxes only, so a rotated one goes in as a mask.
"""

from __future__ import annotations

import numpy as np

from samrs.prompting.hulls import hbb_outlines
from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = True


def build(boxes: Boxes) -> Prompt:
    """One mask a prompt: ``obb`` filled; ``hbb`` filled where there is no ``obb``."""
    has_obb = boxes.has_obb
    outlines = np.where(has_obb[:, None, None], boxes.obb, hbb_outlines(boxes.hbb))
    return Prompt(fallback=~has_obb, mask_polygons=outlines)
