"""The SAMRS palette: the colour of each label id, the same for all subsets.

From the authors' public release (NeurIPS 2023, arXiv 2305.02034), whose consumers know these
colours from its ``color/<id>.png`` files. It ends at FAST's 37th class; label ids beyond it get
colours of our own, so that a user's dataset may have more classes.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

from samrs.core.records import IGNORE

Rgb = tuple[int, int, int]

# fmt: off
SAMRS: tuple[Rgb, ...] = (
    (0, 127, 255), (0, 63, 0), (0, 127, 63), (0, 63, 255), (0, 0, 127), (0, 127, 127),
    (0, 0, 63), (0, 63, 127), (0, 63, 191), (0, 191, 127), (0, 127, 191), (0, 63, 63),
    (0, 100, 155), (0, 0, 255), (0, 0, 191), (64, 191, 127), (64, 0, 191), (128, 63, 63),
    (128, 0, 63), (191, 63, 0), (255, 127, 0), (63, 0, 0), (127, 63, 0), (63, 255, 0),
    (0, 127, 0), (127, 127, 0), (63, 0, 63), (63, 127, 0), (63, 191, 0), (191, 127, 0),
    (127, 191, 0), (63, 63, 0), (100, 155, 0), (0, 255, 0), (0, 191, 0), (191, 127, 64),
    (0, 191, 64),
)
# fmt: on
UNLABELLED: Rgb = (255, 255, 255)
NO_OBJECT: Rgb = (0, 0, 0)
"""Of the background in label maps that tell it, as in VOC's."""
GOLDEN_RATIO = 0.618034  # of a turn: hues that stay far apart however many are taken


def colour(label: int) -> Rgb:
    """The RGB colour, 0-255 each, of a label id; white for 255 (unlabelled)."""
    if label == IGNORE:
        return UNLABELLED
    if label < len(SAMRS):
        return SAMRS[label]
    r, g, b = colorsys.hsv_to_rgb((label * GOLDEN_RATIO) % 1, 0.65, 0.85)
    return round(r * 255), round(g * 255), round(b * 255)


def palette(num_categories: int) -> list[Rgb]:
    """The colours of label ids 0 to ``num_categories`` - 1."""
    return [colour(label) for label in range(num_categories)]


def label_palette(labels: Sequence[str], categories: Sequence[str]) -> list[Rgb]:
    """The colours of the labels of a release's maps, each category the same in all releases.

    Args:
        labels: names by label id, as ``label_names`` gives them: the categories, or these after
            the background.
        categories: their names.
    """
    return [NO_OBJECT] * (len(labels) - len(categories)) + palette(len(categories))


def bright(rgb: Rgb) -> Rgb:
    """A light, saturated colour of the same hue: what to draw lines with on dark ground."""
    hue, saturation, _ = colorsys.rgb_to_hsv(*(v / 255 for v in rgb))
    r, g, b = colorsys.hsv_to_rgb(hue, min(saturation, 0.6), 1.0)
    return round(r * 255), round(g * 255), round(b * 255)


def to_hex(rgb: Rgb) -> str:
    """``#rrggbb``, as CSS and matplotlib read it."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)
