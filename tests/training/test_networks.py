from __future__ import annotations

import errno
from itertools import product
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from samrs.core.errors import MissingInputError, ParameterError, ProductError
from samrs.training import networks
from samrs.training.networks import DECODERS, MultiHeadNetwork, load_encoder_decoder, save_network

ENCODER = "tu-mobilenetv3_small_050"
HEADS = {"sota": 18, "sior": 20, "fast": 37}


def network(decoder: str = "unet", seed: int = 0) -> MultiHeadNetwork:
    return MultiHeadNetwork(ENCODER, None, decoder, HEADS, seed=seed).eval()


@pytest.mark.parametrize("decoder", DECODERS)
def test_each_head_answers_for_its_part_of_the_batch(decoder: str) -> None:
    images = torch.randint(0, 255, (4, 3, 64, 64), dtype=torch.uint8)
    logits = network(decoder)(images, {"sota": 1, "sior": 1, "fast": 2})
    assert [tuple(part.shape) for part in logits.values()] == [
        (1, 18, 64, 64),
        (1, 20, 64, 64),
        (2, 37, 64, 64),
    ]


def test_the_shared_weights_come_back_and_heads_stay(tmp_path: Path) -> None:
    one, other = network(seed=1), network(seed=2)
    shared, _ = save_network(one, tmp_path)
    before = {name: t.clone() for name, t in other.heads.state_dict().items()}
    load_encoder_decoder(other, shared)
    images = torch.randint(0, 255, (1, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(one.decoded(images), other.decoded(images))
    assert all(torch.equal(t, before[name]) for name, t in other.heads.state_dict().items())


def test_weights_of_another_decoder_are_refused(tmp_path: Path) -> None:
    shared, _ = save_network(network("unet"), tmp_path)
    with pytest.raises(ProductError, match="weights do not fit the network"):
        load_encoder_decoder(network("upernet"), shared)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no pre-trained weights"):
        load_encoder_decoder(network(), tmp_path / "encoder_decoder.safetensors")


def test_an_unknown_decoder_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="got 'linknet'; unet, upernet, mask2former are allowed"
    ):
        network("linknet")


@pytest.mark.parametrize(
    ("encoder", "weights", "message"),
    [
        ("resnet17", None, "encoder: unknown name, got 'resnet17'; .*did you mean resnet"),
        ("tu-resnet17", None, "encoder: unknown name, got 'tu-resnet17'; .*did you mean tu-resnet"),
        ("convnext_tiny", None, "encoder: unknown name, .*did you mean tu-convnext_tiny"),
        ("xyzzy", None, "encoder: unknown name, got 'xyzzy'; .*correct the name"),
        ("resnet18", "imaginet", "encoder_weights: .*'imaginet' for resnet18; null, imagenet, ssl"),
        ("tu-resnet18", "imaginet", "'imaginet' for tu-resnet18; .*did you mean imagenet"),
        ("tu-test_resnet", "ssl", "'ssl' for tu-test_resnet; null, imagenet and files"),
        ("tu-vit_tiny_patch16_224+rsva", None, "encoder: unknown name, .*patch16_224.rsva"),
        ("tu-resnet18+rvsa", None, "encoder: unknown name, got 'tu-resnet18.rvsa'"),
        ("tu-vit_small_patch32_224", None, "encoder: not a plain vision transformer of 16 px"),
        ("tu-beit_base_patch16_224", None, "does not serve as one, got 'tu-beit.*downsampling"),
    ],
)
def test_an_encoder_that_cannot_be_built_is_named_for_what_it_is(
    encoder: str, weights: str | None, message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        MultiHeadNetwork(encoder, weights, "unet", HEADS, seed=0)


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [
        (ConnectionError("no route"), MissingInputError, "cannot be fetched, got no route .* null"),
        (
            SafetensorError("no header"),
            MissingInputError,
            "read, got no header .*remove the cached",
        ),
        (RuntimeError("size mismatch"), ParameterError, "does not serve as one, .*: size mismatch"),
        (OSError(errno.ENOSPC, "no space"), OSError, "no space"),
        (TypeError("a fault"), TypeError, "a fault"),
    ],
)
def test_what_fails_while_weights_are_fetched_is_named(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, kind: type[Exception], message: str
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(networks.smp, "create_model", fail)
    with pytest.raises(kind, match=message):
        MultiHeadNetwork("resnet18", "imagenet", "unet", HEADS, seed=0)


def test_a_crop_that_the_encoder_does_not_take_is_named() -> None:
    maxvit = MultiHeadNetwork("tu-maxvit_pico_rw_256", None, "unet", HEADS, seed=0)
    with pytest.raises(ParameterError, match=r"crop: .*got 96: .*divisible by window"):
        maxvit.check_side(96)
    assert maxvit.training


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        *product(["tu-convnext_atto", "tu-vit_tiny_patch16_224"], DECODERS),
        ("tu-swin_tiny_patch4_window7_224", "mask2former"),
        ("tu-swinv2_tiny_window8_256", "unet"),
        ("tu-hiera_tiny_224", "upernet"),
        ("tu-sam2_hiera_tiny", "unet"),
        ("tu-vit_tiny_patch16_224+rvsa", "unet"),
        ("mit_b0", "upernet"),
    ],
)
def test_networks_take_crops_of_other_sizes_than_their_own(encoder: str, decoder: str) -> None:
    network = MultiHeadNetwork(encoder, None, decoder, {"a": 3}, seed=0).eval()
    with torch.inference_mode():
        for side in (96, 160):
            images = torch.zeros((1, 3, side, side), dtype=torch.uint8)
            assert network(images, {"a": 1})["a"].shape == (1, 3, side, side)


def test_asking_for_the_size_changes_nothing() -> None:
    one, other = network(seed=1).train(), network(seed=1).train()
    one.check_side(32)
    state = other.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in one.state_dict().items())
