"""The examples of what the pre-trained encoder is good for train a step."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from examples import change, detector
from samrs.core.shards import write_manifest
from samrs.export.export import export
from samrs.training.encoder_file import save_encoder
from samrs.training.networks import MultiHeadNetwork
from tests.export.releases import write_release


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    network = MultiHeadNetwork("resnet18", None, "unet", {"sota": 2}, seed=1)
    save_encoder(network, "resnet18", folder, ["sota"])
    write_manifest(folder, {"encoder": "resnet18"})
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("boxes_only", [False, True])
def test_a_detector_starts_from_the_encoder_and_trains_on_the_coco_export(
    pretrained: Path, tmp_path: Path, boxes_only: bool
) -> None:
    export("coco", write_release(tmp_path / "release"), tmp_path / "exported")
    torch.manual_seed(0)
    model = detector.detector(pretrained, 4, boxes_only=boxes_only, side=64)
    ours = load_file(pretrained / "encoder.safetensors")
    body = model.backbone.body.state_dict()
    assert body.keys() == {n for n in ours if not n.endswith("num_batches_tracked")}
    assert all(torch.equal(body[name], ours[name]) for name in body)
    losses = detector.train(model, tmp_path / "exported", "train", steps=2, lr=0.001)
    assert len(losses) == 2
    assert all(np.isfinite(losses))
    assert any(not torch.equal(t, ours[n]) for n, t in model.backbone.body.state_dict().items())


@pytest.mark.slow
def test_changes_of_two_dates_are_learned_with_one_encoder(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "change.png"
    words = ["change", str(pretrained), str(out), "--steps", "2", "--side", "64"]
    monkeypatch.setattr(sys, "argv", words)
    change.main()
    assert out.stat().st_size
    before, after, changed = change.two_dates(3, 96)
    assert changed.any()
    assert np.array_equal(before[~changed], after[~changed])
    network = change.ChangeNetwork(pretrained)
    losses = change.train(network, steps=24, side=96, scenes=2)
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) / 2
