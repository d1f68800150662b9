"""The filled upright box as the mask: the floor any segmenter must beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError
from samrs.core.rle import hbb_to_rle
from samrs.prompting.types import Prediction, Prompt
from samrs.weights.checkpoint import Checkpoint


class BoxSegmenter:
    """Answers every box with the box."""

    def encode(self, image: NDArray[np.uint8]) -> tuple[int, int]:
        """The tile's height and width."""
        return image.shape[0], image.shape[1]

    def decode(self, state: tuple[int, int], prompt: Prompt) -> Prediction:
        """One filled box per prompt, without scores.

        Args:
            state: what ``encode`` gave for the image.

        Raises:
            ParameterError: the prompt holds no boxes.
        """
        if prompt.boxes_xyxy is None:
            raise ParameterError(
                "segmenter box: no box in the prompt, got points or masks only; a recipe with a "
                "box is needed; use hbox or rhbox"
            )
        nan = np.full(len(prompt), np.nan)
        return Prediction([hbb_to_rle(box, state) for box in prompt.boxes_xyxy], nan, nan)


def device(runtime: Mapping[str, Any]) -> str:
    """``cpu``, whatever is asked for."""
    return "cpu"


def load(*, checkpoint: Checkpoint, precision: str, device: str) -> BoxSegmenter:
    """The segmenter; the arguments are those of every segmenter and change nothing here."""
    return BoxSegmenter()
