"""A small training whose norms are of groups, so that several processes do what one does.

python -m torch.distributed.run --nproc-per-node 2 -m tests.training.together PRODUCT WORK OUT
"""

from __future__ import annotations

import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback
from torch import nn

from samrs.core.shards import write_json
from samrs.training.networks import MultiHeadNetwork
from samrs.training.ranks import is_first
from samrs.training.segmentation import SegmentationTask, train_network
from samrs.training.settings import Settings
from samrs.training.tiles import SemanticTiles
from tests.training.conftest import ENCODER, RUNTIME, SEED, SETTINGS


def descend(task: SegmentationTask) -> torch.optim.Optimizer:
    """Plain descent: AdamW makes steps of full size out of gradients that are rounding alone."""
    return torch.optim.SGD(task.network.parameters(), lr=0.05)


class Here(Callback):
    """Brings this module, and so ``descend``, to processes that are begun."""


def with_groups(module: nn.Module) -> None:
    """Put norms of groups in the place of batch norms."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            act = getattr(child, "act", nn.Identity())  # timm joins norm and activation
            setattr(module, name, nn.Sequential(nn.GroupNorm(1, child.num_features), act))
        else:
            with_groups(child)


def trained(
    product: Path, work: Path, *, devices: int = 1, steps: int = 4, **wrong: Any
) -> tuple[MultiHeadNetwork, list[float]]:
    """Network and losses of a training on two subsets, three crops of one and two of the other."""
    tiles = {name: SemanticTiles(product / name, work / "tiles") for name in ("sota", "fast")}
    network = MultiHeadNetwork(**ENCODER, heads={"sota": 2, "fast": 3}, seed=0)
    with_groups(network)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SegmentationTask, "configure_optimizers", descend)
        found = train_network(
            network,
            tiles,
            {name: list(range(len(found))) for name, found in tiles.items()},
            work / f"{devices}",
            settings=Settings(**{**SETTINGS, "steps": steps, **wrong}),
            seed=SEED,
            desc="test",
            runtime={**RUNTIME, "devices": devices},
            callbacks=[Here()],
        )
    return network, found.losses


if multiprocessing.current_process().name != "MainProcess":
    SegmentationTask.configure_optimizers = descend  # type: ignore[assignment, method-assign]

if __name__ == "__main__":
    _, found = trained(Path(sys.argv[1]), Path(sys.argv[2]))
    if is_first():
        write_json(Path(sys.argv[3]), found)
