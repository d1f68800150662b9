"""The engine against the official predictor with nano, over hundreds of prompts of every kind.

Tiles of every shape: the frame's, smaller, larger, wide, tall; boxes at the borders and of one px.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

from samrs.core.geometry import hbb_to_polygon
from samrs.core.prompting import Boxes, Prompt
from samrs.core.rle import rle_to_mask
from samrs.recipes import parse_recipe
from samrs.sam import checkpoints, decoding
from samrs.sam.frame import input_size
from samrs.scenes.render import render_scene
from samrs.segmenters.sam import Encoded, SamSegmenter
from tests.segmenters.official import predicted

TILES = {(1024, 1024): 24, (512, 512): 24, (1300, 700): 20, (200, 333): 20}
RECIPES = ("hbox", "point", "rbox", "hbox_mask", "hbox+point", "hbox+point+rbox")


@pytest.fixture(scope="module")
def nano() -> Sam:
    return checkpoints.build_sam("nano", checkpoints.NANO_WEIGHTS, device="cpu")


def tile(size_hw: tuple[int, int], count: int) -> tuple[NDArray[np.uint8], Boxes]:
    """A scene, boxes of its things, then one in a corner, one px in the midst, and the tile."""
    scene = render_scene(40_000_000 + size_hw[0], size_hw=size_hw, density=2.0)
    height, width = size_hw
    odd = [[0, 0, 9, 9], [width - 12, height - 7, width, height], [50, 60, 51, 61]]
    own = [list(thing.box) for thing in scene.objects]
    rng = np.random.default_rng(height)
    while len(own) < count:
        x, y = rng.uniform((0, 0), (width - 40, height - 40))
        own.append([x, y, x + rng.uniform(2, 40), y + rng.uniform(2, 40)])
    hbb = np.array([*odd, [0, 0, width, height], *own][:count], np.float64)
    return scene.image, Boxes(hbb, np.array([hbb_to_polygon(box) for box in hbb]), size_hw)


def ious(ours: list[NDArray[np.bool_]], theirs: NDArray[np.bool_]) -> list[float]:
    """IoU of each pair; 1 where both are empty."""
    out = []
    for a, b in zip(ours, theirs, strict=True):
        union = (a | b).sum()
        out.append(float((a & b).sum() / union) if union else 1.0)
    return out


@torch.inference_mode()
def multimasks(
    engine: SamSegmenter, state: Encoded, prompt: Prompt
) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 3, H, W) masks of the engine's decoder and their (N, 3) predicted IoUs."""
    sparse, dense = engine.sam.prompt_encoder(
        points=engine._points(prompt, state.size_hw),
        boxes=engine._boxes(prompt, state.size_hw),
        masks=None,
    )
    places = engine.sam.prompt_encoder.get_dense_pe()
    decoder = engine.sam.mask_decoder
    low, scores = decoding.decode(
        decoder, state.embedding + dense[:1], places, sparse, slice(1, None)
    )
    inner = input_size(state.size_hw, engine.frame)
    return engine.sam.postprocess_masks(low, inner, state.size_hw) > 0, scores


@pytest.mark.slow
def test_masks_equal_the_official_ones_over_five_hundred_prompts(nano: Sam) -> None:
    predictor, engine = SamPredictor(nano), SamSegmenter(nano, "float32")
    found: list[float] = []
    for size_hw, count in TILES.items():
        image, boxes = tile(size_hw, count)
        predictor.set_image(image)
        state = engine.encode(image)
        for recipe in RECIPES:
            prompt = parse_recipe(recipe).build(boxes)
            theirs = predicted(predictor, prompt, multimask=False)[0][:, 0]
            ours = [rle_to_mask(rle) for rle in engine.decode(state, prompt).rles]
            found += ious(ours, (theirs > 0).numpy())
    assert len(found) >= 500
    assert np.mean(found) >= 0.999
    assert np.percentile(found, 1) >= 0.99


@pytest.mark.slow
def test_all_three_masks_equal_the_official_ones(nano: Sam) -> None:
    predictor, engine = SamPredictor(nano), SamSegmenter(nano, "float32")
    found: list[float] = []
    for size_hw, count in TILES.items():
        image, boxes = tile(size_hw, count)
        predictor.set_image(image)
        state = engine.encode(image)
        for recipe in ("hbox", "point"):
            prompt = parse_recipe(recipe).build(boxes)
            theirs, scores = predicted(predictor, prompt, multimask=True)
            ours, ours_scores = multimasks(engine, state, prompt)
            np.testing.assert_allclose(ours_scores.numpy(), scores.numpy(), atol=1e-4)
            found += ious(list(ours.flatten(0, 1).numpy()), (theirs > 0).flatten(0, 1).numpy())
    assert len(found) >= 500
    assert np.mean(found) >= 0.999
    assert np.percentile(found, 1) >= 0.99
