"""Gates: pre-training learns what is easy to learn, and a fault in its parts is not overlooked."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import samrs.pretrain
from samrs.core.records import IGNORE
from samrs.pretrain import _held_out_miou, pretrain
from samrs.scenes.render import render_scene
from samrs.scenes.scene import LAND_COVERS
from samrs.training.evaluation import Protocol, confusion, scores
from samrs.training.networks import MultiHeadNetwork
from samrs.training.segmentation import train_network
from samrs.training.settings import Settings
from samrs.training.tiles import SemanticTiles
from tests.training import discs
from tests.training.conftest import ENCODER, HELD_OUT, RUNTIME, SEED, SETTINGS

GATE = 0.9
STEPS: dict[str, Any] = {**SETTINGS, "crop": 64, "batch_size": 8, "steps": 30, "lr": 0.003}


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two subsets that give the same colours other labels, so that no head can stand in."""
    root = tmp_path_factory.mktemp("coloured")
    splits = ["train"] * 8 + ["val"] * 3
    return {
        "sota": discs.write(root / "sota", ["red", "green", "blue"], splits, side=128),
        "fast": discs.write(root / "fast", ["green", "blue", "red"], splits, side=128),
    }


@pytest.fixture(scope="module")
def trained(
    coloured: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, float], tuple[Any, ...]]:
    """Scores of a pre-training, and what they were computed from."""
    root, asked = tmp_path_factory.mktemp("trained"), []

    def heard(*given: Any) -> dict[str, float]:
        asked.append(given)
        return _held_out_miou(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samrs.pretrain, "_held_out_miou", heard)
        told = pretrain(
            coloured,
            root / "out",
            root / "work",
            **ENCODER,
            hold_out=HELD_OUT,
            seed=SEED,
            settings=Settings(**STEPS),
            runtime=RUNTIME,
        )
    return told["miou"], asked[0]


def test_every_head_tells_coloured_discs_apart_after_30_steps(trained: Any) -> None:
    found, _ = trained
    assert set(found) == {"sota", "fast"}
    assert min(found.values()) >= GATE, found


def swap_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(
        network: MultiHeadNetwork, head: str, *rest: Any, **given: Any
    ) -> tuple[Tensor, Tensor]:
        return confusion(network, {"sota": "fast", "fast": "sota"}[head], *rest, **given)

    monkeypatch.setattr(samrs.pretrain, "confusion", swapped)


def shift_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(*given: Any, **named: Any) -> tuple[Tensor, Tensor]:
        return confusion(*given, **named)[0].roll(1, dims=0), torch.zeros(3, 3)

    monkeypatch.setattr(samrs.pretrain, "confusion", shifted)


def skip_normalisation(monkeypatch: pytest.MonkeyPatch) -> None:
    def raw(network: MultiHeadNetwork, *rest: Any, **given: Any) -> tuple[Tensor, Tensor]:
        network.mean.zero_()
        network.std.fill_(255.0)
        return confusion(network, *rest, **given)

    monkeypatch.setattr(samrs.pretrain, "confusion", raw)


@pytest.mark.parametrize("fault", [swap_heads, shift_ids, skip_normalisation])
def test_the_gate_sees_swapped_heads_shifted_ids_and_another_normalisation(
    fault: Any, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, (network, *rest) = trained
    fault(monkeypatch)
    assert min(_held_out_miou(deepcopy(network), *rest).values()) < GATE


@pytest.mark.slow
def test_one_tile_is_learned_by_heart(tmp_path: Path) -> None:
    scene = render_scene(3, size_hw=(256, 256), gsd=0.1, theme="residential")
    shown = sorted(set(np.unique(scene.land_cover).tolist()))
    labels = np.full(scene.land_cover.shape, IGNORE, np.uint8)
    for label, cover in enumerate(shown):
        labels[scene.land_cover == cover] = label
    names = [LAND_COVERS[cover] for cover in shown]
    product = discs.write_tiles(tmp_path / "p", names, [("train", scene.image, labels)])
    tiles = SemanticTiles(product, tmp_path / "cache")
    network = MultiHeadNetwork(**ENCODER, heads={"p": len(names)}, seed=SEED)
    settings = Settings(**{**STEPS, "steps": 500})
    train_network(
        network,
        {"p": tiles},
        {"p": [0]},
        tmp_path / "work",
        settings=settings,
        seed=SEED,
        desc="overfit",
        runtime=RUNTIME,
    )
    protocol = Protocol(window=128, stride=0.5, flip=True, scales=(1.0,), boundary=0)
    matrix, _ = confusion(network, "p", tiles, [0], protocol, desc="", crop=64, precision="32-true")
    found = scores(matrix, names)
    assert len(found["iou"]) >= 3
    assert found["miou"] >= 0.8, found
