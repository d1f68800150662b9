"""Trainings are validated on tiles set aside, keep their best network, and log as they run."""

from __future__ import annotations

import csv
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from samrs.core.errors import ParameterError
from samrs.training.settings import Settings
from samrs.training.watching import COLUMNS, _rows_until, best, set_aside
from tests.training.conftest import SETTINGS
from tests.training.kill import Kill, status_of
from tests.training.test_segmentation import train

VALIDATED: dict[str, Any] = {"validate": 0.3, "validate_every": 3}


def rows(work: Path) -> list[dict[str, str]]:
    with (work / "logs/run/log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_killed_validated_training_goes_on_and_ends_with_the_same(
    releases: dict[str, Path], tmp_path: Path
) -> None:
    straight, trained = train(releases, tmp_path / "straight", **VALIDATED)
    work = tmp_path / "killed"
    status = status_of(train, releases, work, Kill(7, signal.SIGKILL), **VALIDATED)
    assert status == -signal.SIGKILL
    assert [row["step"] for row in rows(work)][-1] in {"6", "7"}
    resumed, again = train(releases, work, **VALIDATED)
    assert again.losses == trained.losses
    assert again.scores == trained.scores
    assert list(trained.scores) == [3, 6, 9, 10]
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
    assert rows(work) == rows(tmp_path / "straight")
    assert [row["step"] for row in rows(work)] == [str(step) for step in range(1, 11)]
    told = {int(row["step"]): row["miou"] for row in rows(work) if row["miou"]}
    assert told == {step: f"{score:.4f}" for step, score in trained.scores.items()}


@pytest.mark.parametrize("tail", ["", "3", "3,0.5", "3,0.5,0.1,0.", "\n", "3,0.5\n", "\0\0\n"])
def test_a_row_that_a_kill_left_half_is_dropped(tmp_path: Path, tail: str) -> None:
    whole = [["1", "0.7", "0.1", ""], ["2", "0.6", "0.1", "0.3"]]
    text = "".join(",".join(row) + "\n" for row in [[*COLUMNS], *whole]) + tail
    (tmp_path / "log.csv").write_text(text, encoding="utf-8")
    assert _rows_until(tmp_path / "log.csv", 3) == whole
    assert _rows_until(tmp_path / "log.csv", 1) == whole[:1]
    assert _rows_until(tmp_path / "none.csv", 3) == []


def test_the_best_network_is_selected_and_the_last_kept_beside_it(
    releases: dict[str, Path], tmp_path: Path
) -> None:
    last, one = train(releases, tmp_path / "a", **VALIDATED)
    chosen, other = train(releases, tmp_path / "b", **VALIDATED, select="best")
    found = best(tmp_path / "b" / "run")
    assert found is not None
    step, score, _ = found
    assert score == max(one.scores.values())
    assert step == min(s for s, value in one.scores.items() if value == score)
    assert one.other is not None
    assert other.other is not None
    for name, weight in last.state_dict().items():
        assert torch.equal(other.other[name], weight)
        assert torch.equal(one.other[name], chosen.state_dict()[name])


def test_tiles_set_aside_are_not_trained_on() -> None:
    train, aside = set_aside(range(0, 40, 2), 0.1, 5)
    assert (len(train), len(aside)) == (18, 2)
    assert sorted([*train, *aside]) == list(range(0, 40, 2))
    assert set_aside([4, 6], 0.9, 5)[0]
    assert set_aside([4], 0.5, 5) == ([4], [])
    assert set_aside([4, 6], 0.0, 5) == ([4, 6], [])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"select": "best"}, "select: not weights to take, got 'best' with validate 0"),
        ({"select": "first"}, "select: not weights to take, got 'first'"),
        ({"validate": 1.0}, "validate and validate_every: out of range, got 1.0"),
        ({"validate_every": 0}, "validate and validate_every: out of range"),
    ],
)
def test_a_validation_that_cannot_be_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Settings(**{**SETTINGS, **wrong})


def test_tensorboard_shows_losses_and_scores(releases: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="samrs[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, trained = train(releases, tmp_path, **VALIDATED, tensorboard=True)
    events = EventAccumulator(str(tmp_path / "logs/run")).Reload()
    assert [event.step for event in events.Scalars("loss")] == list(range(1, 11))
    assert [event.value for event in events.Scalars("loss")] == pytest.approx(trained.losses)
    assert {e.step: e.value for e in events.Scalars("validation/miou")} == pytest.approx(
        trained.scores, abs=1e-6
    )
