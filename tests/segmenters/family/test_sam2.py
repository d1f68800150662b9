"""SAM 2.1 answers as transformers' model and processor do, and takes Meta's own files."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Sam2Config, Sam2ImageProcessor, Sam2Model, Sam2Processor

from samrs.core.errors import ParameterError
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes, Prompt
from samrs.sam import shells
from samrs.sam.checkpoints import CheckpointError
from samrs.sam.renamed import sam2_for_transformers
from samrs.segmenters import sam2
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.checkpoints.sam2 import PUBLISHED
from tests.segmenters.family.pairs import assert_equal, enliven, picture, rounding

SIDE, WIDTH = 128, 32
SIZES = ((128, 128), (100, 160), (300, 211))
NAMES = Path(__file__).parent / "meta_sam2.1_hiera_t.json"
"""Names and shapes of the tensors in Meta's file, as its own code makes them."""


def small_config() -> Sam2Config:
    return Sam2Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam2_hiera_det_model", "hidden_size": 16, "num_attention_heads": 1,
                "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [16, 32, 64, 128],
                "num_attention_heads_per_stage": [1, 2, 2, 4], "image_size": [SIDE, SIDE],
                "window_size_per_stage": [8, 4, 14, 7], "global_attention_blocks": [3],
            },
            "backbone_channel_list": [128, 64, 32, 16], "fpn_hidden_size": WIDTH,
            "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        },
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": SIDE},
        mask_decoder_config={
            "hidden_size": WIDTH, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 48
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def model() -> Sam2Model:
    return enliven(Sam2Model(small_config()))


@pytest.fixture(scope="module")
def processor() -> Sam2Processor:
    return Sam2Processor(Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}))


@pytest.mark.parametrize("size_hw", SIZES)
def test_answers_are_those_of_transformers(
    model: Sam2Model, processor: Sam2Processor, size_hw: tuple[int, int]
) -> None:
    engine = sam2.of_model(copy.deepcopy(model), "float32")
    image = picture(size_hw)
    seen = processor(images=image, return_tensors="pt")["pixel_values"]
    assert torch.equal(engine.pixels(image), seen)
    assert_equal(engine, model, processor, size_hw)


def test_an_unstable_mask_is_left_for_the_best_of_three(
    model: Sam2Model, processor: Sam2Processor
) -> None:
    """And never where the model is told not to."""
    firm = copy.deepcopy(model)
    firm.mask_decoder.dynamic_multimask_via_stability = False
    found = []
    for one in (model, firm):
        engine = sam2.of_model(copy.deepcopy(one), "float32")
        assert_equal(engine, one, processor, SIZES[0])
        state = engine.encode(picture(SIZES[0]))
        boxes = np.array([[9.0, 9, 60, 50], [40, 50, 120, 110]])
        prompt = Prompt(fallback=np.zeros(2, bool), boxes_xyxy=boxes)
        found.append([answer.frame_logits for answer in engine.answers(state, prompt)])
    assert not np.array_equal(found[0], found[1])


def test_mask_prompts_are_answered_as_by_transformers(model: Sam2Model) -> None:
    engine = sam2.of_model(copy.deepcopy(model), "float32")
    state = engine.encode(picture((90, 128)))
    logits = np.random.default_rng(3).normal(0, 9, (2, 32, 32)).astype("f4")
    prompt = Prompt(fallback=np.zeros(2, bool), mask_logits=logits)
    pixels = engine.pixels(picture((90, 128)))
    for i, answer in enumerate(engine.answers(state, prompt)):
        with torch.inference_mode():
            given = torch.from_numpy(logits[i])[None, None]
            out = model(pixels, input_masks=given, multimask_output=False)
        theirs = out.pred_masks[0, 0, 0].numpy()
        assert answer.frame_logits is not None
        assert np.abs(answer.frame_logits - theirs).max() < rounding(model) * np.ptp(theirs)


@pytest.mark.parametrize("recipe", ["rbox", "soft_rbox", "hbox+refine", "zoom", "hbox+choose"])
def test_every_kind_of_recipe_is_answered(model: Sam2Model, recipe: str) -> None:
    from samrs.prompting.view import View

    engine = sam2.of_model(copy.deepcopy(model), "float32")
    hbb = np.array([[10.0, 20, 60, 70], [30, 5, 90, 40]])
    obb = np.array(
        [[[10, 45], [35, 20], [60, 45], [35, 70]], [[30, 5], [90, 5], [90, 40], [30, 40]]]
    )
    boxes = Boxes(hbb, obb.astype(float), (80, 120))
    found = parse_recipe(recipe).ask(View(engine, picture((80, 120))), boxes)
    assert [rle["size"] for rle in found.rles] == [[80, 120]] * 2
    assert np.isfinite(found.predicted_iou).all()


