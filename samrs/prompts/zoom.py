"""Small instances asked in magnified crops, many crops to an encoder pass.

SAM sees a tile in tokens of 16 px and answers in cells of 4 px: of an object of 10 px there is
hardly one token. Magnified it has several. Slicing an image for its small objects is SAHI's idea
(Akyon et al., arXiv:2202.06934); here only what is small is cut out, instances that are near each
other together, and the crops share pictures of 1024 px.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from samrs.prompting.mosaic import SIDE, Piece, ask_in_pieces, magnified
from samrs.prompting.types import Answer, Boxes, Floats
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 3
ASKS = 1
EXTRA_PASSES = True
WANTS = ("soft",)

TARGET = 128.0
"""px in SAM's frame that a box's longer side is brought to: 64 and 96 gave less."""
SCALES = (4.0, 3.0, 2.0)
"""Magnifications; larger ones show a blur. What asks for less than 2 is left in the tile."""
SMALL = 32.0
"""px in SAM's frame: boxes up to this side gain most, and are why a picture is made. Those up to
``TARGET / 2`` gain a little, and fill the pictures up."""
ENOUGH = 4
"""So many of the latter are worth a picture of their own."""
CELL = 256
ROOM = 32
"""px of a crop between a box and the crop's border, unless the tile ends there."""


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """Small instances in magnified crops, the others in the tile.

    Args:
        inner: how a crop, or the tile, is asked about.
    """
    return ask_in_pieces(inner, view, boxes, plan(boxes))


def plan(boxes: Boxes) -> list[Piece]:
    """The crops, a small box in one of them at its scale."""
    sides = (boxes.hbb[:, 2:] - boxes.hbb[:, :2]).max(axis=1, initial=0) * _frame_scale(boxes)
    small = _pieces(boxes, sides, sides <= SMALL)
    others = _pieces(boxes, sides, (sides > SMALL) & (sides <= TARGET / SCALES[-1]))
    others.sort(key=lambda piece: -len(piece.which))
    a_picture = (SIDE // CELL) ** 2
    if small:
        room = -len(small) % a_picture
    else:
        room = a_picture if sum(len(piece.which) for piece in others) >= ENOUGH else 0
    return small + others[:room]


def _frame_scale(boxes: Boxes) -> float:
    """px of SAM's frame in a px of the image."""
    return SIDE / max(boxes.size_hw)


def _pieces(boxes: Boxes, sides: Floats, wanted: NDArray[np.bool_]) -> list[Piece]:
    """Crops that hold the wanted boxes, at the largest of ``SCALES`` that their target allows."""
    asked = TARGET / np.maximum(sides, 1.0)
    pieces = []
    above = np.inf
    for scale in SCALES:
        own = np.flatnonzero(wanted & (asked >= scale) & (asked < above))
        above = scale
        full = scale * _frame_scale(boxes)
        for which in groups(boxes.hbb, own, (CELL - 2 * ROOM) / full):
            low, high = boxes.hbb[which, :2].min(axis=0), boxes.hbb[which, 2:].max(axis=0)
            most = np.maximum(np.array(boxes.size_hw[::-1]) - CELL / full, 0)
            corner = np.clip((low + high) / 2 - CELL / full / 2, 0, most)
            pieces.append(Piece(which, magnified(corner, full), CELL))
    return pieces


def groups(hbb: Floats, which: NDArray[np.int64], side: float) -> list[NDArray[np.int64]]:
    """Boxes that lie together in a square of ``side`` px, greedily: each group is begun by the
    first box left, from the top down, and takes the nearest ones that fit.

    Args:
        hbb: (N, 4) xyxy px.
        which: positions of the boxes to group.
    """
    centres = (hbb[:, :2] + hbb[:, 2:]) / 2
    left = which[np.lexsort(centres[which].T)]
    out = []
    while len(left):
        low, high = hbb[left[0], :2], hbb[left[0], 2:]
        distances = np.abs(centres[left] - centres[left[0]]).max(axis=1)
        own = []
        for place in np.argsort(distances, kind="stable"):
            if distances[place] > side:
                break
            box = hbb[left[place]]
            new_low, new_high = np.minimum(low, box[:2]), np.maximum(high, box[2:])
            if place == 0 or (new_high - new_low <= side).all():
                low, high = new_low, new_high
                own.append(place)
        out.append(np.sort(left[own]))
        left = np.delete(left, own)
    return out
