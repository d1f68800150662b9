"""What is written and measured while a network trains: its log, and scores on tiles set aside.

``log.csv`` has a row a step (step, loss, rate, miou; the last where the network was validated) as
they come, so that ``tail -f`` shows a training of days. With ``runtime.tensorboard`` the same
goes to TensorBoard's files beside it. A training that goes on after a kill cuts both back to its
checkpoint. The network of the best score so far is kept beside the checkpoints.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from samrs.core.errors import ParameterError
from samrs.training.loop import Task
from samrs.work.kept import keep, kept

LOG, BEST = "log.csv", "best.pt"
COLUMNS = ("step", "loss", "rate", "miou")


def set_aside(indices: Sequence[int], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Tiles to train on, and those that are validated on instead; none of two is left without.

    Args:
        indices: of the training tiles.
        share: that is set aside; at least one tile where it is above 0 and there are two.
        seed: of the choice.
    """
    if share == 0 or len(indices) < 2:
        return list(indices), []
    count = min(max(1, round(share * len(indices))), len(indices) - 1)
    order = np.random.default_rng([seed, 3]).permutation(len(indices))
    chosen = {int(i) for i in order[:count]}
    train = [index for i, index in enumerate(indices) if i not in chosen]
    return train, [indices[i] for i in sorted(chosen)]


class Validate(Callback):
    """Scores the network every so many steps and after the last; keeps that of the best score.

    Args:
        work: folder of the checkpoints.
        every: steps.
        score: of the task's network; more is better.
        scores: where they go, by step.
    """

    def __init__(
        self, work: Path, every: int, score: Callable[[Any], float], scores: dict[int, float]
    ) -> None:
        self.work, self.every, self.score, self.scores = work, every, score, scores

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Score it where it is time.

        Args:
            trainer: Lightning's.
            pl_module: the task.
        """
        step = trainer.global_step
        if step % self.every and step != trainer.max_steps:
            return
        if trainer.is_global_zero:
            found = self.score(pl_module.network)
            pl_module.train()
            before = best(self.work)
            if before is None or (found, -step) > (before[1], -before[0]):
                state = {n: t.cpu() for n, t in pl_module.state_dict().items()}
                content = io.BytesIO()
                torch.save({"step": step, "miou": found, "state": state}, content)
                self.work.mkdir(parents=True, exist_ok=True)
                keep(self.work / BEST, content.getvalue())
            self.scores[step] = found
        trainer.strategy.barrier()


def best(work: Path) -> tuple[int, float, dict[str, Tensor]] | None:
    """Step, score and state of the best network that ``Validate`` kept.

    Args:
        work: folder of the checkpoints.
    """
    content = kept(work / BEST)
    if content is None:
        return None
    said = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return int(said["step"]), float(said["miou"]), said["state"]


class Log(Callback):
    """Writes ``log.csv``, and TensorBoard's files where asked for, a step at a time.

    Args:
        folder: for both; kept when the training is done.
        scores: of ``Validate``, by step; read where it ran before.
        tensorboard: whether its files are written.

    Raises:
        ParameterError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path, scores: dict[int, float], *, tensorboard: bool) -> None:
        self.folder, self.scores, self.tensorboard = folder, scores, tensorboard
        if tensorboard:
            check_tensorboard()
        self._file: Any = None
        self._writer: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the files, cut back to the step that training stands at.

        Args:
            trainer: Lightning's.
            pl_module: the task.
        """
        if not trainer.is_global_zero:
            return
        step = trainer.global_step
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / LOG
        rows = _rows_until(path, step)
        self._file = path.open("w", newline="", encoding="utf-8")
        csv.writer(self._file, lineterminator="\n").writerows([COLUMNS, *rows])
        self._file.flush()
        if self.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder), purge_step=step + 1)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Write the step.

        Args:
            trainer: Lightning's.
            pl_module: the task.
        """
        if self._file is None:
            return
        step, loss = trainer.global_step, cast(Task, pl_module).losses[-1]
        rate = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        score = self.scores.get(step)
        row = [step, f"{loss:.6g}", f"{rate:.6g}", "" if score is None else f"{score:.4f}"]
        csv.writer(self._file, lineterminator="\n").writerow(row)
        self._file.flush()
        if self._writer is not None:
            self._writer.add_scalar("loss", loss, step)
            self._writer.add_scalar("rate", rate, step)
            if score is not None:
                self._writer.add_scalar("validation/miou", score, step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the files.

        Args:
            trainer: Lightning's.
            pl_module: the task.
        """
        for opened in (self._file, self._writer):
            if opened is not None:
                opened.close()
        self._file = self._writer = None


def _rows_until(path: Path, step: int) -> list[list[str]]:
    """The rows of a log up to a step; the one that a kill left half is none of them."""
    with suppress(FileNotFoundError):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        rows = csv.reader(line for line in lines if line.endswith("\n"))
        whole = (row for row in rows if len(row) == len(COLUMNS) and row[0].isdecimal())
        return [row for row in whole if int(row[0]) <= step]
    return []


def check_tensorboard() -> None:
    """Refuse logs for TensorBoard where it is not installed.

    Raises:
        ParameterError: it is not.
    """
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise ParameterError(
            f"params.yaml: TensorBoard is not installed, got runtime.tensorboard true and {error}; "
            "the package tensorboard is needed; pip install 'samrs[tensorboard]', or set it to "
            "false and read log.csv"
        ) from error
