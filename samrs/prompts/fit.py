"""Every instance asked at the size that the model answers best: small ones magnified, large ones
reduced.

Masks of an object that fills the frame are worse than its filled box. Large instances, and those of
small pictures, which the frame magnifies, are shown at the best size in a crop with as much around
them as they have; small and middling ones are brought to that size, too. A tile is
encoded as a whole only where crops of all its boxes would cost more. The best size is the model's:
128 px where the recipe names none, ``fit@96`` names 96.
"""

from __future__ import annotations

from collections.abc import Iterator

from samrs.prompting.crops import TARGET, fitting
from samrs.prompting.mosaic import ask_in_pieces
from samrs.prompting.types import Answer, Boxes
from samrs.prompting.view import Asking, View

NEEDS_OBB = False
RANK = 3
ASKS = 1
EXTRA_PASSES = True
WANTS = ("soft",)
SIZES = (32, 384)


def answers(inner: Asking, view: View, boxes: Boxes, size: float = TARGET) -> Iterator[Answer]:
    """Instances in crops at their best size, the others in the tile.

    Args:
        inner: how a crop, or the tile, is asked about.
        size: px of the model's frame that an instance's longer side is brought to.
    """
    return ask_in_pieces(inner, view, boxes, fitting(boxes, size, view.part))
