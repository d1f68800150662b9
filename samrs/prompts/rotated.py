"""Instances with a rotated box asked in crops turned so that they lie level; the masks turned back.

A level box is tight, so that SAM's box prompt says what the rotated one does. Mask and logits are
resampled, never drawn a second time. As the aligned features of oriented detectors (Ding et al.,
RoI Transformer, arXiv:1812.00155), done to pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from samrs.prompting.mosaic import CELLS, Piece, ask_in_pieces, upright
from samrs.prompting.types import Answer, Boxes
from samrs.prompting.view import SIDE, Asking, View

NEEDS_OBB = True
RANK = 3
ASKS = 1
EXTRA_PASSES = True
WANTS = ("soft",)

TARGET = 64.0
"""px in SAM's frame that small objects' longer side is brought to, at most four times as large."""
MOST = 4.0
LEAST = 256
"""Side of a crop, px."""
ROOM = 2.0
"""Side of the crop in the object's longer sides, at least."""


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """Instances with a rotated box in turned crops, the others in the tile.

    Args:
        inner: how a crop, or the tile, is asked about.
    """
    pieces = [_piece(boxes, int(i)) for i in np.flatnonzero(boxes.has_obb)]
    return ask_in_pieces(inner, view, boxes, pieces)


def _piece(boxes: Boxes, i: int) -> Piece:
    obb = boxes.obb[i]
    frame_scale = SIDE / max(boxes.size_hw)
    long = float(np.hypot(*(obb[1:3] - obb[0:2]).T).max()) * frame_scale
    scale = float(np.clip(TARGET / max(long, 1.0), 1.0, MOST))
    side = next((side for side in reversed(CELLS) if side >= max(LEAST, ROOM * long * scale)), SIDE)
    scale = min(scale, side / (ROOM * max(long, 1.0)))
    return Piece(np.array([i]), upright(obb, scale * frame_scale, side), side)
