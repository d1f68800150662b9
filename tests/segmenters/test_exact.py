"""The engine against the official predictor with nano, over hundreds of prompts of every kind.

Tiles of every shape: the frame's, smaller, larger, wide, tall; boxes at the borders and of one px.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

from samrs.core.geometry import hbb_to_polygon
from samrs.core.rle import rle_to_mask
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes, Prompt
from samrs.sam import checkpoints
from samrs.sam import decoder as decoding
from samrs.sam.frame import input_size
from samrs.scenes.render import render_scene
from samrs.segmenters.sam import Encoded, SamSegmenter
from samrs.weights.checkpoints.sam import NANO
from tests.segmenters.official import predicted

TILES = {(1024, 1024): 24, (512, 512): 24, (1300, 700): 20, (200, 333): 20}
RECIPES = ("hbox", "point", "rbox", "hbox_mask", "hbox+point", "hbox+point+rbox")


@pytest.fixture(scope="module")
def nano() -> Sam:
    return checkpoints.build_sam("nano", NANO, device="cpu")


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


def agreement(nano: Sam, tiles: list[tuple[NDArray[np.uint8], Boxes]]) -> list[float]:
    """IoU of every mask in bfloat16 with the same in float32."""
    engines = [SamSegmenter(nano, precision) for precision in ("float32", "bfloat16")]
    found: list[float] = []
    for image, boxes in tiles:
        prompt = parse_recipe("hbox").build(boxes)
        exact, rounded = (
            [rle_to_mask(rle) for rle in engine.decode(engine.encode(image), prompt).rles]
            for engine in engines
        )
        found += ious(rounded, np.array(exact))
    return found


@pytest.mark.slow
def test_bfloat16_masks_are_those_of_float32_on_demo_scenes(nano: Sam) -> None:
    tiles = []
    for seed in range(41_000_000, 41_000_006):
        scene = render_scene(seed, size_hw=(800, 800))
        hbb = np.array([thing.box for thing in scene.objects], np.float64)[:40].reshape(-1, 4)
        tiles.append((scene.image, Boxes(hbb, np.full((len(hbb), 4, 2), np.nan), (800, 800))))
    found = agreement(nano, tiles)
    assert len(found) >= 100
    assert np.mean(found) >= 0.995


@pytest.mark.slow
def test_bfloat16_masks_are_those_of_float32_on_real_tiles(nano: Sam, real: Path) -> None:
    folder = real / "nwpu_vhr10"
    said = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    tiles = []
    for about in sorted(said["images"], key=lambda image: image["id"])[::26]:
        image = cv2.imread(str(folder / "images" / about["file_name"]))[..., ::-1].copy()
        own = [one["bbox"] for one in said["annotations"] if one["image_id"] == about["id"]]
        xywh = np.array(own, np.float64).reshape(-1, 4)
        hbb = np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
        tiles.append((image, Boxes(hbb, np.full((len(hbb), 4, 2), np.nan), image.shape[:2])))
    found = agreement(nano, tiles)
    assert len(found) >= 100
    assert np.mean(found) >= 0.995
