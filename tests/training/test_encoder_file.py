"""The encoder's file goes into the libraries' own models, by the lines of its card."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from safetensors.torch import load_file

from samrs.training.encoder_file import save_encoder
from samrs.training.networks import MultiHeadNetwork

TIMM_ONLY = [
    "tu-swin_tiny_patch4_window7_224",
    "tu-convnext_atto",
    "tu-mobilenetv3_small_050",
    "tu-hiera_tiny_224",
]


def written(encoder: str, folder: Path) -> MultiHeadNetwork:
    network = MultiHeadNetwork(encoder, None, "unet", {"sota": 2}, seed=5).eval()
    save_encoder(network, encoder, folder, ["sota"])
    return network


def test_resnet_18_fits_timm_torchvision_and_smp_strictly(tmp_path: Path) -> None:
    network = written("resnet18", tmp_path)
    weights = load_file(tmp_path / "encoder.safetensors")
    images = torch.randn(1, 3, 64, 64)
    wanted = network.encoder(images)[-1]
    torch.testing.assert_close(
        loaded(timm.create_model("resnet18", num_classes=0), weights).forward_features(images),
        wanted,
    )
    whole = torchvision.models.resnet18()
    whole.fc = whole.avgpool = torch.nn.Identity()
    torch.testing.assert_close(loaded(whole, weights)(images), wanted.flatten(1))
    body = smp.Unet("resnet18", encoder_weights=None).encoder
    torch.testing.assert_close(loaded(body, weights)(images)[-1], wanted)


def loaded(model: Any, weights: dict[str, torch.Tensor]) -> Any:
    model.load_state_dict(weights, strict=True)
    return model.eval()


@pytest.mark.parametrize("encoder", TIMM_ONLY)
def test_an_encoder_of_timm_gives_timms_own_model_the_same_features(
    encoder: str, tmp_path: Path
) -> None:
    network = written(encoder, tmp_path)
    model = timm.create_model(encoder.removeprefix("tu-"), num_classes=0).eval()
    found = model.load_state_dict(load_file(tmp_path / "encoder.safetensors"), strict=False)
    assert found.unexpected_keys == []
    assert len(found.missing_keys) <= 2
    images = torch.randn(1, 3, 224, 224)
    last = network.encoder(images)[-1]
    taken = model.forward_intermediates(images, intermediates_only=True)[-1]
    torch.testing.assert_close(taken, last)


@pytest.mark.parametrize(
    ("encoder", "libraries"),
    [
        ("resnet18", ["timm", "torchvision", "segmentation_models_pytorch"]),
        ("mobilenet_v2", ["torchvision", "segmentation_models_pytorch"]),
        ("tu-resnet18", ["timm", "torchvision"]),
        ("tu-convnext_atto", ["timm"]),
    ],
)
def test_the_lines_of_the_card_run(encoder: str, libraries: list[str], tmp_path: Path) -> None:
    written(encoder, tmp_path)
    card = (tmp_path / "encoder.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", card, re.MULTILINE) == libraries
    with contextlib.chdir(tmp_path):
        for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
            exec(code, {})  # noqa: S102 (the card's own lines)
