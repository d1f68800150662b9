"""The upright hull of the rotated box as SAM's box prompt: SAMRS's RH-Box, its choice for FAST."""

from __future__ import annotations

from samrs.prompting.hulls import obb_hulls
from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = True


def build(boxes: Boxes) -> Prompt:
    """One box a prompt: the hull of ``obb`` cut to the tile; ``hbb`` where there is no ``obb``."""
    hulls, fallback = obb_hulls(boxes)
    return Prompt(fallback=fallback, boxes_xyxy=hulls)
