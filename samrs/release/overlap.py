"""Semantic maps from instance masks: which label a pixel gets where masks overlap.

SAMRS paints in annotation order, later over earlier, so that a stadium may hide the tennis court
inside it. Here the rule is declared and what it decided is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError
from samrs.core.records import IGNORE
from samrs.core.rle import Rle, rle_area, rle_to_hbb, rle_to_mask

RULES: Mapping[str, int] = {"smaller_on_top": -1, "larger_on_top": 1, "annotation_order": 0}
"""Masks are painted in the order of their area times this, the topmost last; of equal areas the
later one is on top, as in annotation order."""


@dataclass(frozen=True)
class SemanticMap:
    """The painted labels of one tile.

    Args:
        labels: (H, W) label ids, 255 = unlabelled.
        overpainted: px under two or more masks.
        contested: px under masks of two or more classes, where the rule decided the label.
    """

    labels: NDArray[np.uint8]
    overpainted: int
    contested: int


def check_rule(rule: str) -> None:
    """Refuse an overlap rule that does not exist.

    Raises:
        ParameterError: it is not one of RULES.
    """
    if rule not in RULES:
        raise ParameterError(
            f"release.overlap: unknown rule, got {rule!r}; {', '.join(RULES)} are allowed; "
            "use one of these"
        )


def paint(
    masks: Sequence[Rle], labels: Sequence[int], size_hw: tuple[int, int], rule: str
) -> SemanticMap:
    """Paint the masks of one tile into a semantic map.

    Args:
        masks: N masks of the tile's size, in annotation order.
        labels: N label ids, 0-254.
        rule: one of RULES.
    """
    check_rule(rule)
    painted = np.full(size_hw, IGNORE, dtype=np.uint8)
    twice = np.zeros(size_hw, dtype=bool)
    contested = np.zeros(size_hw, dtype=bool)
    areas = [rle_area(mask) for mask in masks]
    for i in sorted(range(len(masks)), key=lambda i: RULES[rule] * areas[i]):
        x0, y0, x1, y1 = (int(v) for v in rle_to_hbb(masks[i]))
        window = np.s_[y0:y1, x0:x1]
        mask, below = rle_to_mask(masks[i])[window], painted[window]
        covered = mask & (below != IGNORE)
        twice[window] |= covered
        # What is below carries the last label painted: classes differ iff two successive ones do.
        contested[window] |= covered & (below != labels[i])
        below[mask] = labels[i]
    return SemanticMap(painted, int(twice.sum()), int(contested.sum()))
