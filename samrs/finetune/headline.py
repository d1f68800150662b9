"""The one value of a benchmark that a table of experiments has room for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def surely_gained(done: Mapping[str, Any]) -> dict[str, float]:
    """``gain``: the lower bound of what pre-training brings over random weights, in mIoU.

    It is of the largest share of labels, and of a probe of the encoder's features. Nothing where
    no gain was told.

    Args:
        done: what ``samrs.finetune.finetune.finetune`` returned.
    """
    gain = done["gain"]
    probed = done["mode"] == "probe"
    told = gain.get("encoder", {}).get("pretrain") if probed else gain.get("scratch")
    return {"gain": told[max(told, key=float)]["low"]} if told else {}
