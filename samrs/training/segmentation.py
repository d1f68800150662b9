"""Training a segmentation network on tiles with label maps, of pre-training and fine-tuning.

AdamW and one cosine (``optimizer.py``), the gradient's norm clipped, a fixed number of steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lightning.pytorch import Callback
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor

from samrs.training.crops import Crops
from samrs.training.evaluation import PLAIN, confusion, scores
from samrs.training.loop import Task, fit
from samrs.training.networks import MultiHeadNetwork
from samrs.training.optimizer import Rates, optimizer_and_schedule
from samrs.training.ranks import sum_of_all
from samrs.training.sampling import Draws, split_batch
from samrs.training.settings import Settings, device_of
from samrs.training.tiles import SemanticTiles
from samrs.training.watching import Log, Validate, best, set_aside

HISTORY_ROWS = 500
MAX_INTERVAL = 1000
"""Steps between checkpoints of a long run; a short one writes five."""


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


class Trained(NamedTuple):
    """What a training gave beside the network.

    Attributes:
        losses: of every step.
        scores: mean mIoU over subsets of the tiles set aside, by step.
        other: the state of the last or the best network, whichever was not selected; None without
            validation.
    """

    losses: list[float]
    scores: dict[int, float]
    other: dict[str, Tensor] | None


@dataclass(frozen=True)
class _Score:
    """The mean over subsets of mIoU on tiles set aside."""

    tiles: Mapping[str, SemanticTiles]
    aside: Mapping[str, Sequence[int]]
    settings: Settings
    desc: str

    def __call__(self, network: MultiHeadNetwork) -> float:
        options: dict[str, Any] = {"crop": self.settings.crop}
        options |= {"precision": self.settings.precision, "desc": f"{self.desc}: validation"}
        found = [
            scores(
                confusion(network, name, self.tiles[name], aside, PLAIN, **options)[0],
                self.tiles[name].categories,
            )["miou"]
            for name, aside in self.aside.items()
            if aside
        ]
        return float(np.mean(found))


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
) -> Trained:
    """Train a network in place.

    Args:
        network: a head for each of ``tiles``.
        indices: the tiles of each subset to train on.
        work: folder of the checkpoints; a training found there goes on. Its log is in
            ``logs`` beside it (``watching.py``).
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
    split = {name: set_aside(indices[name], settings.validate, seed) for name in tiles}
    indices, aside = ({name: each[i] for name, each in split.items()} for i in range(2))
    sizes = {name: len(indices[name]) for name in tiles}
    parts = split_batch(sizes, settings.batch_size)
    draws = Draws(sizes, parts, seed=seed)
    crops = Crops(tiles, indices, draws, crop=settings.crop, seed=seed)
    network.check_side(settings.crop)
    network.lay_out(device_of(runtime), settings.precision)
    task = SegmentationTask(network, crops, settings, seed=seed)
    watch: list[Callback] = []
    if any(aside.values()):
        score = _Score(tiles, aside, settings, desc)
        watch = [Validate(work, settings.validate_every, score, task.scores)]
    logs = work.parent / "logs" / work.name
    watch.append(Log(logs, task.scores, tensorboard=bool(runtime.get("tensorboard"))))
    losses = fit(
        task,
        work,
        every=min(MAX_INTERVAL, math.ceil(settings.steps / 5)),
        precision=settings.precision,
        desc=desc,
        runtime=runtime,
        callbacks=[*callbacks, *watch],
    )
    network.eval()
    return Trained(losses, task.scores, _select(network, work, settings.select))


def _select(network: MultiHeadNetwork, work: Path, select: str) -> dict[str, Tensor] | None:
    """Give a network the selected state; the other one."""
    found = best(work)
    if found is None:
        return None
    state = {name.removeprefix("network."): t for name, t in found[2].items()}
    if select == "last":
        return state
    last = {name: t.detach().cpu().clone() for name, t in network.state_dict().items()}
    network.load_state_dict(state)
    return last


def history_rows(losses: Sequence[float]) -> list[tuple[int, float]]:
    """Step and mean loss since the last row, at most about ``HISTORY_ROWS`` rows."""
    every = max(1, math.ceil(len(losses) / HISTORY_ROWS))
    rows = []
    for begin in range(0, len(losses), every):
        part = losses[begin : begin + every]
        rows.append((begin + len(part), round(sum(part) / len(part), 5)))
    return rows
