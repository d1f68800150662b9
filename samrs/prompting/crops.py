"""Which crops of a tile its instances are asked in, and at which scale: larger or smaller.

An instance is asked best where it has some hundred px of the model's frame: smaller ones are
magnified, larger ones reduced, with what is around them. Crops of a tile share pictures of 1024 px
(``mosaic.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samrs.prompting.mosaic import Piece, magnified, passes
from samrs.prompting.types import Boxes, Floats
from samrs.prompting.view import PART, SIDE

TARGET = 128.0
"""px in SAM's frame that a box's longer side is brought to: 64 and 96 gave less."""
SCALES = (4.0, 3.0, 2.0)
"""Magnifications; larger ones show a blur. What asks for less than 2 is left in the tile."""
SMALL = 4
"""Boxes up to this part of ``TARGET`` gain most, and are why a picture is made. Those that
``SCALES`` allow and that are larger gain a little, and fill the pictures up."""
ENOUGH = 4
"""So many of the latter are worth a picture of their own."""
FIT_SCALES = (*SCALES, 1.5)
"""Magnifications where every box is brought to its best size, not the smallest alone; what asks for
less, or to be reduced by less than the last, is asked in the tile as well as in a crop."""
PASSES = 1.5
"""Of the encoder: a tile whose boxes are all in crops for so many is not encoded as a whole. ViT-B
encodes six quarters in 1.18 times the time of a whole frame."""
USUAL = 256
"""Side of the crops that show things at ``TARGET``, px."""
CELLS = (USUAL // 2, USUAL, 2 * USUAL)
"""Sides of crops in px; the first that shows a third more than a box is taken."""
ROOM = 32
"""px of a crop between a box and the crop's border, unless the tile ends there."""


def magnifying(boxes: Boxes) -> list[Piece]:
    """The crops of small boxes, each box in one of them at its scale."""
    sides = longer_sides(boxes)
    small = sides <= TARGET / SMALL
    needed = _pieces(boxes, sides, small, SCALES, TARGET)
    helped = _pieces(boxes, sides, ~small & (sides <= TARGET / SCALES[-1]), SCALES, TARGET)
    return needed + _filling(needed, helped, 16)


def fitting(boxes: Boxes, target: float = TARGET, part: int = PART) -> list[Piece]:
    """The crops of boxes that are better asked at another size than the tile shows them.

    Where few crops are enough, all boxes have one and the tile is not encoded. Else the smallest
    and the largest have one, and others as far as the part of a picture goes that these need.

    Args:
        target: px in SAM's frame that a box's longer side is brought to.
        part: side of what crops share of a picture, px (``View.part``).
    """
    sides = longer_sides(boxes)
    least, last = sides <= target / SMALL, FIT_SCALES[-1]
    small, large = ~least & (sides <= target / last), sides > target * last
    needed = _pieces(boxes, sides, least, FIT_SCALES, target)
    needed += alone_at_target(boxes, large, target)
    helped = _pieces(boxes, sides, small, FIT_SCALES, target)
    every = needed + helped + alone_at_target(boxes, ~(least | small | large), target)
    if passes(every, part) <= max(PASSES, 1 + passes(needed, part)):
        return every
    return needed + _filling(needed, helped, (part // USUAL) ** 2)


def _filling(needed: list[Piece], helped: list[Piece], several: int) -> list[Piece]:
    """Those of the crops that help which are worth their place beside those that are needed, the
    ones with most boxes first: as many as make these a multiple of some number, or so many where
    none is needed and enough boxes want one.

    Args:
        several: a number of crops, of those that show things at ``TARGET``.
    """
    if not needed and sum(len(piece.which) for piece in helped) < ENOUGH:
        return []
    used = sum((piece.side / USUAL) ** 2 for piece in needed)
    room = int(-used % several) if needed else several
    return sorted(helped, key=lambda piece: -len(piece.which))[:room]


def alone_at_target(boxes: Boxes, wanted: NDArray[np.bool_], target: float) -> list[Piece]:
    """A crop for each wanted box at its best size, with as much around it as it has.

    Args:
        boxes: of a tile.
        wanted: (N,) which of them.
        target: px that a box's longer side has in the crop.
    """
    size = np.array(boxes.size_hw[::-1], dtype=np.float64)
    cell = _cell(target)
    pieces = []
    for i in np.flatnonzero(wanted):
        low, high = boxes.hbb[i, :2], boxes.hbb[i, 2:]
        scale = target / max(float((high - low).max()), 1.0)
        span = cell / scale
        wanted_corner = (low + high - span) / 2
        # within the tile where it is large enough, else the whole of it in the middle
        inside = np.clip(wanted_corner, 0, np.maximum(size - span, 0))
        corner = np.where(size > span, inside, (size - span) / 2)
        pieces.append(Piece(np.array([i]), magnified(corner.tolist(), scale), cell))
    return pieces


def _cell(target: float) -> int:
    """Side of the crops of boxes brought to ``target`` px."""
    return next((side for side in CELLS if side >= target * 4 / 3), CELLS[-1])


def longer_sides(boxes: Boxes) -> Floats:
    """(N,) the longer side of each box in px of SAM's frame."""
    sides = (boxes.hbb[:, 2:] - boxes.hbb[:, :2]).max(axis=1, initial=0)
    return np.asarray(sides * _frame_scale(boxes))


def _frame_scale(boxes: Boxes) -> float:
    """px of SAM's frame in a px of the image."""
    return SIDE / max(boxes.size_hw)


def _pieces(
    boxes: Boxes,
    sides: Floats,
    wanted: NDArray[np.bool_],
    scales: tuple[float, ...],
    target: float,
) -> list[Piece]:
    """Crops that hold the wanted boxes, at the largest of ``scales`` that their target allows."""
    asked = target / np.maximum(sides, 1.0)
    cell = _cell(target)
    pieces = []
    above = np.inf
    for scale in scales:
        own = np.flatnonzero(wanted & (asked >= scale) & (asked < above))
        above = scale
        full = scale * _frame_scale(boxes)
        for which in groups(boxes.hbb, own, (cell - 2 * ROOM) / full):
            low, high = boxes.hbb[which, :2].min(axis=0), boxes.hbb[which, 2:].max(axis=0)
            most = np.maximum(np.array(boxes.size_hw[::-1]) - cell / full, 0)
            corner = np.clip((low + high) / 2 - cell / full / 2, 0, most)
            pieces.append(Piece(which, magnified(corner, full), cell))
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
