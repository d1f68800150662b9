"""Hiera at any size against timm's own networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from samrs.training.encoder_file import save_encoder
from samrs.training.hiera import HieraEncoder, positions
from samrs.training.networks import MultiHeadNetwork

HIERA, ABSWIN = "hiera_tiny_224", "hiera_small_abswin_256"
OWN = {HIERA: 224, ABSWIN: 256}


def encoder(name: str) -> HieraEncoder:
    torch.manual_seed(0)
    found = HieraEncoder(name).eval()
    for table in (found.body.pos_embed, found.body.pos_embed_win):
        if table is not None:  # as large as the patches, so that a wrong table shows
            torch.nn.init.normal_(table)
    return found


def timms(name: str, weights: dict[str, Tensor], **options: Any) -> Any:
    """timm's own network, whose features need no head."""
    model = timm.create_model(name, **options)
    model.reset_classifier(0, reset_other=True)
    model.load_state_dict(weights)
    return model.eval()


@torch.inference_mode()
def assert_same(found: HieraEncoder, model: Any, images: Tensor) -> None:
    levels, wanted = found(images), model.forward_intermediates(images, intermediates_only=True)
    assert len(levels) == len(wanted) + 2
    for level, want, stride in zip(levels[2:], wanted, (4, 8, 16, 32), strict=True):
        assert level.shape[2:] == (images.shape[2] // stride, images.shape[3] // stride)
        torch.testing.assert_close(level, want)


@pytest.mark.parametrize("name", [HIERA, ABSWIN])
def test_at_its_own_size_it_answers_as_timm_does(name: str) -> None:
    found = encoder(name)
    images = torch.randn(1, 3, OWN[name], OWN[name])
    assert_same(found, timms(name, found.body.state_dict()), images)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (HIERA, (128, 128)),
        (HIERA, (160, 160)),
        (HIERA, (192, 96)),
        (ABSWIN, (32, 32)),
        (ABSWIN, (160, 160)),
    ],
)
def test_at_other_sizes_it_answers_as_timms_network_made_for_that_size(
    name: str, size: tuple[int, int]
) -> None:
    found = encoder(name)
    weights = dict(found.body.state_dict())
    if name == HIERA:  # timm has a table of one size; the other's two tables serve all sizes
        weights["pos_embed"] = positions(found.body, (size[0] // 4, size[1] // 4)).detach()
    assert_same(found, timms(name, weights, img_size=size), torch.randn(1, 3, *size))


@pytest.mark.parametrize("grid", [(32, 32), (48, 24), (56, 56)])
def test_what_repeats_from_unit_to_unit_still_does_at_another_size(grid: tuple[int, int]) -> None:
    body = encoder(HIERA).body
    unit = torch.randn(96, 8, 8)
    with torch.no_grad():
        body.pos_embed.copy_(unit.repeat(1, 7, 7).flatten(1).T[None])
    wanted = unit.repeat(1, grid[0] // 8, grid[1] // 8).flatten(1).T[None]
    torch.testing.assert_close(positions(body, grid), wanted)


def test_what_goes_slowly_over_the_image_still_does_at_another_size() -> None:
    body = encoder(HIERA).body

    def wave(columns: int) -> Tensor:
        return torch.cos(torch.pi * (torch.arange(columns) + 0.5) / columns)

    with torch.no_grad():
        body.pos_embed.copy_(wave(56).repeat(56)[None, :, None].expand_as(body.pos_embed))
    for columns in (16, 32, 112):
        table = positions(body, (24, columns)).unflatten(1, (24, columns))[0, :, :, 0]
        torch.testing.assert_close(table, wave(columns).expand(24, -1), atol=0.01, rtol=0)


def test_tables_of_all_sizes_are_learned() -> None:
    found = encoder(HIERA).train()
    sum(level.square().sum() for level in found(torch.randn(1, 3, 96, 96))[2:]).backward()
    assert found.body.pos_embed.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in found.parameters())


def loaded_with_table(table: Tensor, folder: Path) -> MultiHeadNetwork:
    weights = {**encoder(HIERA).body.state_dict(), "pos_embed": table.contiguous()}
    save_file(weights, folder / "other.safetensors")
    file = str(folder / "other.safetensors")
    return MultiHeadNetwork(f"tu-{HIERA}", file, "unet", {"sota": 2}, seed=0)


def test_a_file_of_another_size_keeps_what_repeats(tmp_path: Path) -> None:
    unit = torch.randn(96, 8, 8)
    network = loaded_with_table(unit.repeat(1, 12, 12).flatten(1).T[None], tmp_path)
    assert network.loaded is not None
    assert network.loaded["resampled"] == ["body.pos_embed"]
    found = network.encoder.state_dict()["body.pos_embed"]
    torch.testing.assert_close(found, unit.repeat(1, 7, 7).flatten(1).T[None])


def test_a_table_that_is_not_of_whole_units_is_left_out(tmp_path: Path) -> None:
    told = loaded_with_table(torch.randn(1, 20 * 20, 96), tmp_path).loaded
    assert told is not None
    assert (told["left_out"], told["missing"]) == (["pos_embed"], ["body.pos_embed"])


@pytest.mark.parametrize("name", [HIERA, ABSWIN])
def test_weights_go_from_timm_to_the_encoder_and_back(name: str, tmp_path: Path) -> None:
    model = timm.create_model(name, num_classes=0).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    save_file(model.state_dict(), tmp_path / "theirs.safetensors")
    network = MultiHeadNetwork(
        f"tu-{name}", str(tmp_path / "theirs.safetensors"), "unet", {"sota": 2}, seed=0
    ).eval()
    told = network.loaded
    assert told is not None
    assert (told["resampled"], told["missing"]) == ([], [])
    assert told["left_out"] == ["head.norm.bias", "head.norm.weight"]
    assert told["loaded"] == len(model.state_dict()) - 2
    save_encoder(network, f"tu-{name}", tmp_path, ["sota"])
    back = load_file(tmp_path / "encoder.safetensors")
    images = torch.randn(1, 3, OWN[name], OWN[name])
    assert_same(network.encoder, timms(name, back), images)  # type: ignore[arg-type]
    assert all(torch.equal(tensor, model.state_dict()[key]) for key, tensor in back.items())
