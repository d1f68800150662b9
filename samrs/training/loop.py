"""The one training loop, for pre-training and fine-tuning, on Lightning.

AdamW, cosine decay to zero, gradient norm clipped at 5 (SAMRS's recipe), a fixed number of steps.

Checkpoints lie in the caller's work folder. A killed run goes on from its last whole one and ends
with the same weights: the batches follow from the step (``sampling.py``), each step seeds torch,
and Lightning restores weights, optimizer, schedule and loop. That holds on one kind of machine
and number of threads: the order of floating-point sums differs between others.
"""

from __future__ import annotations

import logging
import math
import signal
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import cv2
import torch
import torch.nn.functional as F
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.utils.data import DataLoader

from samrs.core.errors import ParameterError
from samrs.core.progress import progress
from samrs.core.records import IGNORE
from samrs.training.checkpoints import KeptCheckpoints, last_checkpoint
from samrs.training.networks import MultiHeadNetwork
from samrs.training.sampling import StepSampler, split_batch
from samrs.training.tiles import Crops, SemanticTiles

Precision = Literal["32-true", "bf16-mixed"]
PRECISIONS = get_args(Precision)
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
)
"""Their versions may change weights or scores."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides a training besides its data; the parameters of that name in params.yaml.

    Args:
        steps: of the optimiser, at least 1.
        crop: side of a training crop in px, divisible by 32.
        batch_size: crops a step, over all subsets.
        lr: AdamW's learning rate at the start of the cosine.
        weight_decay: AdamW's.
        precision: one of ``PRECISIONS``; mixed bfloat16 is 2.4 times as fast where the CPU has AMX.
        seed: of the weights, the order of crops and their changes.
    """

    steps: int
    crop: int
    batch_size: int
    lr: float
    weight_decay: float
    precision: str
    seed: int

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


