"""The filled upright hull of the rotated box as SAM's mask prompt: SAMRS's RH-Box-M."""

from __future__ import annotations

from samrs.prompting.hulls import hbb_outlines, obb_hulls
from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = True


def build(boxes: Boxes) -> Prompt:
    """One mask a prompt: the hull of ``obb`` filled; ``hbb`` filled where there is no ``obb``."""
    hulls, fallback = obb_hulls(boxes)
    return Prompt(fallback=fallback, mask_polygons=hbb_outlines(hulls))
