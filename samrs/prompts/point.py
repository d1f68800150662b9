"""The box centre as one foreground point: SAMRS's Center Point.

The published point results of SAMRS are not a statement about SAM: its code never mapped the points
into SAM's 1024 px frame. Here points stay in tile px like every prompt, and the segmenter maps
them.
"""

from __future__ import annotations

import numpy as np

from samrs.prompting.types import Boxes, Prompt

NEEDS_OBB = False


def build(boxes: Boxes) -> Prompt:
    """One point a prompt: the centre of ``hbb``, so it lies inside the tile."""
    centres = (boxes.hbb[:, None, :2] + boxes.hbb[:, None, 2:]) / 2
    return Prompt(
        fallback=np.zeros(len(boxes), dtype=bool),
        points_xy=centres,
        point_labels=np.ones((len(boxes), 1), dtype=np.int64),
    )
