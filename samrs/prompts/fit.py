"""Every instance asked at the size that the model answers best: small ones magnified, large ones
reduced.

Masks of an object that fills the frame are worse than its filled box. Large instances, and those of
small pictures, which the frame magnifies, are shown at 128 px in a crop of 256 px, with as much
around them as they have; small and middling ones are brought to that size, too. A tile is encoded
as a whole only for what is asked in it: one with few instances takes half a pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from samrs.prompting.crops import fitting
from samrs.prompting.mosaic import ask_in_pieces
from samrs.prompting.types import Answer, Boxes
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 3
ASKS = 1
EXTRA_PASSES = True
WANTS = ("soft",)


def answers(inner: Asking, view: View, boxes: Boxes) -> Iterator[Answer]:
    """Instances in crops at their best size, the others in the tile.

    Args:
        inner: how a crop, or the tile, is asked about.
    """
    return ask_in_pieces(inner, view, boxes, fitting(boxes))
