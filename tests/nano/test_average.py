"""The mean of two weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from samrs.nano.average import average
from samrs.sam.checkpoints import CheckpointError


def test_the_mean_of_two_in_their_own_precision(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 4.0)):
        tensors = {"w": torch.full((2, 3), value).half(), "f": torch.tensor([value])}
        save_file(tensors, tmp_path / name)
    average(tmp_path / "a", tmp_path / "b", tmp_path / "mean")
    mean = load_file(tmp_path / "mean")
    assert mean["w"].dtype == torch.float16
    assert mean["w"].unique().tolist() == [2.5]
    assert mean["f"].tolist() == [2.5]


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "a")
    save_file({"w": torch.zeros(3)}, tmp_path / "b")
    with pytest.raises(CheckpointError, match=r"other tensors than .*, got w "):
        average(tmp_path / "a", tmp_path / "b", tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