class SegmentationTask(LightningModule):
    """The network with its data, loss and optimizer.

    Args:
        sizes: number of tiles to train on by subset.
        workers: processes that read crops; 0 reads in this one.
    """

    def __init__(
        self,
        network: MultiHeadNetwork,
        crops: Crops,
        sizes: Mapping[str, int],
        recipe: Recipe,
        workers: int,
    ) -> None:
        super().__init__()
        self.network, self.crops, self.sizes = network, crops, dict(sizes)
        self.parts = split_batch(sizes, recipe.batch_size)
        self.recipe, self.workers = recipe, workers
        self.losses: list[float] = []

    def train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """The batches from the step on that training stands at; one epoch of Lightning is all."""
        sampler = StepSampler(
            self.sizes,
            self.parts,
            steps=self.recipe.steps,
            start=self.global_step,
            seed=self.recipe.seed,
        )
        return DataLoader(
            self.crops,
            sampler=sampler,
            batch_size=None,
            num_workers=self.workers,
            worker_init_fn=_one_thread,
        )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The sum of the subsets' losses on one batch."""
        torch.manual_seed(self.recipe.seed + 1 + self.global_step)
        logits = self.network(batch["images"], self.parts)
        labels = torch.split(batch["labels"], list(self.parts.values()))
        losses = [cross_entropy(logits[n], y) for n, y in zip(self.parts, labels, strict=True)]
        loss = torch.stack(losses).sum()
        self.losses.append(float(loss.detach()))
        self.log("loss", loss.detach())
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW under one cosine over all steps."""
        optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=self.recipe.lr,
            weight_decay=self.recipe.weight_decay,
            fused=True,
        )
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.recipe.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the norm, which Lightning refuses for a fused optimizer in mixed precision.

        Its reason, gradients that are still scaled, holds for float16 only.
        """
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_CLIP)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the loss of every step so far."""
        checkpoint["losses"] = torch.tensor(self.losses, dtype=torch.float64)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the losses back."""
        self.losses = checkpoint["losses"].tolist()


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of logits (B, C, H, W) over the labelled pixels of (B, H, W); 0 if none.

    Labelled pixels are picked first: the mean of none would be NaN, and the flat form of the loss
    is the one that is deterministic on GPUs.
    """
    known = labels != IGNORE
    picked = logits.movedim(1, -1)[known].float()
    total = F.cross_entropy(picked, labels[known].long(), reduction="sum")
    return total / max(int(known.sum()), 1)


class ShowProgress(Callback):
    """Progress of the steps: a bar on a terminal, quiet log lines elsewhere.

    Args:
        desc: what the bar is called.
    """

    def __init__(self, desc: str) -> None:
        self.desc = desc
        self._done: Iterator[int] = iter(())

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        left = range(trainer.global_step, int(trainer.max_steps))
        self._done = progress(left, desc=self.desc, unit="step")
        next(self._done, None)

    def on_train_batch_end(self, *_: Any) -> None:
        next(self._done, None)


def fit(
    network: MultiHeadNetwork,
    tiles: Mapping[str, SemanticTiles],
    indices: Mapping[str, Sequence[int]],
    work: Path,
    *,
    recipe: Recipe,
    desc: str,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
) -> list[float]:
    """Train a network in place; returns the loss of every step.

    Args:
        network: a head for each of ``tiles``.
        indices: the tiles of each subset to train on.
        work: folder of the checkpoints; a training found there goes on.
        desc: what to call it while it runs.
        runtime: ``device``, ``threads``, ``workers``: speed only.
        callbacks: more Lightning callbacks; ``trainer.callback_metrics["loss"]`` is the step's.

    Raises:
        ParameterError: the batch is smaller than the number of subsets.
        SystemExit: with status 143 when the process is told to terminate.
    """
    sizes = {name: len(indices[name]) for name in tiles}
    crops = Crops(tiles, indices, crop=recipe.crop, seed=recipe.seed)
    network.check_side(recipe.crop)
    network.to(memory_format=torch.channels_last)
    task = SegmentationTask(network, crops, sizes, recipe, int(runtime["workers"]))
    trainer = _trainer(recipe, work, runtime, [*callbacks, ShowProgress(desc)])
    with warnings.catch_warnings():
        # Lightning's hints about loader processes and its own deprecations are not the user's.
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")
        try:
            trainer.fit(task, ckpt_path=last_checkpoint(work), weights_only=True)
        except SIGTERMException as error:
            # Lightning's own ends the process with status 0, as if all were done.
            raise SystemExit(128 + signal.SIGTERM) from error
    network.eval()
    return task.losses


def _trainer(
    recipe: Recipe, work: Path, runtime: Mapping[str, Any], callbacks: list[Callback]
) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    if runtime["threads"] is not None:
        torch.set_num_threads(int(runtime["threads"]))
    # Determinism alone also fills fresh memory, a tenth of a step; nothing here reads such memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    keep_last = ModelCheckpoint(
        dirpath=work,
        filename="{step:07d}",
        save_top_k=1,
        every_n_train_steps=min(MAX_INTERVAL, math.ceil(recipe.steps / 5)),
    )
    return Trainer(
        accelerator=runtime["device"],
        devices=1,
        precision=cast(Precision, recipe.precision),
        max_steps=recipe.steps,
        max_epochs=1,
        deterministic="warn",  # "True" refuses UPerNet on GPUs: no deterministic pooling there
        callbacks=[*callbacks, keep_last],
        plugins=[KeptCheckpoints()],
        default_root_dir=work,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def device_of(runtime: Mapping[str, Any]) -> torch.device:
    """The device that ``runtime.device`` means: auto takes a GPU where there is one."""
    name = runtime["device"]
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def history_rows(losses: Sequence[float]) -> list[tuple[int, float]]:
    """Step and mean loss since the last row, at most about ``HISTORY_ROWS`` rows."""
    every = max(1, math.ceil(len(losses) / HISTORY_ROWS))
    rows = []
    for begin in range(0, len(losses), every):
        part = losses[begin : begin + every]
        rows.append((begin + len(part), round(sum(part) / len(part), 5)))
    return rows
