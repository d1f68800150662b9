"""Which samples a training step sees: proportional over subsets, no sample lost, none starved.

SAMRS splits a batch over its subsets in proportion to their sizes and truncates: 12 becomes
2 + 1 + 8, and a batch below 8 gives a subset nothing. Here the parts add up to the batch and every
subset gets at least one sample.

The stream is a function of the seed and the step alone, so a resumed run goes on with the batches
the killed one would have seen, whatever the number of loader processes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError


class Draw(NamedTuple):
    """One sample of a batch: its subset's number, its epoch there, its place in the subset."""

    subset: int
    epoch: int
    place: int


def check_batch(*, batch_size: int, parts: int) -> None:
    """Refuse a batch that has no room for each subset.

    Args:
        batch_size: crops a step.
        parts: number of subsets.

    Raises:
        ParameterError: it is smaller than the number of subsets.
    """
    if batch_size < parts:
        raise ParameterError(
            f"batch_size: too small for {parts} subsets, got {batch_size}; at least {parts} is "
            "allowed, one sample each; raise it"
        )


def split_batch(sizes: Mapping[str, int], batch_size: int) -> dict[str, int]:
    """Samples of each subset in a batch: largest remainders of the proportional share, minimum 1.

    Args:
        sizes: number of samples by subset, each at least 1.

    Returns:
        Parts by subset, in the order of ``sizes``; they add up to ``batch_size``.

    Raises:
        ParameterError: the batch is smaller than the number of subsets, or a subset is empty.
    """
    for name, size in sizes.items():
        if size < 1:
            raise ParameterError(
                f"{name}: nothing to train on, got {size} samples; at least 1 is needed; check the "
                "splits of its product or leave the subset out"
            )
    check_batch(batch_size=batch_size, parts=len(sizes))
    total = sum(sizes.values())
    quotas = {name: batch_size * size / total for name, size in sizes.items()}
    parts = {name: max(1, math.floor(quota)) for name, quota in quotas.items()}
    while sum(parts.values()) < batch_size:
        parts[max(parts, key=lambda name: quotas[name] - parts[name])] += 1
    while sum(parts.values()) > batch_size:
        spare = [name for name in parts if parts[name] > 1]
        parts[min(spare, key=lambda name: quotas[name] - parts[name])] -= 1
    return parts


def epoch_steps(sizes: Mapping[str, int], parts: Mapping[str, int]) -> int:
    """Steps after which every sample of every subset was seen: the largest need of a subset.

    Args:
        sizes: samples of each subset.
        parts: samples of each subset in a batch.
    """
    return max(math.ceil(size / parts[name]) for name, size in sizes.items())


class Draws:
    """The samples of each step's batch.

    Each subset is walked through in an endless chain of seeded permutations, an epoch each, so it
    loses no sample at a batch's or an epoch's end.

    Args:
        sizes: number of samples by subset.
        parts: samples of each subset in a batch, from ``split_batch``.
    """

    def __init__(self, sizes: Mapping[str, int], parts: Mapping[str, int], *, seed: int) -> None:
        self.sizes, self.parts = list(sizes.values()), [parts[name] for name in sizes]
        self.seed = seed
        self._orders: dict[int, tuple[int, NDArray[np.int64]]] = {}

    def batch(self, step: int) -> list[Draw]:
        """The draws of a step, subset after subset."""
        return [
            self._draw(subset, step * part + k)
            for subset, part in enumerate(self.parts)
            for k in range(part)
        ]

    def _draw(self, subset: int, position: int) -> Draw:
        epoch, place = divmod(position, self.sizes[subset])
        kept = self._orders.get(subset)
        if kept is None or kept[0] != epoch:
            rng = np.random.default_rng([self.seed, subset, epoch])
            kept = self._orders[subset] = (epoch, rng.permutation(self.sizes[subset]))
        return Draw(subset, epoch, int(kept[1][place]))
