"""What a recipe sees, what a segmenter is asked, what it answers: plain arrays, no torch.

All coordinates are tile px (see ``core/records.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samrs.core.rle import Rle

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Boxes:
    """The N boxes of one tile.

    Args:
        hbb: (N, 4) xyxy, clipped to the tile.
        obb: (N, 4, 2) xy corners, not clipped; NaN rows where the dataset has none.
        size_hw: the tile's height and width in px.
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


@dataclass(frozen=True)
class Prompt:
    """N prompts for one tile; parts that are None are not given to the segmenter.

    Args:
        boxes_xyxy: (N, 4) boxes.
        points_xy: (N, K, 2) points.
        point_labels: (N, K): 1 inside the object, 0 outside it.
        mask_polygons: (N, 4, 2) xy corners of the region filled in SAM's mask prompt (+1000
            inside, -1000 outside, as SAMRS does it).
        fallback: (N,) whether the recipe wanted a rotated box and had to use the upright one.
    """

    fallback: NDArray[np.bool_]
    boxes_xyxy: Floats | None = None
    points_xy: Floats | None = None
    point_labels: NDArray[np.int64] | None = None
    mask_polygons: Floats | None = None

    def __len__(self) -> int:
        return len(self.fallback)

    def take(self, index: slice | NDArray[Any]) -> Prompt:
        """The prompts at some positions."""

        def cut(part: NDArray[Any] | None) -> Any:
            return None if part is None else part[index]

        return Prompt(
            self.fallback[index],
            cut(self.boxes_xyxy),
            cut(self.points_xy),
            cut(self.point_labels),
            cut(self.mask_polygons),
        )


@dataclass(frozen=True)
class Prediction:
    """N answers: masks of the tile's size and the segmenter's own scores (NaN where it has none).

    Args:
        rles: N masks, possibly empty.
        predicted_iou: (N,) the segmenter's estimate of its IoU.
        stability_score: (N,) IoU of the mask cut at logits +1 and -1 (SAM's definition).
    """

    rles: list[Rle]
    predicted_iou: Floats
    stability_score: Floats


class Segmenter(Protocol):
    """Masks from prompts. Encode a tile once, then ask as often as needed."""

    def encode(self, image: NDArray[np.uint8]) -> Any:
        """What can be known of a tile (H, W, 3) uint8 RGB before any prompt."""

    def decode(self, state: Any, prompt: Prompt) -> Prediction:
        """One mask per prompt of the tile encoded in ``state``; empty prompts give empty lists."""
