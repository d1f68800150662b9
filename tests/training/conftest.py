"""Tiny products, network and settings for the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from samrs.training.evaluation import Protocol
from tests.training import discs

ENCODER: dict[str, Any] = {
    "encoder": "tu-mobilenetv3_small_050",
    "encoder_weights": None,
    "decoder": "unet",
}
SETTINGS: dict[str, Any] = {
    "crop": 32,
    "batch_size": 5,
    "steps": 5,
    "lr": 0.001,
    "weight_decay": 0.05,
    "encoder_rate": 1.0,
    "layer_decay": None,
    "warmup": 0,
    "floor": 0.0,
    "drop_path": 0.0,
    "clip": 5.0,
    "validate": 0.0,
    "validate_every": 1000,
    "select": "last",
    "precision": "32-true",
}
SEED = 7
HELD_OUT = ("test", "val")
PROTOCOL = Protocol(window=None, stride=2 / 3, flip=True, scales=(1.0,), boundary=0)
RUNTIME: dict[str, Any] = {"device": "cpu", "threads": 1, "workers": 0}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("release")
    return {
        "sota": discs.write(root / "sota", ["red", "green"], ["train"] * 3 + ["val"]),
        "fast": discs.write(root / "fast", ["red", "green", "blue"], ["train"] * 6 + ["val"]),
    }


@pytest.fixture(scope="session")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("normalize")
    splits = ["train"] * 5 + ["val"] * 2
    return discs.write(root / "isaid", ["background", "red", "green"], splits, ground=0)
