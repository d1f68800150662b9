"""SAM 3's tracker and EdgeTAM answer as transformers' models and processor do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from transformers import (
    EdgeTamConfig,
    EdgeTamModel,
    Sam2ImageProcessor,
    Sam2Processor,
    Sam3TrackerConfig,
    Sam3TrackerModel,
    Sam3TrackerProcessor,
)
from transformers.models.sam3.image_processing_sam3 import Sam3ImageProcessor

from samrs.sam.renamed import edgetam_for_transformers, sam3_for_transformers
from samrs.segmenters import edgetam, sam3
from tests.segmenters.family.pairs import assert_equal, enliven, picture

WIDTH = 32
DECODER = {"hidden_size": WIDTH, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 48}


def tracker() -> tuple[Any, Any]:
    side, patch = 112, 14
    config = Sam3TrackerConfig(
        vision_config={
            "model_type": "sam3_vision_model", "fpn_hidden_size": WIDTH,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "backbone_config": {
                "model_type": "sam3_vit_model", "hidden_size": 64, "intermediate_size": 96,
                "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": side,
                "patch_size": patch, "window_size": 4, "global_attn_indexes": [1],
                "pretrain_image_size": 56,
            },
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": side, "patch_size": patch},
        mask_decoder_config=DECODER,
    )  # fmt: skip
    size = {"height": side, "width": side}
    return Sam3TrackerModel(config), Sam3TrackerProcessor(Sam3ImageProcessor(size=size))


def edge() -> tuple[Any, Any]:
    side = 128
    config = EdgeTamConfig(
        vision_config={
            "model_type": "edgetam_vision_model", "fpn_hidden_size": WIDTH,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
            "backbone_config": edgetam.config("edgetam").vision_config.backbone_config,
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": side},
        mask_decoder_config=DECODER,
    )  # fmt: skip
    size = {"height": side, "width": side}
    return EdgeTamModel(config), Sam2Processor(Sam2ImageProcessor(size=size))


MADE = {"sam3": (tracker, sam3), "edgetam": (edge, edgetam)}


@pytest.fixture(scope="module", params=MADE)
def made(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    """A segmenter's module, a model and its processor."""
    make, module = MADE[request.param]
    model, processor = make()
    return module, enliven(model), processor


@pytest.mark.parametrize("size_hw", [(112, 112), (100, 160)])
def test_answers_are_those_of_transformers(
    made: tuple[Any, Any, Any], size_hw: tuple[int, int]
) -> None:
    module, model, processor = made
    engine = module.of_model(copy.deepcopy(model), "float32")
    seen = processor(images=picture(size_hw), return_tensors="pt")["pixel_values"]
    assert torch.equal(engine.pixels(picture(size_hw)), seen)
    assert_equal(engine, model, processor, size_hw)


def test_the_file_of_all_of_sam_3_holds_the_tracker() -> None:
    with torch.device("meta"):
        wanted = Sam3TrackerModel(sam3.config("sam3")).state_dict()
    whole = {"detector_model.text_encoder.x": torch.ones(1), "tracker_model.no_object_pointer": 1}
    for name, value in wanted.items():
        place = "tracker_model." + name
        if name.startswith("vision_encoder.neck."):
            place = name.replace("vision_encoder.neck.", "tracker_neck.")
        elif name.startswith("vision_encoder."):
            place = "detector_model." + name
        whole[place] = value
    assert sam3_for_transformers(whole).keys() == wanted.keys()


def test_edgetam_is_of_repvit_and_its_own_names_are_taken() -> None:
    with torch.device("meta"):
        wanted = EdgeTamModel(edgetam.config("edgetam")).state_dict()
    assert any("token_mixer" in name for name in wanted)
    whole = {"spatial_perceiver.latents": torch.ones(1), "no_mem_embed": torch.ones(1)}
    for name, value in wanted.items():
        if name.startswith("vision_encoder.backbone.timm_model."):
            _, _, tail = name.partition("timm_model.")
            whole["image_encoder.trunk.body." + tail] = value
    found = edgetam_for_transformers(whole)
    assert found.keys() == {n for n in wanted if "timm_model" in n or n == "no_memory_embedding"}