def test_bfloat16_is_close_and_compiled_is_refused(model: Sam2Model) -> None:
    exact, rounded = (sam2.of_model(copy.deepcopy(model), p) for p in ("float32", "bfloat16"))
    a, b = (engine.encode(picture(SIZES[0])).embedding for engine in (exact, rounded))
    assert b.dtype == torch.float32
    assert 0 < (a - b).abs().mean() < 0.1 * a.abs().mean()
    with pytest.raises(ParameterError, match="segmenter sam2 is not compiled, got bfloat16-comp"):
        sam2.of_model(copy.deepcopy(model), "bfloat16-compiled")


def test_every_published_model_has_a_configuration() -> None:
    assert shells.HIERA.keys() == PUBLISHED.keys()
    with torch.device("meta"):
        sizes = {name: Sam2Model(sam2.config(name)).num_parameters() for name in shells.HIERA}
    assert sorted(sizes, key=lambda name: sizes[name]) == list(PUBLISHED)


def test_metas_names_are_the_models() -> None:
    named = json.loads(NAMES.read_text(encoding="utf-8"))
    found = sam2_for_transformers({n: torch.empty(s, device="meta") for n, s in named.items()})
    with torch.device("meta"):
        wanted = Sam2Model(sam2.config("sam2.1_hiera_t")).state_dict()
    assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in wanted.items()}


def meta_file(path: Path, model: Sam2Model) -> Path:
    """A model as Meta writes it: its names, a table of points apart, parts for videos, in a pickle
    below ``model``."""
    from samrs.sam.renamed import TO_SEGMENT_ANYTHING, new_name

    tensors: dict[str, Any] = {
        "obj_ptr_proj.layers.0.weight": torch.zeros(2),
        "no_obj_ptr": 1.0 * torch.ones(1),
    }
    for name, value in model.state_dict().items():
        if name == "no_memory_embedding":
            tensors["no_mem_embed"] = value
        elif name == "prompt_encoder.point_embed.weight":
            for i, row in enumerate(value):
                tensors[f"sam_prompt_encoder.point_embeddings.{i}.weight"] = row[None].clone()
        elif name.startswith("vision_encoder."):
            new = name.replace("vision_encoder.backbone.", "image_encoder.trunk.")
            new = new.replace("vision_encoder.neck.", "image_encoder.neck.")
            new = new.replace("mlp.proj_in", "mlp.layers.0").replace("mlp.proj_out", "mlp.layers.1")
            new = new.replace("layer_norm", "norm").replace(".projection.", ".proj.")
            head, sep, tail = new.partition("neck.convs.")
            new = head + sep + (tail.replace(".", ".conv.", 1) if sep else tail)
            tensors[new] = value
        elif not name.startswith("shared_image_embedding"):
            new = new_name(name, TO_SEGMENT_ANYTHING).replace("mlp.lin1", "mlp.layers.0")
            new = new.replace("mlp.lin2", "mlp.layers.1")
            for head in ("pred_obj_score_head", "hq"):
                new = new.replace(f"{head}.norm", head)
            tensors["sam_" + new] = value
    torch.save({"model": tensors}, path)
    return path


def test_a_file_of_metas_is_loaded(model: Sam2Model, tmp_path: Path) -> None:
    from samrs.core.shards import sha256

    alike = copy.deepcopy(model)
    alike.shared_image_embedding.positional_embedding = (
        alike.prompt_encoder.shared_embedding.positional_embedding
    )
    path = meta_file(tmp_path / "small.pt", alike)
    family = replace(sam2.FAMILY, config=lambda name: small_config())
    checkpoint = Checkpoint("sam2", "sam2.1_hiera_t", path, sha256(path))
    engine = family.load(checkpoint=checkpoint, precision="float32-fast", device="cpu")
    image = picture(SIZES[1])
    boxes = np.array([[9.0, 9, 60, 50], [40, 50, 120, 90]])
    prompt = Prompt(fallback=np.zeros(2, bool), boxes_xyxy=boxes)
    by_hand = sam2.of_model(alike, "float32")
    one, other = (e.decode(e.encode(image), prompt) for e in (engine, by_hand))
    assert one.rles == other.rles


def test_another_models_file_is_refused(model: Sam2Model, tmp_path: Path) -> None:
    from samrs.core.shards import sha256

    path = meta_file(tmp_path / "small.pt", model)
    checkpoint = Checkpoint("sam2", "sam2.1_hiera_t", path, sha256(path))
    with pytest.raises(CheckpointError, match=r"not sam2.1_hiera_t's, got \d+ tensors with \d+ m"):
        sam2.load(checkpoint=checkpoint, precision="float32-fast", device="cpu")
