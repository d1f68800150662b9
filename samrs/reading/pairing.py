"""Two lists of boxes that mean the same objects: which box of one is which of the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from samrs.core.geometry import hbb_iou, hbb_to_polygon
from samrs.core.records import Annotation, Outline, Quarantine
from samrs.reading.annotations import LARGEST, SET_ASIDE, where_of
from samrs.reading.assignment import MOST, best_pairs

MIN_PAIR_IOU = 0.1
"""Below this overlap two boxes are not the same object: of DIOR's 192,518 objects all but 141 pair
above it, and those below are visibly other objects."""


def pair_annotations(
    kept: Sequence[Annotation],
    others: Sequence[Annotation],
    quarantine: Quarantine,
    *,
    same_objects: bool = False,
) -> list[Annotation | None]:
    """For each annotation, the one of another file that means the same object, or None.

    Boxes pair one to one within a category so that the sum of IoUs is largest: the two files of
    DIOR list the same objects in another order. Pairs below ``MIN_PAIR_IOU`` are not made, and
    boxes of the other file that are left over are quarantined.

    Args:
        kept: the annotations of the file whose order is kept.
        others: those of the other file.
        same_objects: the files are known to list the same objects. Where each holds as many of
            every category, what is left over is paired as well: best by place, else by category,
            the last by exclusion. Such pairs are listed in the quarantine, as the files contradict
            each other, but both boxes stay.
    """
    pairs: list[Annotation | None] = [None] * len(kept)
    left = {a.ordinal: a for a in others}
    by_category: dict[str, tuple[list[int], list[Annotation]]] = {}
    for i, annotation in enumerate(kept):
        by_category.setdefault(annotation.category, ([], []))[0].append(i)
    for annotation in others:
        by_category.setdefault(annotation.category, ([], []))[1].append(annotation)
    for mine, theirs in by_category.values():
        for i, other in _assigned(kept, mine, theirs):
            pairs[i] = left.pop(other.ordinal)
    if left and same_objects and all(len(m) == len(t) for m, t in by_category.values()):
        _pair_contradicting(kept, pairs, left, quarantine)
    for box in left.values():
        quarantine.tell(
            box.source_file,
            "box without its pair",
            f"no box of the other file means this object, got {box.category} at "
            f"{box.hbb.tolist()}; the horizontal and the rotated file list the same objects; "
            "correct either file",
            box.source_line,
        )
    return pairs


def unpaired(
    others: Sequence[Annotation], pairs: Sequence[Annotation | None]
) -> list[tuple[str, Outline]]:
    """The places of boxes of the other file that mean no object of the first.

    Args:
        others: as of ``pair_annotations``.
        pairs: what it gave.
    """
    paired = {pair.ordinal for pair in pairs if pair is not None}
    return [(SET_ASIDE, hbb_to_polygon(a.hbb)) for a in others if a.ordinal not in paired]


def _assigned(
    kept: Sequence[Annotation], mine: Sequence[int], theirs: Sequence[Annotation]
) -> Iterator[tuple[int, Annotation]]:
    """Pairs (index in kept, other) of the largest sum of IoUs, each at least MIN_PAIR_IOU."""
    boxes, others = [kept[i].hbb for i in mine], [a.hbb for a in theirs]
    for row, column in zip(*best_pairs(boxes, others, MIN_PAIR_IOU), strict=True):
        yield mine[row], theirs[column]


def _pair_contradicting(
    kept: Sequence[Annotation],
    pairs: list[Annotation | None],
    left: dict[int, Annotation],
    quarantine: Quarantine,
) -> None:
    """Pair all that is left over of two files that list the same objects; see pair_annotations.

    Where that is too much to compare, nothing is paired and all of it is listed.
    """
    alone = [i for i, pair in enumerate(pairs) if pair is None]
    others = list(left.values())
    if len(alone) * len(others) > MOST:
        return
    mine, theirs = np.array([kept[i].hbb for i in alone]), np.array([a.hbb for a in others])
    iou = hbb_iou(mine, theirs)
    other_name = [[kept[i].category != a.category for a in others] for i in alone]
    apart = np.abs(mine[:, None] - theirs).sum(axis=2)
    cost = np.where(iou >= MIN_PAIR_IOU, -iou, 1 + np.array(other_name) + apart / (4 * LARGEST))
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        pairs[alone[row]] = left.pop(others[column].ordinal)
    for i in alone:
        pair = pairs[i]
        if pair is not None:
            quarantine.tell(
                pair.source_file,
                "boxes contradict each other",
                f"another place or category than in the other file, got {pair.category} at "
                f"{pair.hbb.tolist()} against {kept[i].category} at {kept[i].hbb.tolist()} of "
                f"{where_of(kept[i])}; one object has one of each; both boxes stay, correct either "
                "file",
                pair.source_line,
            )
