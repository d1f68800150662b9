"""Files of other programs as an encoder's first weights."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from samrs.core.errors import MissingInputError, ParameterError, ProductError
from samrs.core.shards import read_manifest, sha256
from samrs.finetune.finetune import finetune
from samrs.pretrain import pretrain
from samrs.training.networks import MultiHeadNetwork
from samrs.training.settings import Settings
from tests.training.conftest import ENCODER, HELD_OUT, PROTOCOL, RUNTIME, SEED, SETTINGS

VIT, SWIN = "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"
HEADS = {"a": 2}


def loaded(encoder: str, path: Path) -> tuple[MultiHeadNetwork, dict[str, Any]]:
    network = MultiHeadNetwork(encoder, str(path), "unet", HEADS, seed=0).eval()
    assert network.loaded is not None
    return network, network.loaded


def random_state(model: torch.nn.Module) -> dict[str, Tensor]:
    torch.manual_seed(3)
    return {
        name: torch.randn_like(t) if t.is_floating_point() else t
        for name, t in model.state_dict().items()
    }


def vit_state(**options: Any) -> dict[str, Tensor]:
    return random_state(timm.create_model(VIT, num_classes=0, **options))


def test_mae_loads_whole_and_its_decoder_is_left_out(tmp_path: Path) -> None:
    state = vit_state()
    extra = {"mask_token": torch.zeros(1, 1, 8), "decoder_embed.weight": torch.zeros(8, 8)}
    torch.save(
        {"model": {**state, **extra}, "epoch": 3, "args": argparse.Namespace(lr=1)},
        tmp_path / "mae.pth",
    )
    network, told = loaded(f"tu-{VIT}", tmp_path / "mae.pth")
    assert told["kind"] == "MAE"
    assert told["sha256"] == sha256(tmp_path / "mae.pth")
    assert (told["loaded"], told["resampled"]) == (len(state), [])
    assert told["left_out"] == ["decoder_embed.weight", "mask_token"]
    assert all(name.startswith("fpn") for name in told["missing"])
    for name, tensor in state.items():
        assert torch.equal(network.encoder.state_dict()[f"body.{name}"], tensor), name


def test_windows_take_the_projections_and_keep_their_own_tables(tmp_path: Path) -> None:
    state = vit_state()
    save_file(state, tmp_path / "mae.safetensors")
    network, told = loaded(f"tu-{VIT}+rvsa", tmp_path / "mae.safetensors")
    assert told["loaded"] == len(state)
    weight = network.encoder.state_dict()["body.blocks.0.attn.qkv.weight"]
    assert torch.equal(weight, state["blocks.0.attn.qkv.weight"])
    assert "body.blocks.0.attn.rel_pos_h" in told["missing"]


@pytest.mark.parametrize(("size", "token"), [(112, True), (224, False), (448, False)])
def test_positions_of_another_grid_or_without_class_token_are_resampled(
    size: int, token: bool, tmp_path: Path
) -> None:
    options = {} if token else {"class_token": False, "global_pool": ""}
    state = vit_state(img_size=size, **options)
    side = size // 16
    ramp = torch.linspace(0, 1, side)[:, None].expand(side, side).reshape(1, -1, 1)
    state["pos_embed"][:, -(side**2) :] = ramp
    save_file(state, tmp_path / "vit.safetensors")
    network, told = loaded(f"tu-{VIT}", tmp_path / "vit.safetensors")
    assert told["resampled"] == ["body.pos_embed"]
    grid = network.encoder.body.pos_embed[0, 1:].reshape(14, 14, -1)
    assert (grid.diff(dim=0) > -0.01).all()
    torch.testing.assert_close(grid[:, 0], grid[:, 7], atol=1e-3, rtol=0)
    assert grid[0].mean() < 0.1
    assert grid[-1].mean() > 0.9


def test_beit_gives_a_plain_transformer_the_same_sums(tmp_path: Path) -> None:
    beit = timm.create_model(
        "beit_base_patch16_224", num_classes=0, depth=1, embed_dim=192, num_heads=3
    )
    state = random_state(beit)
    save_file(state, tmp_path / "beit.safetensors")
    vit = MultiHeadNetwork(f"tu-{VIT}", None, "unet", HEADS, seed=0)
    vit.encoder.body.blocks = vit.encoder.body.blocks[:1]
    from samrs.training.initial_weights import load_encoder

    told = load_encoder(vit.encoder, f"tu-{VIT}", tmp_path / "beit.safetensors")
    assert told["kind"] == "BEiT"
    assert "blocks.0.attn.relative_position_bias_table" in told["left_out"]
    tokens = torch.randn(1, 196, 192)
    theirs, ours = beit.blocks[0], vit.encoder.body.blocks[0].eval()
    beit.load_state_dict(state)
    with torch.no_grad():
        theirs.attn.relative_position_bias_table.zero_()
        tokens = torch.randn(1, 197, 192)
        torch.testing.assert_close(ours(tokens), theirs.eval()(tokens), atol=1e-3, rtol=1e-3)


def test_microsofts_swin_has_its_downsampling_moved_and_its_tables_resampled(
    tmp_path: Path,
) -> None:
    state = random_state(timm.create_model(SWIN, num_classes=0))
    theirs = {}
    for name, tensor in state.items():
        for stage in (1, 2, 3):
            name = name.replace(f"layers.{stage}.downsample", f"layers.{stage - 1}.downsample")
        theirs[f"module.encoder.{name}"] = tensor
    theirs["module.encoder.layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    theirs["module.encoder.norm0.weight"] = torch.ones(96)
    table = "module.encoder.layers.0.blocks.0.attn.relative_position_bias_table"
    theirs[table] = torch.randn(23**2, 3)
    theirs["module.semseghead_1.weight"] = torch.zeros(3)
    torch.save({"state_dict": theirs}, tmp_path / "samrs.pth")
    network, told = loaded(f"tu-{SWIN}", tmp_path / "samrs.pth")
    assert told["kind"] == "Swin"
    assert told["missing"] == []
    assert told["resampled"] == ["model.layers_0.blocks.0.attn.relative_position_bias_table"]
    assert told["left_out"] == [
        "module.semseghead_1.weight",
        "norm.bias",
        "norm.weight",
        "norm0.weight",
    ]
    found = network.encoder.state_dict()["model.layers_2.downsample.reduction.weight"]
    assert torch.equal(found, state["layers.2.downsample.reduction.weight"])


def test_rsp_and_torchvisions_resnet_loads_without_classifier(tmp_path: Path) -> None:
    state = random_state(torchvision.models.resnet18())
    torch.save({"model": {f"backbone.{n}": t for n, t in state.items()}}, tmp_path / "rsp.pth")
    network, told = loaded("resnet18", tmp_path / "rsp.pth")
    assert told["left_out"] == ["fc.bias", "fc.weight"]
    assert told["missing"] == []
    assert torch.equal(network.encoder.state_dict()["conv1.weight"], state["conv1.weight"])


@pytest.mark.parametrize("encoder", [f"tu-{SWIN}", f"tu-{VIT}+rvsa", "resnet18"])
def test_our_own_files_come_back(encoder: str, tmp_path: Path) -> None:
    from samrs.training.encoder_file import save_encoder
    from samrs.training.networks import save_network

    source = MultiHeadNetwork(encoder, None, "unet", HEADS, seed=9)
    save_encoder(source, encoder, tmp_path, ["a"])
    save_network(source, tmp_path)
    for name in ("encoder.safetensors", "encoder_decoder.safetensors"):
        network, told = loaded(encoder, tmp_path / name)
        assert not [left for left in told["left_out"] if not left.startswith("decoder.")]
        if name == "encoder_decoder.safetensors":
            assert told["missing"] == []
        else:
            assert all(left.startswith("fpn") for left in told["missing"])
        own = network.encoder.state_dict()
        same = [
            torch.equal(t, own[n])
            for n, t in source.encoder.state_dict().items()
            if n not in told["missing"]
        ]
        assert all(same)


def test_what_was_left_out_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    torch.save(random_state(torchvision.models.resnet18()), tmp_path / "r.pth")
    with caplog.at_level(logging.INFO, "samrs"):
        loaded("resnet18", tmp_path / "r.pth")
    assert (
        "120 tensors loaded; 0 resampled; 2 left out (fc.bias, fc.weight); 0 not in" in caplog.text
    )


def test_files_that_are_no_weights_of_the_encoder_are_refused(tmp_path: Path) -> None:
    torch.save(random_state(torchvision.models.resnet18()), tmp_path / "resnet.pth")
    with pytest.raises(
        ProductError, match=r"do not fit the encoder, got \d+ of \d+ tensors of tu-"
    ):
        loaded(f"tu-{VIT}", tmp_path / "resnet.pth")
    with pytest.raises(MissingInputError, match="no weights, got no such file"):
        loaded("resnet18", tmp_path / "gone.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\x00\x00")
    with pytest.raises(MissingInputError, match="unreadable, got SafetensorError"):
        loaded("resnet18", tmp_path / "cut.safetensors")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    with pytest.raises(ProductError, match="no weights in it"):
        loaded("resnet18", tmp_path / "none.pth")
    torch.save({"model": Path("x")}, tmp_path / "code.pth")
    with pytest.raises(ProductError, match=r"not read, got .*tensors alone are allowed"):
        loaded("resnet18", tmp_path / "code.pth")


def test_an_unknown_word_or_tag_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"unknown name, got 'mae' for tu-vit_tiny.*files of"):
        MultiHeadNetwork(f"tu-{VIT}", "mae", "unet", HEADS, seed=0)
    with pytest.raises(ParameterError, match="unknown weights, got the tag 'mea'"):
        MultiHeadNetwork(f"tu-{VIT}.mea", "imagenet", "unet", HEADS, seed=0)


def test_products_keep_what_became_of_the_file(
    releases: dict[str, Path], benchmark: Path, tmp_path: Path
) -> None:
    path = tmp_path / "body.safetensors"
    save_file(random_state(timm.create_model("mobilenetv3_small_050", num_classes=0)), path)
    settings = Settings(**{**SETTINGS, "steps": 1})
    pretrain(
        releases,
        tmp_path / "p",
        tmp_path / "w",
        **{**ENCODER, "encoder_weights": str(path)},
        hold_out=HELD_OUT,
        seed=SEED,
        settings=settings,
        runtime=RUNTIME,
    )
    told = read_manifest(tmp_path / "p")["initial_weights"]
    assert (told["sha256"], told["missing"]) == (sha256(path), [])
    finetune(
        benchmark,
        tmp_path / "p",
        tmp_path / "f",
        tmp_path / "w",
        mode="full",
        inits=["scratch", str(path)],
        shares=[1.0],
        draws=3,
        seeds=[1],
        settings=settings,
        protocol=PROTOCOL,
        runtime=RUNTIME,
    )
    assert read_manifest(tmp_path / "f")["initial_weights"] == {str(path): told}
