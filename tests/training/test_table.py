"""Networks of the paper's table, and Hiera: two steps of pre-training and an evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.pretrain import pretrain
from samrs.training.networks import DECODERS
from samrs.training.settings import Settings
from tests.training.conftest import HELD_OUT, RUNTIME, SEED, SETTINGS

ENCODERS = (
    "resnet50",
    "internimage_t",
    "tu-swin_tiny_patch4_window7_224",
    "tu-vit_base_patch16_224",
    "tu-vit_base_patch16_224+rvsa",
    "tu-vit_base_patch16_224+adapter",
    "tu-hiera_tiny_224",
)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_network_of_the_table_is_pre_trained_with_two_heads(
    encoder: str, decoder: str, releases: dict[str, Path], tmp_path: Path
) -> None:
    told = pretrain(
        releases,
        tmp_path / "out",
        tmp_path / "work",
        encoder=encoder,
        encoder_weights=None,
        decoder=decoder,
        hold_out=HELD_OUT,
        seed=SEED,
        settings=Settings(**{**SETTINGS, "crop": 64, "steps": 2, "batch_size": 3}),
        runtime=RUNTIME,
    )
    assert set(told["miou"]) == {"sota", "fast"}
    assert all(0 <= score <= 1 for score in told["miou"].values())
    assert (tmp_path / "out" / "encoder.safetensors").is_file()
