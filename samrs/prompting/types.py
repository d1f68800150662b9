"""What a recipe sees, what a segmenter is asked, what it answers: plain arrays, no torch.

All coordinates are px of the image asked about: a tile, or a picture put together from pieces of
one (see ``core/records.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle

Floats = NDArray[np.float64]

POINT_OUTSIDE, POINT_INSIDE, NO_POINT = 0, 1, -1
"""SAM's labels of points; the last fills up where one instance has fewer points than another."""


@dataclass(frozen=True)
class Boxes:
    """The N boxes of one image.

    Args:
        hbb: (N, 4) xyxy, clipped to the image.
        obb: (N, 4, 2) xy corners, not clipped; NaN rows where the dataset has none.
        size_hw: the image's height and width in px.
    """

    hbb: Floats
    obb: Floats
    size_hw: tuple[int, int]

    def __len__(self) -> int:
        return len(self.hbb)

    @property
    def has_obb(self) -> NDArray[np.bool_]:
        """(N,) whether each instance has a rotated box."""
        return np.asarray(np.isfinite(self.obb).all(axis=(1, 2)))

    def take(self, index: slice | NDArray[Any]) -> Boxes:
        """The boxes at some positions."""
        return Boxes(self.hbb[index], self.obb[index], self.size_hw)


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """N prompts for one image; parts that are None are not given to the segmenter.

    Args:
        fallback: (N,) whether the recipe wanted a rotated box and had to use the upright one.
        boxes_xyxy: (N, 4) boxes.
        points_xy: (N, K, 2) points.
        point_labels: (N, K): 1 inside the object, 0 outside it, -1 no point.
        mask_polygons: (N, 4, 2) xy corners of the region filled in SAM's mask prompt (+1000
            inside, -1000 outside, as SAMRS does it).
        mask_slopes: (N,) makes the mask prompt a soft one: its logit rises by so much from the
            rectangle ``mask_polygons``' border to its middle line, and falls alike outside; NaN:
            no mask prompt for this instance.
        mask_logits: (N, h, w) mask prompts as the segmenter gave them (``Answer.frame_logits``).
    """

    fallback: NDArray[np.bool_]
    boxes_xyxy: Floats | None = None
    points_xy: Floats | None = None
    point_labels: NDArray[np.int64] | None = None
    mask_polygons: Floats | None = None
    mask_slopes: Floats | None = None
    mask_logits: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.fallback)

    @property
    def is_empty(self) -> bool:
        """Whether no part is given."""
        parts = (self.boxes_xyxy, self.points_xy, self.mask_polygons, self.mask_logits)
        return all(part is None for part in parts)

    def take(self, index: slice | NDArray[Any]) -> Prompt:
        """The prompts at some positions."""
        parts: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {n: None if p is None else p[index] for n, p in parts.items()}
        return Prompt(**taken)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One soft mask.

    Args:
        logits: (h, w) float32, the part of the image from column ``x0`` and row ``y0`` on; above 0
            is the object, and beyond the part nothing is above ``FLOOR``.
        predicted_iou: the segmenter's estimate of the mask's IoU.
        frame_logits: (h', w') the same as a mask prompt of the same image; None once it was
            changed.
        disagreement: how far several answers differed, see ``prompts/consensus.py``; NaN where
            only one was asked for.
    """

    logits: NDArray[np.float32]
    x0: int
    y0: int
    predicted_iou: float
    frame_logits: NDArray[np.float32] | None = None
    disagreement: float = float("nan")


FLOOR = -1.0
"""SAM's stability score looks at logits down to this (see ``Prediction``)."""


@dataclass(frozen=True)
class Prediction:
    """N masks of the image's size and the segmenter's own scores (NaN where it has none).

    Args:
        rles: N masks, possibly empty.
        predicted_iou: (N,) the segmenter's estimate of its IoU.
        stability_score: (N,) IoU of the mask cut at logits +1 and -1 (SAM's definition).
        disagreement: (N,) as in ``Answer``; None where nobody has it.
    """

    rles: list[Rle]
    predicted_iou: Floats
    stability_score: Floats
    disagreement: Floats | None = None


class Segmenter(Protocol):
    """Masks from prompts. Encode an image once, then ask as often as needed."""

    def encode(self, image: NDArray[np.uint8]) -> Any:
        """What can be known of an image (H, W, 3) uint8 RGB before any prompt."""

    def decode(self, state: Any, prompt: Prompt) -> Prediction:
        """One mask per prompt of the image in ``state``; empty prompts give empty lists."""
