"""Asking a segmenter about an image, and what that cost.

A recipe of ``samrs/prompts`` is built of layers: the innermost turns boxes into prompts and asks
once (``Asking``), each further one asks the layer within it several times or about other pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError
from samrs.prompting.types import Answer, Boxes, Prediction, Prompt, Segmenter

Image = NDArray[np.uint8]
SIDE = 1024
"""Of a picture put together from pieces, in px: SAM's frame."""
PART = 512
"""Side of what pieces share of a picture where a part costs less than the whole, px."""


@dataclass
class Spent:
    """What was asked so far.

    Args:
        encoder_passes: images encoded, one that shows little by the share that it shows.
        decoder_prompts: prompts answered.
    """

    encoder_passes: float = 0.0
    decoder_prompts: int = 0


class View:
    """An image and a segmenter; the image is encoded when it is first asked about.

    Args:
        image: (H, W, 3) uint8 RGB.
        spent: counts what is asked here.
        shown_hw: beyond so many rows and columns the image shows nothing; None: it may.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        image: Image,
        spent: Spent | None = None,
        shown_hw: tuple[int, int] | None = None,
    ) -> None:
        self.segmenter, self.image = segmenter, image
        self.spent = Spent() if spent is None else spent
        self._shown_hw = shown_hw
        self._states: list[Any] = []
        self._counted = False

    @property
    def size_hw(self) -> tuple[int, int]:
        """The image's height and width in px."""
        return self.image.shape[0], self.image.shape[1]

    @property
    def part(self) -> int:
        """Side of what pieces share of a picture, px."""
        return PART if getattr(self.segmenter, "encodes_parts", False) else SIDE

    def of(self, image: Image, shown_hw: tuple[int, int]) -> View:
        """A view of another image, on the same account.

        Args:
            shown_hw: its rows and columns that show something, px.
        """
        return View(self.segmenter, image, self.spent, shown_hw)

    def again(self) -> View:
        """The same image, encoded once for both, on an account that says what it costs alone."""
        view = View(self.segmenter, self.image)
        view._states = self._states
        return view

    def decode(self, prompt: Prompt) -> Prediction:
        """One mask per prompt."""
        self.spent.decoder_prompts += len(prompt)
        return self.segmenter.decode(self._state(), prompt)

    def answers(self, prompt: Prompt) -> Iterator[Answer]:
        """The soft mask of each prompt.

        Raises:
            ParameterError: the segmenter has none.
        """
        self.spent.decoder_prompts += len(prompt)
        answers: Iterator[Answer] = self._soft("answers")(self._state(), prompt)
        return answers

    def candidates(self, prompt: Prompt) -> Iterator[list[Answer]]:
        """Several soft masks for each prompt.

        Raises:
            ParameterError: the segmenter has none.
        """
        self.spent.decoder_prompts += len(prompt)
        answers: Iterator[list[Answer]] = self._soft("candidates")(self._state(), prompt)
        return answers

    def _state(self) -> Any:
        if not self._states:
            self._states.append(self._encoded())
        if not self._counted:
            self._counted = True
            height, width = self._shown_hw or self.size_hw
            self.spent.encoder_passes += height * width / (self.size_hw[0] * self.size_hw[1])
        return self._states[0]

    def _encoded(self) -> Any:
        if self._shown_hw is None or self._shown_hw == self.size_hw:
            return self.segmenter.encode(self.image)
        return self._soft("encode_corner")(self.image, self._shown_hw)

    def _soft(self, name: str) -> Any:
        method = getattr(self.segmenter, name, None)
        if method is None:
            named = getattr(self.segmenter, "name", type(self.segmenter).__name__)
            raise ParameterError(
                f"prompt: the recipe needs soft masks, got {named}; "
                "the segmenter sam gives them; use segmenter: sam or a recipe that asks once, "
                "such as hbox"
            )
        return method


class Asking(Protocol):
    """A recipe, or the inner layers of one."""

    def build(self, boxes: Boxes) -> Prompt:
        """The prompts that are asked first."""

    def answers(self, view: View, boxes: Boxes) -> Iterator[Answer]:
        """A soft mask for each box, in their order."""
