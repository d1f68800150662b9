"""``samrs nano train`` and ``samrs nano average`` write where they are told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.commands.calls import call, misused, refused


def test_training_gets_its_cycles_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("samrs.nano.train.train", lambda **given: asked.append(given))
    words = "nano train -c 3000+1250 --cycles 600+800 --out n.safetensors --workers 2 --items 7"
    assert call(*words.split()).exit_code == 0
    assert asked == [
        {
            "cycles": ("3000+1250", "600+800"),
            "out": Path("n.safetensors"),
            "start": None,
            "rehearsal": 1500,
            "items": 7,
            "seed": 0,
            "bank": Path(".work/nano/bank"),
            "work": Path(".work/nano"),
            "processes": 2,
            "workers": 2,
        }
    ]


def test_training_needs_cycles_and_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "Missing option '--out'" in misused(call("nano", "train", "-c", "1+1"))
    assert "Missing option '-c'" in misused(call("nano", "train", "--out", "n.safetensors"))
    assert not list(tmp_path.iterdir())


def test_the_mean_of_two_is_written(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 4.0)):
        save_file({"w": torch.full((2,), value)}, tmp_path / name)
    out = tmp_path / "mean"
    done = call("nano", "average", tmp_path / "a", tmp_path / "b", "--out", out)
    assert (done.exit_code, done.output) == (0, "")
    assert load_file(out)["w"].tolist() == [2.5, 2.5]


def test_weights_of_two_kinds_are_one_sentence(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "a")
    save_file({"w": torch.zeros(3)}, tmp_path / "b")
    words = ("nano", "average", tmp_path / "a", tmp_path / "b")
    assert "other tensors than" in refused(call(*words, "--out", tmp_path / "mean"))
    assert "Missing option '--out'" in misused(call(*words))
    assert not (tmp_path / "mean").exists()
