"""A step's batch follows from its number alone."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.data import DataLoader

from samrs.core.records import IGNORE
from samrs.training.crops import Crops, background_ids
from samrs.training.sampling import Draws, split_batch
from samrs.training.tiles import SemanticTiles
from tests.training import discs


def test_background_is_no_foreground() -> None:
    assert background_ids(["background", "ship"]) == (IGNORE, 0)
    assert background_ids(["building", "tree"]) == (IGNORE,)


def test_worker_processes_change_no_pixel(tmp_path: Path) -> None:
    product = discs.write(tmp_path / "sota", ["red", "green"], ["train", "train", "val"])
    tiles = {"sota": SemanticTiles(product, tmp_path / "cache")}
    parts = split_batch({"sota": 3}, 2)
    batches = []
    for workers in (0, 2):
        draws = Draws({"sota": 3}, parts, seed=0)
        crops = Crops(tiles, {"sota": [0, 1, 2]}, draws, crop=32, seed=0)
        loader = DataLoader(crops, sampler=range(4), batch_size=None, num_workers=workers)
        batches.append(list(loader))
    for a, b in zip(*batches, strict=True):
        assert a["images"].shape == (2, 3, 32, 32)
        assert torch.equal(a["images"], b["images"])
        assert torch.equal(a["labels"], b["labels"])
