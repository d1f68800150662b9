"""Corrections made by hand, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from samrs.core.rle import Rle, hbb_to_rle
from samrs.corrections.records import (
    Added,
    Anchor,
    Answer,
    ClassChange,
    Clicks,
    Drawn,
    Verdict,
    mask_digest,
)

SIZE = (8, 10)
"""Height and width of the tile, px."""


def mask(x0: float = 2, y0: float = 1, x1: float = 5, y1: float = 4) -> Rle:
    return hbb_to_rle(np.array([x0, y0, x1, y1]), SIZE)


def anchor(name: str = "a#0", tile: str = "a__0_0", **changes: Any) -> Anchor:
    return Anchor(instance_id=name, tile_id=tile, annotated=changes.get("box", (1, 1, 6, 5)))


def verdict(name: str = "a#0", said: str = "reject", **changes: Any) -> Verdict:
    return Verdict(
        anchor=anchor(name, **changes), verdict=said, mask=mask_digest(mask()), reason="half of it"
    )


def answer(**changes: Any) -> Answer:
    given = {
        "rle": mask(),
        "segmenter": "sam",
        "model": "nano",
        "model_sha256": "ab",
        "precision": "float32",
        "predicted_iou": 0.75,
        "stability_score": None,
    }
    return Answer(**{**given, **changes})


def every_kind() -> list[Any]:
    """A record of each kind, with all that they can hold."""
    return [
        verdict(),
        Clicks(
            anchor=anchor(),
            positive=((3.5, 2.25), (4.0, 3.0)),
            negative=((9.0, 7.5),),
            box=(1.0, 1.0, 6.125, 5.0),
            answer=answer(),
        ),
        Drawn(anchor=anchor("a#1"), rle=mask()),
        Added(anchor=anchor("a#new-0123456789ab"), category="ship"),
        ClassChange(anchor=anchor('船#2, "x"'), old="ship", new="harbor"),
    ]
