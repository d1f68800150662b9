"""Floors: segmenters that have learnt nothing, which every other must beat."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from samrs.core.errors import ParameterError
from samrs.core.rle import Rle
from samrs.prompting.types import Floats, Prediction, Prompt
from samrs.prompting.view import Image

NEEDS = {
    "boxes_xyxy": ("box", "points or masks", "hbox or rhbox"),
    "mask_polygons": ("mask polygon", "boxes or points", "rbox, hbox_mask or rhbox_mask"),
}
"""By the part of a prompt that a floor answers: its name, what else there is, recipes with it."""


@dataclass(frozen=True)
class Floor:
    """A mask for each box or polygon of a prompt, without scores.

    Args:
        name: its file in ``samrs/segmenters``.
        part: of the prompt, a key of ``NEEDS``.
        mask: a tile and one box (4,) or polygon (4, 2) to a mask.
    """

    name: str
    part: str
    mask: Callable[[Image, Floats], Rle]

    def encode(self, image: Image) -> Image:
        """The tile itself."""
        return image

    def decode(self, state: Image, prompt: Prompt) -> Prediction:
        """One mask per box or polygon.

        Args:
            state: what ``encode`` gave for the image.

        Raises:
            ParameterError: the prompt holds none.
        """
        shapes = getattr(prompt, self.part)
        if shapes is None:
            own, others, recipes = NEEDS[self.part]
            raise ParameterError(
                f"segmenter {self.name}: no {own} in the prompt, got {others} only; a recipe with "
                f"a {own} is needed; use {recipes}"
            )
        nan = np.full(len(prompt), np.nan)
        return Prediction([self.mask(state, shape) for shape in shapes], nan, nan)


def on_cpu(runtime: Mapping[str, Any]) -> str:
    """``cpu``, whatever is asked for."""
    return "cpu"
