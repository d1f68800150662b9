"""What people who judged a random sample say of a release: ``metrics/review/<dataset>.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from samrs.core.errors import ProductError
from samrs.drawing.tables import number, percent


def read_judged(path: Path) -> dict[str, Any] | None:
    """What ``samrs review --sample`` wrote; None where nobody judged a sample.

    Raises:
        ProductError: the file is none of these.
    """
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        judged_sentence(told, "")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ProductError(
            f"{path}: not what samrs review writes, got {type(error).__name__}: {error}; its "
            "estimates of a sample are allowed; run samrs review --sample --estimate again"
        ) from error
    return told


def judged_sentence(told: Mapping[str, Any], release_sha256: str) -> str:
    """The estimates in words.

    Args:
        told: as ``read_judged`` gives it.
        release_sha256: of the manifest of the release that is shown: the sample may be of an
            earlier one.
    """
    of = "" if told["release_sha256"] == release_sha256 else " of an earlier release"
    names = ("judged", "sampled", "masks", "good", "mended", "rejected")
    judged, sampled, masks, kept, mended, rejected = (number(told[name]) for name in names)
    text = (
        f"A person judged {judged} of {sampled} masks drawn at random (seed {told['seed']}) from "
        f"{masks}{of}: {kept} good as they are, {mended} mended, {rejected} rejected."
    )
    good, iou = told["share_good"], told["mean_iou"]
    if good is not None:
        text += f" So {percent(good['value'])} of all masks are good{_interval(good, percent)}"
        if iou is not None:
            text += (
                "; the mean IoU of those that are not to be rejected with the mended ones is "
                f"{number(iou['value'], 3)}{_interval(iou, lambda v: number(v, 3))}"
            )
        text += "."
    return text


def _interval(estimate: Mapping[str, Any], words: Any) -> str:
    if estimate["low"] is None:
        return ""
    return f" (95 % interval {words(estimate['low'])} to {words(estimate['high'])})"
