"""Batches of random crops, as a torch dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from samrs.core.errors import ParameterError
from samrs.core.records import BACKGROUND, IGNORE
from samrs.training.augmentation import augment
from samrs.training.blocks import Image
from samrs.training.sampling import Draw, Draws
from samrs.training.tiles import SemanticTiles


class Crops(Dataset[dict[str, Tensor]]):
    """Batches of augmented crops, by the number of the step.

    Each crop depends on the seed and its draw only, so neither the order of reading nor the number
    of worker processes changes it.

    Args:
        subsets: tiles of each subset.
        indices: tiles of each subset to draw from; a draw's place points into these.
        draws: which of them a step sees.
        crop: side in px.
    """

    def __init__(
        self,
        subsets: Mapping[str, SemanticTiles],
        indices: Mapping[str, Sequence[int]],
        draws: Draws,
        *,
        crop: int,
        seed: int,
    ) -> None:
        self.names, self.tiles = list(subsets), list(subsets.values())
        self.indices = [list(indices[name]) for name in subsets]
        self.draws, self.crop, self.seed = draws, crop, seed
        self.rank, self.ranks = 0, 1

    def part(self, rank: int, ranks: int) -> Crops:
        """What one of several processes sees: every so-manieth crop of each batch.

        Args:
            rank: of the process.
            ranks: number of processes.

        Raises:
            ParameterError: a batch has fewer crops than there are processes.
        """
        if (size := sum(self.draws.parts)) < ranks:
            raise ParameterError(
                f"batch_size: too small for {ranks} processes, got {size}; at least {ranks} is "
                "allowed, one crop each; raise it or lower runtime.devices"
            )
        found = copy(self)
        found.rank, found.ranks = rank, ranks
        return found

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """``images`` (B, 3, crop, crop) and ``labels`` (B, crop, crop), both uint8; ``parts``
        (subsets,) crops of each."""
        draws = self.draws.batch(step)[self.rank :: self.ranks]
        pairs = list(self._crops(draws))
        counts = np.bincount([draw.subset for draw in draws], minlength=len(self.tiles))
        return {
            "images": torch.from_numpy(np.stack([image for image, _ in pairs])),
            "labels": torch.from_numpy(np.stack([labels for _, labels in pairs])),
            "parts": torch.from_numpy(counts),
        }

    def _crops(self, draws: list[Draw]) -> Iterator[tuple[Image, Image]]:
        for draw in draws:
            tiles = self.tiles[draw.subset]
            rng = np.random.default_rng([self.seed, 1, *draw])
            tile = tiles.tile(self.indices[draw.subset][draw.place])
            yield augment(tile, self.crop, background_ids(tiles.categories), rng)


def background_ids(categories: Sequence[str]) -> tuple[int, ...]:
    """Labels that are no foreground: unlabelled and, where there is one, the background class."""
    return (IGNORE, *(i for i, name in enumerate(categories) if name == BACKGROUND))
