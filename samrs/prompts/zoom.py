"""Small instances asked in magnified crops, many crops to an encoder pass.

SAM sees a tile in tokens of 16 px and answers in cells of 4 px: of an object of 10 px there is
hardly one token. Magnified it has several. Slicing an image for its small objects is SAHI's idea
(Akyon et al., arXiv:2202.06934); here only what is small is cut out, instances that are near each
other together, and the crops share pictures of 1024 px.
"""

from __future__ import annotations

from collections.abc import Iterator

from samrs.prompting.crops import magnifying
from samrs.prompting.mosaic import ask_in_pieces
from samrs.prompting.types import Answer, Boxes
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 3
ASKS = 1
EXTRA_PASSES = True
WANTS = ("soft",)


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """Small instances in magnified crops, the others in the tile.

    Args:
        inner: how a crop, or the tile, is asked about.
    """
    return ask_in_pieces(inner, view, boxes, magnifying(boxes))
