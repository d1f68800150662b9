from __future__ import annotations

from pathlib import Path

import pytest
import torch

from samrs.core.errors import MissingInputError, ParameterError, ProductError
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
    assert torch.equal(one.features(images), other.features(images))
    assert all(torch.equal(t, before[name]) for name, t in other.heads.state_dict().items())


def test_weights_of_another_decoder_are_refused(tmp_path: Path) -> None:
    shared, _ = save_network(network("unet"), tmp_path)
    with pytest.raises(ProductError, match="weights do not fit the network"):
        load_encoder_decoder(network("upernet"), shared)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no pre-trained weights"):
        load_encoder_decoder(network(), tmp_path / "encoder_decoder.safetensors")


def test_an_unknown_decoder_or_encoder_is_refused() -> None:
    with pytest.raises(ParameterError, match="got 'linknet'; unet, upernet are allowed"):
        network("linknet")
    with pytest.raises(ParameterError, match="cannot build, got 'resnet17'"):
        MultiHeadNetwork("resnet17", None, "unet", HEADS, seed=0)
    with pytest.raises(ParameterError, match="with weights 'imaginet'"):
        MultiHeadNetwork("resnet18", "imaginet", "unet", HEADS, seed=0)
