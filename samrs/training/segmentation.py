"""Training a segmentation network on tiles with label maps, of pre-training and fine-tuning.

AdamW and one cosine (``optimizer.py``), the gradient's norm clipped, a fixed number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from samrs.core.errors import ParameterError
from samrs.training.crops import Crops
from samrs.training.loop import PRECISIONS, Task, fit
from samrs.training.networks import MultiHeadNetwork
from samrs.training.optimizer import Rates, optimizer_and_schedule
from samrs.training.ranks import sum_of_all
from samrs.training.sampling import Draws, split_batch
from samrs.training.tiles import SemanticTiles

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
        lr: AdamW's learning rate after the warm-up.
        weight_decay: AdamW's; norms, biases and tables of positions have none.
        encoder_rate: learning rate of the encoder, as a share of that of decoder and heads.
        layer_decay: share of a layer's learning rate that the layer before it has, for plain vision
            transformers (the paper: 0.9); None: all the same.
        warmup: steps in which the rate rises from 0.
        floor: share of the rate that is left at the end of the cosine.
        drop_path: largest share of an encoder's branches left out at random, for networks of timm
            that have such.
        clip: largest norm of a step's gradient (the paper: 5).
        precision: one of ``PRECISIONS``; ``bf16-mixed`` is 2.4 times as fast where the CPU has AMX,
            and takes ten times as long and more where it must emulate bfloat16.
    """

    steps: int
    crop: int
    batch_size: int
    lr: float
    weight_decay: float
    encoder_rate: float
    layer_decay: float | None
    warmup: int
    floor: float
    drop_path: float
    clip: float
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
        for name in ("encoder_rate", "floor", "drop_path", "layer_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ParameterError(
                    f"{name}: not a share, got {value}; 0 to 1 are allowed; correct it"
                )
        if self.clip <= 0 or not 0 <= self.warmup < max(self.steps, 1):
            raise ParameterError(
                f"clip and warmup: out of range, got {self.clip} and {self.warmup}; above 0, and 0 "
                f"to less than the {self.steps} steps, are allowed; correct them"
            )
        if self.steps < 1:
            raise ParameterError(
                f"steps: nothing to train, got {self.steps}; at least 1 is allowed; raise it"
            )


class SegmentationTask(Task):
    """A network and its crops.

    Args:
        crops: of subsets for which the network has heads.
    """

    def __init__(
        self,
        network: MultiHeadNetwork,
        crops: Crops,
        settings: Settings,
        *,
        seed: int,
    ) -> None:
        super().__init__(crops, steps=settings.steps, seed=seed, clip=settings.clip)
        self.network, self.crops, self.settings = network, crops, settings

    def part(self, rank: int, ranks: int) -> Crops:
        """Every so-manieth crop of each batch.

        Args:
            rank: of the process.
            ranks: number of processes.

        Raises:
            ParameterError: as in ``Crops.part``.
        """
        return self.crops.part(rank, ranks)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of the subsets' losses.

        Args:
            batch: of ``Crops``.
        """
        parts = dict(zip(self.crops.names, batch["parts"].tolist(), strict=True))
        total = sum_of_all if self.trainer.world_size > 1 else None
        return self.network.loss(batch["images"], batch["labels"], parts, total)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW and its schedule over all steps."""
        chosen = {field.name: getattr(self.settings, field.name) for field in fields(Rates)}
        optimizer, schedule = optimizer_and_schedule(self.network, Rates(**chosen))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


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
        runtime: see ``fit``: speed only.
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
        SegmentationTask(network, crops, settings, seed=seed),
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
