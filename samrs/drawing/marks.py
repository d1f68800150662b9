"""Colours and lines of classes on a page, for people to tell them apart.

What goes out has SAMRS's colours instead (``palette.py``), which consumers know.
"""

from __future__ import annotations

DISTINCT = (
    "#ffcc00", "#cc0088", "#77ffff", "#8811ff", "#ccee99", "#8888ff", "#888800", "#995544",
)  # fmt: skip
"""Colours that people tell apart on a page, whatever colours they see: any two are 30 or more apart
in CIELAB, also with protanopia, deuteranopia and tritanopia."""
DASHES = ("", "7 4", "2 3", "10 3 2 3", "16 5")
"""Lines of each round of DISTINCT, as SVG dashes them; the first is solid."""


def mark(place: int) -> tuple[str, str]:
    """A colour and a line, as CSS and SVG read them, that together tell 40 classes apart.

    Args:
        place: of the class, the most frequent first, so that usual ones differ in colour.
    """
    number = len(DISTINCT)
    return DISTINCT[place % number], DASHES[place // number % len(DASHES)]
