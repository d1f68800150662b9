"""The one training loop, on Lightning: of pre-training, fine-tuning and nano.

A fixed number of steps. ``Task`` says what a step is: batch, loss, optimizer and rate.

Checkpoints lie in the caller's work folder. A killed run goes on from its last one and ends with
the same weights: a step's batch follows from its number, each step seeds torch, and Lightning
restores weights, optimizer, schedule and loop. In float32 on an x86-64 CPU the sums of a network of
convolutions follow neither the CPU nor the number of threads; elsewhere this holds on one kind of
machine (docs/decisions/training-in-float32.md).
"""

from __future__ import annotations

import logging
import math
import signal
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import cv2
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from samrs.core.errors import ParameterError, TrainingError
from samrs.core.progress import progress, tell, told
from samrs.training.bfloat16 import warn_of_emulation
from samrs.training.checkpoints import KeptCheckpoints, checkpoint_path, last_checkpoint
from samrs.training.ranks import check_together, sum_of_all, told_plainly, trainer_options
from samrs.training.settings import Precision, device_of

PREFETCHED = 4
"""Batches that each worker process draws ahead."""
RECENT = 20
"""Steps whose mean loss is shown."""


class Task(LightningModule, ABC):
    """What is trained and how; a subclass adds ``loss`` and Lightning's ``configure_optimizers``.

    Args:
        batches: the batch of each step, by its number from 0; the same whoever asks.
        steps: of the whole training.
        seed: each step seeds torch's global generator with it and its number.
        clip: largest norm of a step's gradient.
    """

    def __init__(self, batches: Dataset[Any], *, steps: int, seed: int, clip: float) -> None:
        super().__init__()
        self.batches, self.steps, self.seed, self.clip = batches, steps, seed, clip
        self.workers = 0
        self.threads: int | None = None
        self.losses: list[float] = []
        self.scores: dict[int, float] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come to a process that Lightning began, and set it up."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        _prepare(self.threads)
        _ignore_hints()
        if self.workers:
            cv2.setNumThreads(1)

    def part(self, rank: int, ranks: int) -> Dataset[Any]:
        """What one of several processes sees of each batch; ``training_step`` sums their losses.

        Args:
            rank: of the process.
            ranks: number of processes; a task that knows of none takes 1.

        Raises:
            ParameterError: the task is of one process.
        """
        if ranks > 1:
            raise ParameterError(
                f"runtime.devices: {type(self).__name__} is of one process, got {ranks}; 1 is "
                "allowed; set it to 1"
            )
        return self.batches

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """The loss of a step's batch, a scalar; of several processes their sum is the step's."""

    def train_dataloader(self) -> DataLoader[Any]:
        """The batches from the step on that training stands at; one epoch of Lightning is all."""
        return DataLoader(
            self.part(self.global_rank, self.trainer.world_size),
            sampler=_StepsLeft(self.global_step, self.steps),
            batch_size=None,
            num_workers=self.workers,
            prefetch_factor=PREFETCHED if self.workers else None,
            worker_init_fn=_one_thread,
        )

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One step's loss; Lightning does the rest.

        Args:
            batch: what the task's batches give for this step.

        Raises:
            TrainingError: the loss is not finite.
        """
        torch.manual_seed(self.seed + 1 + self.global_step + (self.global_rank << 32))
        loss = self.loss(batch)
        # nano's processes share steps by themselves, and each is Lightning's only one
        whole = sum_of_all(loss) if self.trainer.world_size > 1 else loss.detach()
        value = float(whole)
        if not math.isfinite(value):
            raise TrainingError(
                f"step {self.global_step}: the loss is no number, got {value}; a finite one is "
                "needed; lower the learning rate, or look at what the step's batch holds"
            )
        self.losses.append(value)
        self.log("loss", whole)
        return loss * self.trainer.world_size  # as their gradients are averaged

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the norm, which Lightning refuses for a fused optimizer in mixed precision.

        Its reason, gradients that are still scaled, holds for float16 only.
        """
        torch.nn.utils.clip_grad_norm_(self.parameters(), self.clip)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the loss of every step and the scores so far."""
        checkpoint["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        checkpoint["scores"] = torch.tensor(list(self.scores.items()), dtype=torch.float64)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take losses and scores back."""
        self.losses = checkpoint["losses"].tolist()
        found = checkpoint.get("scores", torch.empty(0, 2)).tolist()  # older ones have none
        self.scores.update((int(step), score) for step, score in found)


