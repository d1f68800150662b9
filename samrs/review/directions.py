"""Which way is better, told from a metric's name.

The name is read from its end: the first part that holds a word below decides. So
``finetune.potsdam.miou.pretrain.1`` is a mIoU, ``recipes.hbox.all.count`` a count.
"""

from __future__ import annotations

import re
from enum import IntEnum


class Direction(IntEnum):
    """The sign of a change for the better."""

    LOWER = -1
    NEITHER = 0
    HIGHER = 1


# Order matters within a part: contested_pixels is contested, iou_lost is lost.
WORDS = {
    Direction.LOWER: (
        "contested decoder_prompts disagreement dropped ece empty_mask empty_masks encoder_passes "
        "error fallbacks loss lost multi_component_share outside overlap overpainted "
        "quarantined worse"
    ),
    Direction.HIGHER: (
        "accuracy ap auc better boundary_f dice f1 fscore gain iou kept lead mf1 miou oa precision "
        "recall spearman stability"
    ),
    Direction.NEITHER: "bytes classes count files instances pixels scenes steps tiles",
}


def _holds(part: str, word: str) -> bool:
    return re.search(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])", part) is not None


def direction(name: str) -> Direction:
    """The direction of a metric by its dotted name; neither where no word is known."""
    for part in reversed(name.lower().split(".")):
        for found, words in WORDS.items():
            if any(_holds(part, word) for word in words.split()):
                return found
    return Direction.NEITHER
