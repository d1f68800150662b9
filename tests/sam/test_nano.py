"""nano is a SAM: its file, its prompts through the official predictor, its masks on scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor
from segment_anything.modeling import Sam

from samrs.sam.checkpoints import build_sam
from samrs.sam.nano import build_nano
from samrs.scenes.render import render_scene
from samrs.scenes.scene import Scene
from samrs.weights.checkpoints.sam import NANO

SEEDS = (20_000_001, 20_000_002, 20_000_003)
SIDE = 512
SCENES_FLOOR = 0.78
"""Below what `docs/models/nano.md` reports for the shipped weights (0.81); raise it with them."""


@pytest.fixture(scope="module")
def nano() -> Sam:
    return build_sam("nano", NANO, device="cpu")


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render_scene(seed, size_hw=(SIDE, SIDE)) for seed in SEEDS]


def true_masks(scene: Scene) -> NDArray[np.bool_]:
    """(N, h, w) of the instances whose box is at least 6 px on each side."""
    out = []
    for thing in scene.objects:
        x0, y0, x1, y1 = thing.box
        if min(x1 - x0, y1 - y0) >= 6 and thing.mask.sum() >= 20:
            whole = np.zeros((SIDE, SIDE), np.bool_)
            whole[y0:y1, x0:x1] = thing.mask
            out.append(whole)
    return np.stack(out)


def tight_boxes(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    out = []
    for mask in masks:
        x, y = np.flatnonzero(mask.any(0)), np.flatnonzero(mask.any(1))
        out.append([x[0], y[0], x[-1] + 1, y[-1] + 1])
    return np.array(out, np.float64)


def test_the_file_is_at_most_16_megabytes() -> None:
    assert NANO.stat().st_size <= 16_000_000


def test_nano_has_between_three_and_six_million_parameters() -> None:
    assert 3e6 < sum(p.numel() for p in build_nano().parameters()) < 6e6


def test_nano_computes_in_float32(nano: Sam) -> None:
    assert {p.dtype for p in nano.parameters()} == {torch.float32}
    assert not nano.training


def test_boxes_give_good_masks_and_honest_scores_on_unseen_scenes(
    nano: Sam, scenes: list[Scene]
) -> None:
    predictor = SamPredictor(nano)
    found, said = [], []
    for scene in scenes:
        masks = true_masks(scene)[:40]
        predictor.set_image(scene.image)
        boxes = torch.from_numpy(tight_boxes(masks)).float()
        framed = predictor.transform.apply_boxes_torch(boxes, (SIDE, SIDE))
        answers, scores, _ = predictor.predict_torch(None, None, framed, multimask_output=False)
        mine = answers[:, 0].numpy()
        found += list((mine & masks).sum((1, 2)) / (mine | masks).sum((1, 2)))
        said += scores[:, 0].tolist()
    assert np.mean(found) >= SCENES_FLOOR
    assert abs(np.mean(said) - np.mean(found)) < 0.1
    assert np.corrcoef(said, found)[0, 1] > 0.3


@pytest.mark.parametrize("multimask", [False, True], ids=["one mask", "three masks"])
@pytest.mark.parametrize("kind", ["box", "point", "mask", "box+point", "box+mask"])
def test_every_prompt_of_the_official_predictor_finds_an_instance(
    nano: Sam, scenes: list[Scene], kind: str, multimask: bool
) -> None:
    masks = true_masks(scenes[0])
    truth = masks[np.argmin(abs(masks.sum((1, 2)) - 1000))]
    box = tight_boxes(truth[None])[0]
    inside = np.argwhere(truth)[:, ::-1]
    point = inside[np.abs(inside - (box[:2] + box[2:]) / 2).sum(1).argmin()]
    filled = np.full((256, 256), -1000, np.float32)
    x0, y0, x1, y1 = (box / (SIDE / 256)).round().astype(int)
    filled[y0:y1, x0:x1] = 1000
    predictor = SamPredictor(nano)
    predictor.set_image(scenes[0].image)
    answers, scores, low = predictor.predict(
        point_coords=point[None] if "point" in kind else None,
        point_labels=np.ones(1) if "point" in kind else None,
        box=box if "box" in kind else None,
        mask_input=filled[None] if "mask" in kind else None,
        multimask_output=multimask,
    )
    count = 3 if multimask else 1
    assert answers.shape == (count, SIDE, SIDE)
    assert scores.shape == (count,)
    assert low.shape == (count, 256, 256)
    best = max((a & truth).sum() / (a | truth).sum() for a in answers)
    assert best > 0.3