def fit(
    task: Task,
    work: Path,
    *,
    every: int,
    precision: str = "32-true",
    desc: str,
    runtime: Mapping[str, Any],
    callbacks: Sequence[Callback] = (),
    quiet: bool = False,
) -> list[float]:
    """Train a task's network in place; returns the loss of every step.

    Args:
        work: folder of the checkpoints; a training found there goes on.
        every: steps between two checkpoints; there is one after the last step as well.
        precision: one of ``settings.PRECISIONS``.
        desc: what to call it while it runs.
        runtime: ``device``, ``threads``, ``devices`` that train together (``ranks.py``) and
            ``workers``, processes that draw batches (0: this one): speed only.
        callbacks: more Lightning callbacks; ``trainer.callback_metrics["loss"]`` is the step's.
        quiet: writes and shows nothing, for a process that trains along with another.

    Raises:
        ParameterError: there are fewer GPUs than ``devices``, or batch norms are to be trained on
            several CPUs.
        TrainingError: a loss is not finite, or a process of several ended from outside.
        SystemExit: with status 143 when the process is told to terminate.
    """
    task.workers, task.threads = int(runtime["workers"]), runtime["threads"]
    own: list[Callback] = [] if quiet else [_ShowProgress(desc), _Keep(work, every)]
    trainer = _trainer(task, precision, runtime, [*callbacks, *own])
    warn_of_emulation(precision, trainer.strategy.root_device.type, desc)
    with _opencv_without_threads(task.workers), warnings.catch_warnings(), told_plainly():
        _ignore_hints()
        try:
            trainer.fit(task, ckpt_path=last_checkpoint(work), weights_only=True)
        except SIGTERMException as error:
            # Lightning's own ends the process with status 0, as if all were done.
            raise SystemExit(128 + signal.SIGTERM) from error
    if len(task.losses) < task.steps and (path := last_checkpoint(work)):
        # the steps were taken in processes of their own
        task.on_load_checkpoint(KeptCheckpoints().load_checkpoint(path))
    return task.losses


def _ignore_hints() -> None:
    """Lightning's hints about loader processes and its own deprecations are not the user's."""
    warnings.filterwarnings("ignore", module="lightning")
    warnings.filterwarnings("ignore", module="torch.optim.lr_scheduler")


def _prepare(threads: int | None) -> None:
    """Settings of a process that trains."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if threads is not None:
        torch.set_num_threads(int(threads))
    # Determinism alone also fills fresh memory, a tenth of a step; nothing here reads such memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _trainer(
    task: Task, precision: str, runtime: Mapping[str, Any], callbacks: list[Callback]
) -> Trainer:
    _prepare(runtime["threads"])
    options = trainer_options(runtime)
    check_together(task, options, device_of(runtime))
    return Trainer(
        accelerator=runtime["device"],
        **options,
        precision=cast(Precision, precision),
        max_steps=task.steps,
        max_epochs=1,
        deterministic="warn",  # "True" refuses UPerNet on GPUs: no deterministic pooling there
        callbacks=callbacks,
        plugins=[KeptCheckpoints()],
        enable_checkpointing=any(isinstance(one, Checkpoint) for one in callbacks),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )


class _StepsLeft(Sampler[int]):
    """The numbers of the steps from ``start`` on.

    Its length is of the whole training, as Lightning counts an epoch's batches from its beginning,
    and one more: a checkpoint of an epoch's last batch would not go on where more steps are asked
    for.
    """

    def __init__(self, start: int, steps: int) -> None:
        self.start, self.steps = start, steps

    def __len__(self) -> int:
        return self.steps + 1

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.steps))


class _ShowProgress(Callback):
    """Progress of the steps: a bar on a terminal, quiet log lines elsewhere."""

    def __init__(self, desc: str) -> None:
        self.desc, self.told = desc, told()
        self._done: Iterator[int] = iter(())

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        task = cast(Task, pl_module)

        def note() -> str:
            recent = task.losses[-RECENT:]
            return f"loss {sum(recent) / max(len(recent), 1):.4f}"

        if not trainer.is_global_zero:
            return
        tell(self.told)  # of several processes each is a new one
        left = range(trainer.global_step, task.steps)
        self._done = progress(left, desc=self.desc, unit="step", note=note)
        next(self._done, None)

    def on_train_batch_end(self, *_: Any) -> None:
        next(self._done, None)


class _Keep(Checkpoint):
    """Keeps the last checkpoint; the one before goes once it is on the disk."""

    def __init__(self, work: Path, every: int) -> None:
        self.work, self.every = work, every

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        step = trainer.global_step
        if step % self.every and step != trainer.max_steps:
            return
        path, earlier = checkpoint_path(self.work, step), list(self.work.glob("*.ckpt"))
        trainer.save_checkpoint(path)
        for other in earlier:
            if other != path and trainer.is_global_zero:
                other.unlink()


@contextmanager
def _opencv_without_threads(workers: int) -> Iterator[None]:
    """Stop OpenCV's threads before loader processes are forked.

    A fork takes over OpenCV's pool but not its threads, so that a forked process which sets their
    number waits for them for ever.

    Args:
        workers: number of loader processes.
    """
    threads = cv2.getNumThreads()
    if workers:
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _one_thread(_: int) -> None:
    torch.set_num_threads(1)
