"""The batch of each training step of nano: crops of the bank's pictures, with their questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from samrs.nano.dense_loss import dense_targets
from samrs.nano.items import draw_crop
from samrs.nano.questions import Questions, ask, draw_kinds
from samrs.nano.schedule import Cycle, cycle_at
from samrs.sam.nano import FRAME, PIXEL_MEAN, PIXEL_STD, TOKEN

SIZES = {256: (6, 12), 512: (2, 24), 1024: (1, 36)}
"""Crop side in px: crops a step and process, instances a crop."""
FIRST_ITEMS = 240
"""Of the bank, at the first step: it grows by one a step, so training need not wait for all."""


class Crops(torch.utils.data.Dataset[dict[str, Any]]):
    """A step's batch of one process as tensors; the same for the same seed, whoever draws it.

    Args:
        folder: of the bank.
        items: at most so many of the bank's.
        cycles: of the whole training.
        rank: of the process among those that share a step.
    """

    def __init__(self, folder: Path, *, seed: int, items: int, cycles: list[Cycle], rank: int):
        self.folder, self.seed, self.items = folder, seed, items
        self.cycles, self.rank = cycles, rank
        self.order = np.random.default_rng((seed, 3)).permutation(items)

    def __getitem__(self, step: int) -> dict[str, Any]:
        rng = np.random.default_rng((self.seed, step))
        cycle = cycle_at(self.cycles, step)
        mix = cycle.mix_at(step)
        # one size for all processes, or the others would wait for the largest
        size = int(rng.choice(list(mix), p=list(mix.values())))
        rng = np.random.default_rng((self.seed, step, self.rank))
        count, most = SIZES[size]
        bank = self.order[self.order < min(self.items, cycle.course.items)][: FIRST_ITEMS + step]
        kinds, whole, wide = draw_kinds(rng), cycle.course.whole, cycle.course.wide
        images: list[Any] = []
        dense: list[Any] = []
        asked: dict[int, list[Questions]] = {}
        for place in range(count):
            crop = draw_crop(rng, self.folder, bank=bank, size=size, most=most, wide=wide)
            images.append(normalised(crop.image, crop.filled_hw))
            dense.append(dense_targets(crop.ids))
            offset = rng.integers(0, (FRAME - size) // TOKEN + 1, 2)
            for one in ask(rng, crop.masks, place=place, offset=offset, kinds=kinds, whole=whole):
                asked.setdefault(one.targets.shape[-1], []).append(one)
        return {
            "images": torch.from_numpy(np.stack(images)),
            "dense": torch.from_numpy(np.stack(dense)),
            "asked": [Questions.joined(parts) for parts in asked.values()],
            "again": kinds[step % 2] if step % 4 < 2 else -1,
        }


def normalised(image: Any, filled_hw: tuple[int, int]) -> Any:
    """(3, n, n) float32 as `Sam.preprocess` gives it: zero where the crop is padding.

    Args:
        image: (n, n, 3) uint8.
        filled_hw: rows and columns that are no padding.
    """
    out = np.empty((3, *image.shape[:2]), np.float32)
    for channel, (mean, spread) in enumerate(zip(PIXEL_MEAN, PIXEL_STD, strict=True)):
        out[channel] = (image[..., channel].astype(np.float32) - mean) / spread
    out[:, filled_hw[0] :], out[:, :, filled_hw[1] :] = 0, 0
    return out
