"""The filled rotated box as the mask: the floor for oriented annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError
from samrs.core.rle import polygons_to_rle
from samrs.prompting.types import Prediction, Prompt
from samrs.weights.checkpoint import Checkpoint


class ObbSegmenter:
    """Answers every mask prompt with its polygon."""

    def encode(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        """The tile's height and width."""
        return image.shape[0], image.shape[1]

    def decode(self, state: tuple[int, int], prompt: Prompt) -> Prediction:
        """One filled polygon per prompt, without scores.

        Args:
            state: what ``encode`` gave for the image.

        Raises:
            ParameterError: the prompt holds no polygons.
        """
        if prompt.mask_polygons is None:
            raise ParameterError(
                "segmenter obb: no polygon in the prompt, got boxes or points only; a recipe with "
                "a mask is needed; use rbox, hbox_mask or rhbox_mask"
            )
        nan = np.full(len(prompt), np.nan)
        return Prediction([polygons_to_rle([p], state) for p in prompt.mask_polygons], nan, nan)


def device(runtime: Mapping[str, Any]) -> str:
    """``cpu``, whatever is asked for."""
    return "cpu"


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> ObbSegmenter:
    """The segmenter; the arguments are those of every segmenter and change nothing here."""
    return ObbSegmenter()
