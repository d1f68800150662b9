"""Which crops of a tile its instances are asked in, and at which scale: larger or smaller.

An instance is asked best where it has some hundred px of the model's frame: smaller ones are
magnified, larger ones reduced, with what is around them. Crops of a tile share pictures of 1024 px
(``mosaic.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samrs.prompting.mosaic import SIDE, Piece, magnified
from samrs.prompting.types import Boxes, Floats

TARGET = 128.0
"""px in SAM's frame that a box's longer side is brought to: 64 and 96 gave less."""
SCALES = (4.0, 3.0, 2.0)
"""Magnifications; larger ones show a blur. What asks for less than 2 is left in the tile."""
SMALL = 32.0
"""px in SAM's frame: boxes up to this side gain most, and are why a picture is made. Those up to
``TARGET / 2`` gain a little, and fill the pictures up."""
ENOUGH = 4
"""So many of the latter are worth a picture of their own."""
FIT_SCALES = (*SCALES, 1.5)
"""Magnifications where every box is brought to its best size, not the smallest alone."""
LARGE = 200.0
"""px in SAM's frame: boxes beyond this side are reduced to ``TARGET``. nano's masks of those of
more than 256 px gain 14 to 32 points on NWPU VHR-10, those of 96 to 200 px nothing
(docs/decisions/best-size.md)."""
FEW = 8
"""Crops that take half a picture: a tile that needs no more is not encoded as a whole."""
CELL = 256
ROOM = 32
"""px of a crop between a box and the crop's border, unless the tile ends there."""


def magnifying(boxes: Boxes) -> list[Piece]:
    """The crops of small boxes, each box in one of them at its scale."""
    sides = longer_sides(boxes)
    small = _pieces(boxes, sides, sides <= SMALL)
    others = _pieces(boxes, sides, (sides > SMALL) & (sides <= TARGET / SCALES[-1]))
    others.sort(key=lambda piece: -len(piece.which))
    a_picture = (SIDE // CELL) ** 2
    if small:
        room = -len(small) % a_picture
    else:
        room = a_picture if sum(len(piece.which) for piece in others) >= ENOUGH else 0
    return small + others[:room]


def fitting(boxes: Boxes) -> list[Piece]:
    """The crops of boxes that are better asked at another size than the tile shows them.

    Those of up to ``SMALL`` px and those beyond ``LARGE`` always have one, those between and
    ``TARGET / 1.5`` as far as a picture goes. Where few crops are enough for all boxes, all of them
    are in crops.
    """
    sides = longer_sides(boxes)
    tiny = _pieces(boxes, sides, sides <= SMALL, FIT_SCALES)
    small = (sides > SMALL) & (sides <= TARGET / FIT_SCALES[-1])
    others = _pieces(boxes, sides, small, FIT_SCALES)
    large = alone_at_target(boxes, sides > LARGE)
    between = ~(sides <= SMALL) & ~small & ~(sides > LARGE)
    count = len(tiny) + len(others) + len(large)
    if count + int(between.sum()) <= FEW:
        return tiny + others + large + alone_at_target(boxes, between)
    others.sort(key=lambda piece: -len(piece.which))
    a_picture = (SIDE // CELL) ** 2
    room = a_picture - (len(tiny) + len(large)) % a_picture
    return tiny + large + others[:room]


def alone_at_target(boxes: Boxes, wanted: NDArray[np.bool_]) -> list[Piece]:
    """A crop for each wanted box at ``TARGET`` px, with as much around it as it has.

    Args:
        boxes: of a tile.
        wanted: (N,) which of them.
    """
    size = np.array(boxes.size_hw[::-1], dtype=np.float64)
    pieces = []
    for i in np.flatnonzero(wanted):
        low, high = boxes.hbb[i, :2], boxes.hbb[i, 2:]
        scale = TARGET / max(float((high - low).max()), 1.0)
        span = CELL / scale
        wanted_corner = (low + high - span) / 2
        # within the tile where it is large enough, else the whole of it in the middle
        inside = np.clip(wanted_corner, 0, np.maximum(size - span, 0))
        corner = np.where(size > span, inside, (size - span) / 2)
        pieces.append(Piece(np.array([i]), magnified(corner.tolist(), scale), CELL))
    return pieces


def longer_sides(boxes: Boxes) -> Floats:
    """(N,) the longer side of each box in px of SAM's frame."""
    sides = (boxes.hbb[:, 2:] - boxes.hbb[:, :2]).max(axis=1, initial=0)
    return np.asarray(sides * _frame_scale(boxes))


def _frame_scale(boxes: Boxes) -> float:
    """px of SAM's frame in a px of the image."""
    return SIDE / max(boxes.size_hw)


def _pieces(
    boxes: Boxes, sides: Floats, wanted: NDArray[np.bool_], scales: tuple[float, ...] = SCALES
) -> list[Piece]:
    """Crops that hold the wanted boxes, at the largest of ``scales`` that their target allows."""
    asked = TARGET / np.maximum(sides, 1.0)
    pieces = []
    above = np.inf
    for scale in scales:
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
