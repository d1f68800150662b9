"""Prompts of a tile answered some at a time, in halves where memory does not do for them."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from samrs.core.errors import ParameterError
from samrs.prompting.soft_masks import to_prediction
from samrs.prompting.types import Answer, Prediction, Prompt
from samrs.sam.batches import out_of_memory
from samrs.sam.computing import one_thread
from samrs.sam.frame import Logits

log = logging.getLogger("samrs")
ONE, SEVERAL = slice(0, 1), slice(1, None)
"""Of a decoder's mask tokens: ``multimask_output=False`` and True."""


class Chunked(ABC):
    """A segmenter that answers prompts of an encoded image with logits of its frame.

    Attributes:
        name: its file in ``samrs/segmenters``.
    """

    name: str

    @property
    @abstractmethod
    def chunk(self) -> int:
        """Prompts worth giving at once."""

    @abstractmethod
    def _low_res(
        self, state: Any, prompt: Prompt, which: slice
    ) -> tuple[Logits, NDArray[np.float32]]:
        """Logits (B, M, h, w) of the whole frame and predicted IoUs (B, M) of one chunk."""

    @abstractmethod
    def answer(self, low_res: Logits, iou: np.float32, state: Any) -> Answer:
        """One soft mask, brought to the tile's px.

        Args:
            low_res: (h, w) logits of the whole frame.
            iou: as predicted.
            state: what ``encode`` gave for the image.
        """

    def decode(self, state: Any, prompt: Prompt) -> Prediction:
        """One mask per prompt; boxes, points and masks may come together.

        Args:
            state: what ``encode`` gave for the image.

        Raises:
            ParameterError: the prompt holds none of them.
        """
        if prompt.is_empty:
            raise ParameterError(
                f"segmenter {self.name}: empty prompt, got no box, point or mask; at least one is "
                "needed; choose a recipe of samrs/prompts"
            )
        return to_prediction(self.answers(state, prompt), state.size_hw)

    def answers(self, state: Any, prompt: Prompt) -> Iterator[Answer]:
        """The soft mask of each prompt (``multimask_output=False``).

        Args:
            state: what ``encode`` gave for the image.
        """
        for (answer,) in self._answered(state, prompt, ONE):
            yield answer

    def candidates(self, state: Any, prompt: Prompt) -> Iterator[list[Answer]]:
        """The three masks for each prompt (``multimask_output=True``).

        Args:
            state: what ``encode`` gave for the image.
        """
        yield from self._answered(state, prompt, SEVERAL)

    def _answered(self, state: Any, prompt: Prompt, which: slice) -> Iterator[list[Answer]]:
        one_thread()
        for start in range(0, len(prompt), self.chunk):
            part = prompt.take(slice(start, start + self.chunk))
            for logits, ious in self._low_res_of(state, part, which):
                yield [self.answer(*pair, state) for pair in zip(logits, ious, strict=True)]

    def _low_res_of(
        self, state: Any, prompt: Prompt, which: slice
    ) -> Iterator[tuple[Logits, NDArray[np.float32]]]:
        """Logits (M, h, w) and predicted IoUs (M,) of each prompt; in halves where memory does not
        do."""
        try:
            low_res, ious = self._low_res(state, prompt, which)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not out_of_memory(error) or len(prompt) == 1:
                raise
            half = len(prompt) // 2
        else:
            yield from zip(low_res, ious, strict=True)
            return
        log.warning(
            "segmenter %s: out of memory with %d prompts, now %d", self.name, len(prompt), half
        )
        for part in (slice(0, half), slice(half, len(prompt))):
            yield from self._low_res_of(state, prompt.take(part), which)
