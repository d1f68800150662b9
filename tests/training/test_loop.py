"""The loop repeats, resumes after a kill, goes on for longer, and keeps no more than it needs."""

from __future__ import annotations

import logging
import random
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import Tensor, nn
from torch.utils.data import Dataset

from samrs.core.errors import ParameterError, TrainingError
from samrs.training.checkpoints import last_checkpoint
from samrs.training.loop import Task, fit
from tests.training.conftest import RUNTIME
from tests.training.kill import Kill, status_of


class Numbers(Dataset[Tensor]):
    """Eight numbers a step, from the step's number alone."""

    def __getitem__(self, step: int) -> Tensor:
        return torch.randn(8, 4, generator=torch.Generator().manual_seed(step))


class Fit(Task):
    """A layer with dropout, so that a step that is not seeded is found."""

    def __init__(self, steps: int = 10, broken: int | None = None) -> None:
        super().__init__(Numbers(), steps=steps, seed=3, clip=1.0)
        torch.manual_seed(0)
        self.layer, self.broken = nn.Linear(4, 1), broken

    def loss(self, batch: Tensor) -> Tensor:
        said = nn.functional.dropout(self.layer(batch), 0.5)
        wrong = torch.inf if self.global_step == self.broken else 0.0
        return (said - 1).square().mean() + wrong

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.layer.parameters(), lr=0.1)


def trained(work: Path, *callbacks: Callback, every: int = 3, **given: Any) -> Fit:
    task = Fit(**given)
    fit(task, work, every=every, desc="test", runtime=RUNTIME, callbacks=callbacks)
    return task


def files(work: Path) -> list[str]:
    return sorted(path.name for path in work.iterdir())


def equal(one: Task, other: Task) -> bool:
    weights = other.state_dict()
    same = all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())
    return same and one.losses == other.losses


def test_a_killed_training_ends_with_the_same_weights_and_losses(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole")
    kept = []
    for after, how in ((2, signal.SIGKILL), (5, signal.SIGKILL), (7, signal.SIGTERM)):
        status = status_of(trained, tmp_path / "killed", Kill(after, how))
        assert status == (-how if how == signal.SIGKILL else 128 + how)
        kept.append(files(tmp_path / "killed") if (tmp_path / "killed").exists() else [])
    assert kept == [[], ["step=0000003.ckpt"], ["step=0000006.ckpt"]]
    assert equal(trained(tmp_path / "killed"), whole)


def test_a_damaged_checkpoint_is_removed_and_the_training_begins_without_it(
    tmp_path: Path,
) -> None:
    work, rng = tmp_path / "work", random.Random(2)
    whole = trained(work, every=4)
    (path,) = work.iterdir()
    content = path.read_bytes()
    for bit in rng.sample(range(8 * len(content)), 20):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert last_checkpoint(work) is None
        assert not path.exists()
    path.write_bytes(content[:-1])
    assert equal(trained(work, every=4), whole)


def test_one_checkpoint_is_kept_and_the_last_step_has_one(tmp_path: Path) -> None:
    trained(tmp_path, every=4)
    assert files(tmp_path) == ["step=0000010.ckpt"]


def test_a_finished_training_takes_no_step_and_gives_the_same(tmp_path: Path) -> None:
    first = trained(tmp_path)
    assert equal(trained(tmp_path, broken=0), first)


def test_a_finished_training_goes_on_where_more_steps_are_asked_for(tmp_path: Path) -> None:
    trained(tmp_path, steps=4)
    longer = trained(tmp_path, steps=10, broken=3)
    assert equal(longer, trained(tmp_path / "whole"))
    assert files(tmp_path) == ["step=0000010.ckpt", "whole"]


def test_a_loss_that_is_no_number_ends_it_and_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="step 5: the loss is no number, got inf"):
        trained(tmp_path, broken=5)
    assert files(tmp_path) == ["step=0000003.ckpt"]


def test_a_task_of_one_process_says_so_where_there_are_more() -> None:
    task = Fit()
    assert task.part(0, 1) is task.batches
    with pytest.raises(ParameterError, match=r"^runtime\.devices: Fit is of one process, got 2; "):
        task.part(1, 2)


def test_a_quiet_training_reads_checkpoints_and_writes_none(tmp_path: Path) -> None:
    trained(tmp_path, steps=3)
    task = Fit(broken=2)
    fit(task, tmp_path, every=1, desc="test", runtime=RUNTIME, quiet=True)
    assert equal(task, trained(tmp_path / "whole"))
    assert files(tmp_path) == ["step=0000003.ckpt", "whole"]


def test_progress_shows_the_loss(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samrs.core.progress.LOG_SECONDS", 0.0)
    with caplog.at_level(logging.INFO, "samrs"):
        task = trained(tmp_path, steps=2)
    assert "test: 1/2 steps, " in caplog.text
    assert f"loss {task.losses[0]:.4f}" in caplog.text


def test_batches_drawn_by_other_processes_are_the_same(tmp_path: Path) -> None:
    task = Fit()
    fit(task, tmp_path / "drawn", every=9, desc="test", runtime={**RUNTIME, "workers": 2})
    assert equal(task, trained(tmp_path / "whole"))
