"""Trains nano on procedural scenes and shapes, on the CPU, and writes its weights.

    samrs nano train --cycles 3000+1250 --cycles 4000+2000 --out nano.safetensors

SAM's training, made small: each crop is encoded once, its instances are asked for with mixed
prompts (boxes, points, masks, sums), some again with the first answer as mask prompt; the losses
are SAM's kind (pixel-wise, dice, and the squared error of the predicted IoU). A crop stands
anywhere in the 1024 px frame, since the encoder knows no absolute position. What is written is a
running mean of the weights (``task.py``).

``--start`` goes on from weights of a file, such as the bundled ones, with cycles as the last are.

Progress is kept under ``--work``, in a folder for each seed, number of processes and start: the
same command goes on where it was stopped, further cycles prolong a finished run, and larger numbers
one that does not cool down yet.

``--processes`` share a step, each with its own crops and one thread; their gradients are averaged.
Two of them use two cores better than two threads do, which wait for each other thousands of times a
step. The weights depend on their number, as on the seed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import start_processes

from samrs.core.progress import tell, told
from samrs.core.shards import sha256
from samrs.nano.crops import Crops
from samrs.nano.rehearsal import Rehearsal
from samrs.nano.schedule import COURSES, Cycle, cycles_of
from samrs.nano.start import first_model, model_from
from samrs.nano.task import NanoTask, RunningMean
from samrs.nano.trainee import batch_loss
from samrs.training.loop import fit


def train(
    *,
    cycles: Sequence[str],
    items: int,
    seed: int,
    bank: Path,
    work: Path,
    out: Path,
    start: Path | None = None,
    rehearsal: int = 0,
    keep_every: int = 100,
    processes: int = 1,
    workers: int = 1,
) -> None:
    """Train for the steps of all cycles, going on from what is found in the work folder.

    Args:
        cycles: each "stable+cooldown", in steps.
        items: at most so many of the bank's.
        bank: folder of pictures; those that are missing are drawn.
        start: weights to go on from, without a rehearsal; the cycles are further ones of theirs.
        rehearsal: steps of box filling before the first one.
        keep_every: steps between two checkpoints, with which the weights are written to ``out``.
        processes: that share a step; they change the result.
        workers: further processes drawing crops for each; speed only.

    Raises:
        ParameterError: a cycle is not readable.
        ProductError: ``start`` does not hold nano's weights.
        TrainingError: a loss is not finite.
    """
    begun = f"rehearsal-{rehearsal}" if start is None else f"start-{sha256(start)[:8]}"
    run = Run(
        cycles=cycles_of(cycles, before=0 if start is None else len(COURSES) - 1),
        items=items,
        seed=seed,
        bank=bank,
        work=work / f"seed-{seed}-processes-{processes}-{begun}",
        out=out,
        start=start,
        rehearsal=0 if start else rehearsal,
        every=keep_every,
        workers=workers,
    )
    if processes == 1:
        run.train(0)
        return
    run.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run.work) as meeting:
        arguments = (run, processes, Path(meeting) / "meeting", told())
        start_processes(_one_of, arguments, nprocs=processes)  # type: ignore[no-untyped-call]


def _one_of(rank: int, run: Run, processes: int, meeting: Path, level: int) -> None:
    """One of several training processes."""
    tell(level)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting.absolute()}", rank=rank, world_size=processes
    )
    run.train(rank)
    distributed.destroy_process_group()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A training run, as ``train`` is asked for it.

    Args:
        every: steps between two checkpoints.
    """

    cycles: list[Cycle]
    items: int
    seed: int
    bank: Path
    work: Path
    out: Path
    start: Path | None
    rehearsal: int
    every: int
    workers: int

    def train(self, rank: int) -> None:
        """The part of one process.

        Args:
            rank: of the process; 0 alone rehearses, and writes.
        """
        runtime = {"device": "cpu", "threads": 1, "workers": self.workers}
        torch.set_num_threads(1)
        model = first_model(self.seed) if self.start is None else model_from(self.start, self.seed)
        if self.rehearsal and rank == 0:
            task: NanoTask = Rehearsal(model, steps=self.rehearsal, seed=self.seed)
            fit(
                task, self.work / "rehearsal", every=self.every, desc="nano: boxes", runtime=runtime
            )
        _take_from_the_first(model)
        crops = Crops(self.bank, seed=self.seed, items=self.items, cycles=self.cycles, rank=rank)
        task = Training(model, crops, self.cycles, seed=self.seed)
        mean = [RunningMean(model, self.out, self.every)] if rank == 0 else []
        fit(
            task,
            self.work,
            every=self.every,
            desc="nano",
            runtime=runtime,
            callbacks=mean,
            quiet=rank > 0,
        )


class Training(NanoTask):
    """Questions about crops of drawn scenes; several processes share each step."""

    def loss(self, batch: dict[str, Any]) -> Tensor:
        """The loss of a batch of ``Crops``."""
        return batch_loss(self.model, batch)

    def on_after_backward(self) -> None:
        """Average the gradients over the processes."""
        if not distributed.is_initialized():
            return
        held = [p for p in self.model.parameters() if p.requires_grad]
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in held]
        flat = torch.cat([part.flatten() for part in parts])
        distributed.all_reduce(flat)
        flat /= distributed.get_world_size()
        for p, part in zip(held, torch.split(flat, [p.numel() for p in held]), strict=True):
            p.grad = part.view_as(p)


def _take_from_the_first(model: nn.Module) -> None:
    """Give every process the weights of the first."""
    if distributed.is_initialized():
        for value in model.state_dict().values():
            distributed.broadcast(value, 0)
