"""Training a segmentation network on tiles with label maps, of pre-training and fine-tuning.

AdamW, cosine decay to zero, gradient norm clipped at 5 (SAMRS's recipe), a fixed number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from samrs.core.errors import ParameterError
from samrs.training.loop import PRECISIONS, Task, fit
from samrs.training.networks import MultiHeadNetwork
from samrs.training.sampling import Draws, split_batch
from samrs.training.tiles import Crops, SemanticTiles

GRADIENT_CLIP = 5.0
HISTORY_ROWS = 500
MAX_INTERVAL = 1000
"""Steps between checkpoints of a long run; a short one writes five."""
LIBRARIES = (
    "torch",
    "numpy",
    "opencv-python-headless",
    "lightning",
    "segmentation-models-pytorch",
    "timm",
    "torchmetrics",
    "transformers",
)
"""Their versions may change weights or scores."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a training besides its data; the hyper-parameters of a section of params.yaml.

    Args:
        crop: side of a training crop in px, divisible by 32.
        batch_size: crops a step, over all subsets.
        lr: AdamW's learning rate at the start of the cosine.
        weight_decay: AdamW's.
        precision: one of ``PRECISIONS``; mixed bfloat16 is 2.4 times as fast where the CPU has AMX.
    """

    steps: int
    crop: int
    batch_size: int
    lr: float
    weight_decay: float
    precision: str

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ParameterError(
                f"precision: unknown value, got {self.precision!r}; {', '.join(PRECISIONS)} are "
                "allowed; use one of these"
            )
        if self.crop < 32 or self.crop % 32:
            raise ParameterError(
                f"crop: does not fit the encoder's strides, got {self.crop}; multiples of 32 are "
                "allowed; use the next one"
            )
        if self.steps < 1:
            raise ParameterError(
                f"steps: nothing to train, got {self.steps}; at least 1 is allowed; raise it"
            )


class SegmentationTask(Task):
    """A network and its crops.

    Args:
        parts: crops of each subset in a batch, in the order in which they stand there.
    """

    def __init__(
        self,
        network: MultiHeadNetwork,
        crops: Crops,
        parts: Mapping[str, int],
        settings: Settings,
        *,
        seed: int,
    ) -> None:
        super().__init__(crops, steps=settings.steps, seed=seed, clip=GRADIENT_CLIP)
        self.network, self.parts, self.settings = network, parts, settings

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of the subsets' losses.

        Args:
            batch: ``images`` (B, 3, H, W) and ``labels`` (B, H, W) of all subsets, in their order.
        """
        return self.network.loss(batch["images"], batch["labels"], self.parts)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cosine over all steps."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.settings.lr,
            weight_decay=self.settings.weight_decay,
            fused=True,
        )
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.settings.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}


def train_network(
    network: MultiHeadNetwork,
    tiles: Mapping[str, SemanticTiles],
    indices: Mapping[str, Sequence[int]],
    work: Path,
    *,
    settings: Settings,
    seed: int,
    desc: str,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
) -> list[float]:
    """Train a network in place; returns the loss of every step.

    Args:
        network: a head for each of ``tiles``.
        indices: the tiles of each subset to train on.
        work: folder of the checkpoints; a training found there goes on.
        seed: of crops, their order and random layers.
        desc: what to call it while it runs.
        runtime: ``device``, ``threads``, ``workers``: speed only.
        callbacks: more Lightning callbacks, see ``fit``.

    Raises:
        ParameterError: the batch is smaller than the number of subsets, or the encoder does not
            take crops of this size.
        TrainingError: a loss is not finite.
        SystemExit: with status 143 when the process is told to terminate.
    """
    sizes = {name: len(indices[name]) for name in tiles}
    parts = split_batch(sizes, settings.batch_size)
    draws = Draws(sizes, parts, seed=seed)
    crops = Crops(tiles, indices, draws, crop=settings.crop, seed=seed)
    network.check_side(settings.crop)
    network.to(memory_format=torch.channels_last)
    losses = fit(
        SegmentationTask(network, crops, parts, settings, seed=seed),
        work,
        every=min(MAX_INTERVAL, math.ceil(settings.steps / 5)),
        precision=settings.precision,
        desc=desc,
        runtime=runtime,
        callbacks=callbacks,
    )
    network.eval()
    return losses


def history_rows(losses: Sequence[float]) -> list[tuple[int, float]]:
    """Step and mean loss since the last row, at most about ``HISTORY_ROWS`` rows."""
    every = max(1, math.ceil(len(losses) / HISTORY_ROWS))
    rows = []
    for begin in range(0, len(losses), every):
        part = losses[begin : begin + every]
        rows.append((begin + len(part), round(sum(part) / len(part), 5)))
    return rows
