"""What a box is, taught to nano's decoder before there is anything to see.

Over noise instead of an image's embedding, the answer to a prompt is the filled box. Without the
image encoder a step costs a fraction, and geometry is what costs SAM's decoder most steps: it has
only sines of the corners' coordinates to go by.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from samrs.nano.questions import KINDS, Questions, ask, draw_kinds
from samrs.nano.schedule import COURSES, Cycle
from samrs.nano.task import NanoTask
from samrs.nano.trainee import Trainee, answer_loss, windows
from samrs.sam.nano import FRAME, MASK_STRIDE, TOKEN

SIZES = ((8, 32), (16, 12))
"""Tokens a side, rectangles a step; every fourth step takes the second."""


class Rectangles(Dataset[Questions]):
    """Each step's questions about filled boxes, of one kind."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __getitem__(self, step: int) -> Questions:
        rng = np.random.default_rng((self.seed, 1, step))
        kind = draw_kinds(rng)[step % 2]
        kind = 0 if "point" in KINDS[kind] else kind
        grid, count = SIZES[int(step % 4 == 0)]
        asked: list[Questions] = []
        for _ in range(count):
            asked += _rectangle(rng, kind, grid)
        return Questions.joined(asked).take(kind)


def _rectangle(rng: np.random.Generator, kind: int, grid: int) -> list[Questions]:
    """The question about a rectangle in a square of `grid` tokens, somewhere in the frame."""
    side = grid * TOKEN
    width, height = np.exp(rng.uniform(np.log(5), np.log(0.95 * side), 2)).astype(int)
    x, y = rng.integers(0, side - width + 1), rng.integers(0, side - height + 1)
    mask = np.zeros((1, side, side), np.bool_)
    mask[0, y : y + height, x : x + width] = True
    offset = rng.integers(0, FRAME // TOKEN - grid + 1, 2)
    return ask(
        rng,
        mask,
        place=0,
        offset=offset,
        kinds=(kind, kind),
        whole=COURSES[0].whole,
        windows=(grid,),
    )


class Rehearsal(NanoTask):
    """Some steps of box filling, in one cycle of which the last third cools down.

    Args:
        steps: 1 or more.
    """

    def __init__(self, model: Trainee, *, steps: int, seed: int) -> None:
        stable = int(0.7 * steps)
        super().__init__(model, Rectangles(seed), [Cycle(0, 0, stable, steps - stable)], seed=seed)
        self.noise = torch.Generator().manual_seed(seed)

    def loss(self, batch: Questions) -> Tensor:
        """The mean loss of a step's questions, a batch of ``Rectangles``."""
        side = batch.targets.shape[-1] * MASK_STRIDE // TOKEN
        pe = self.model.sam.prompt_encoder.get_dense_pe()[0].permute(1, 2, 0).flatten(0, 1)
        where = windows(pe, batch.place * 0, batch.offset, FRAME // TOKEN, side)
        image = torch.randn(where.shape, generator=self.noise)
        logits, scores = self.model.answer(image, where, batch)
        return answer_loss(logits, scores, batch).mean()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep where the noise stands, too."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["noise"] = self.noise.get_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with the noise."""
        super().on_load_checkpoint(checkpoint)
        self.noise.set_state(checkpoint["noise"])
