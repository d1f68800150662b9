"""What was said of every mask of a release, as columns: for the wall, its filters, and progress."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samrs.corrections.records import (
    VERDICTS,
    ClassChange,
    Corrections,
    Drawn,
    Verdict,
    mask_digest,
    mask_of,
)
from samrs.review.index import Index

CLICKED, DRAWN, RECLASSED = 1, 2, 4
"""What was changed of a mask: flags."""


@dataclass(frozen=True)
class Marks:
    """What people said of a release's masks.

    Args:
        stamp: tells two states of the corrections apart.
        verdict: (N,) 0 for none, else 1 + place in VERDICTS.
        changed: (N,) flags of ``CLICKED``, ``DRAWN`` and ``RECLASSED``.
        masks: digests of the masks that people changed, by number.
    """

    stamp: str
    verdict: NDArray[np.uint8]
    changed: NDArray[np.uint8]
    masks: dict[int, str] = field(default_factory=dict)


def marks_of(index: Index, stamp: str, corrections: Corrections) -> Marks:
    """What was said of all masks of a release.

    Args:
        index: of the release.
        stamp: of the corrections.
        corrections: all of the dataset's.
    """
    records = list(corrections.records.values())
    numbers = index.numbers((r.anchor.instance_id, r.anchor.tile_id) for r in records)
    verdict = np.zeros(len(index), np.uint8)
    changed = np.zeros(len(index), np.uint8)
    masks: dict[int, str] = {}
    renamed = index.numbers_of(r.anchor.instance_id for r in corrections.of(ClassChange))
    changed[renamed] = RECLASSED
    for record in records:
        number = numbers.get((record.anchor.instance_id, record.anchor.tile_id))
        if number is None:  # a conflict, which the release tells of
            continue
        if isinstance(record, Verdict):
            verdict[number] = 1 + VERDICTS.index(record.verdict)
        elif (rle := mask_of(record)) is not None:
            changed[number] |= DRAWN if isinstance(record, Drawn) else CLICKED
            if number not in masks or isinstance(record, Drawn):
                masks[number] = mask_digest(rle)
    return Marks(stamp, verdict, changed, masks)
