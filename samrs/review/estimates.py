"""What a judged sample says of its release: how many masks are good, and how good they all are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.shards import json_bytes
from samrs.review.desk import Desk
from samrs.review.held import Held, machine_iou
from samrs.review.sampling import CONFIDENCE, EDGES, Estimate, mean, share
from samrs.work.kept import write_whole

GOOD, MENDED, REJECTED, OPEN = "good", "mended", "rejected", "open"


def judged_as(held: Held) -> str:
    """What a person made of a mask: left it as it is, mended it, or rejected it.

    A verdict of another mask counts for nothing; a person's mask that is in the release is good.

    Args:
        held: the mask with its records.
    """
    verdict = held.verdict
    if verdict is not None and (verdict.verdict == "absent" or not held.stale):
        if verdict.verdict != "accept":
            return REJECTED
        return GOOD if held.rle == held.row["rle"] else MENDED
    if held.drawn is None and (held.clicks is None or held.clicks.answer is None):
        return OPEN
    return GOOD if held.rle == held.row["rle"] else MENDED


def estimates(desk: Desk) -> dict[str, Any]:
    """The estimates of all masks, from those of the sample that were judged.

    A mask is good where it was accepted as it is. The IoU is that of the release's mask with the
    right one: 1 where it was accepted, with the mended mask where it was mended; a rejected mask
    has no right one, so the mean is of the masks that are not to be rejected.

    Args:
        desk: with a sample.

    Returns:
        ``sampled``, ``judged`` and what they were judged as; ``good`` and ``iou`` with their
        intervals, None as long as a stratum has no judged mask.
    """
    sample = desk.sample
    assert sample is not None
    held = [desk.held(number) for number in sample.numbers]
    verdicts = [judged_as(one) for one in held]
    judged = np.array([verdict != OPEN for verdict in verdicts])
    strata = np.array(sample.strata)[judged]
    values = np.array(
        [
            np.nan if verdict == REJECTED else 1.0 if verdict == GOOD else machine_iou(one)
            for one, verdict in zip(held, verdicts, strict=True)
            if verdict != OPEN
        ]
    )
    good = np.array([verdict == GOOD for verdict in verdicts if verdict != OPEN], dtype=bool)
    return {
        "masks": len(desk.index),
        "sampled": len(sample.numbers),
        "judged": int(judged.sum()),
        "complete": bool(judged.all()),
        **{name: verdicts.count(name) for name in (GOOD, MENDED, REJECTED)},
        "stale": sum(one.stale for one in held),
        "share_good": _told(share(good, strata, sample.sizes) if judged.any() else None),
        "mean_iou": _told(mean(values, strata, sample.sizes) if judged.any() else None),
    }


def write_estimates(desk: Desk, path: Path, seed: int) -> dict[str, Any]:
    """Write the estimates as ``metrics/review/<dataset>.json``.

    Args:
        desk: with a sample.
        path: the file.
        seed: that the sample was drawn with.

    Returns:
        What was written.
    """
    manifest = desk.index.manifest
    told = {
        "subset": manifest["subset"],
        "dataset": manifest["dataset"],
        "release_sha256": desk.index.sha256,
        "seed": seed,
        "quality_edges": list(EDGES),
        "confidence": CONFIDENCE,
        **estimates(desk),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json_bytes(told))
    return told


def _told(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    return {k: None if v is None else round(v, 4) for k, v in asdict(estimate).items()}
