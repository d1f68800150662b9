"""Every segmenter of the axis keeps the contract; the floors give known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.core.geometry import hbb_to_polygon, rotated_box_to_polygon
from samrs.core.rle import hbb_to_rle, polygons_to_rle, rle_area, rle_iou, rle_to_hbb
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes, Prompt, Segmenter
from samrs.weights.weights import find_checkpoint

AXIS = "samrs.segmenters"
NAMES = [name for name in axis.names(AXIS) if name not in ("edgetam", "sam2", "sam3", "sam_hq")]
"""Those whose weights are fetched have tests of their own, in ``family``."""
FLOORS = ("box", "grabcut", "obb")
BOX = np.array([40.0, 20, 100, 50])


def loaded(name: str) -> Segmenter:
    module = axis.load(AXIS, name)
    engine: Segmenter = module.load(
        checkpoint=find_checkpoint(name, "nano"), precision="float32-fast", device="cpu"
    )
    return engine


def scene() -> tuple[np.ndarray, Boxes]:
    """A bright box on dark noise, asked for twice: by its box, and by a turned box beside it."""
    image = np.random.default_rng(0).integers(20, 60, (90, 140, 3), dtype=np.uint8)
    image[20:50, 40:100] += np.uint8(150)
    turned = rotated_box_to_polygon(30, 70, 30, 12, 0.5)
    hbb = np.array([BOX, [*turned.min(axis=0), *turned.max(axis=0)]])
    return image, Boxes(hbb, np.array([hbb_to_polygon(BOX), turned]), (90, 140))


@pytest.mark.parametrize("name", NAMES)
def test_a_segmenter_answers_every_prompt_in_order(name: str) -> None:
    image, boxes = scene()
    engine = loaded(name)
    state = engine.encode(image)
    prompt = parse_recipe("hbox+rbox").build(boxes)
    answer = engine.decode(state, prompt)
    assert len(answer.rles) == len(answer.predicted_iou) == len(answer.stability_score) == 2
    assert all(rle["size"] == [90, 140] for rle in answer.rles)
    assert engine.decode(state, prompt).rles == answer.rles
    assert engine.decode(state, prompt.take(slice(0, 0))).rles == []


@pytest.mark.parametrize("name", NAMES)
def test_a_segmenter_refuses_a_prompt_it_does_not_understand(name: str) -> None:
    engine = loaded(name)
    state = engine.encode(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(ParameterError, match=f"segmenter {name}: .*; use |segmenter sam: empty"):
        engine.decode(state, Prompt(fallback=np.zeros(1, dtype=bool)))


@pytest.mark.parametrize("name", FLOORS)
def test_floors_have_no_weights_and_no_scores(name: str) -> None:
    image, boxes = scene()
    engine = loaded(name)
    answer = engine.decode(engine.encode(image), parse_recipe("hbox+rbox").build(boxes))
    assert np.isnan(answer.predicted_iou).all()
    assert np.isnan(answer.stability_score).all()


def test_box_fills_the_box() -> None:
    image, boxes = scene()
    rle = loaded("box").decode(image, parse_recipe("hbox").build(boxes)).rles[0]
    assert rle_area(rle) == 60 * 30
    assert rle_to_hbb(rle).tolist() == BOX.tolist()


def test_obb_fills_the_rotated_box() -> None:
    image, boxes = scene()
    rles = loaded("obb").decode(image, parse_recipe("rbox").build(boxes)).rles
    assert rles[1] == polygons_to_rle([boxes.obb[1]], (90, 140))
    assert rle_area(rles[1]) == pytest.approx(30 * 12, rel=0.05)


def test_grabcut_finds_a_bright_object_smaller_than_its_box() -> None:
    image, boxes = scene()
    loose = Boxes(boxes.hbb[:1] + [-12, -10, 12, 10], boxes.obb[:1], boxes.size_hw)
    engine = loaded("grabcut")
    rle = engine.decode(engine.encode(image), parse_recipe("hbox").build(loose)).rles[0]
    assert rle_iou([rle], [hbb_to_rle(BOX, (90, 140))])[0, 0] > 0.95


@pytest.mark.parametrize(
    "box",
    [
        [0, 0, 1, 1],
        [138.2, 88.4, 140, 90],
        [0, 0, 140, 90],
        [139.6, 0, 140, 90],
        [10, 10, 10.3, 80],
        [-30, -30, 4, 6],
        [130, 80, 170, 130],
    ],
    ids=[
        "corner",
        "far corner",
        "whole tile",
        "sliver at the edge",
        "sliver",
        "beyond",
        "far beyond",
    ],
)
def test_grabcut_survives_odd_boxes(box: list[float]) -> None:
    image, boxes = scene()
    odd = Boxes(np.array([box]), boxes.obb[:1], boxes.size_hw)
    engine = loaded("grabcut")
    assert len(engine.decode(engine.encode(image), parse_recipe("hbox").build(odd)).rles) == 1


def test_grabcut_takes_of_a_box_what_lies_on_the_tile() -> None:
    """normalize's ``clip: false`` gives boxes that reach beyond it."""
    image = np.ascontiguousarray(scene()[0][25:, 50:])  # the object ends at column 50 and row 25
    size_hw = image.shape[:2]
    box = Boxes(np.array([[-12.0, -9, 62, 37]]), np.full((1, 4, 2), np.nan), size_hw)
    engine = loaded("grabcut")
    found = engine.decode(engine.encode(image), parse_recipe("hbox").build(box)).rles
    assert rle_iou(found, [hbb_to_rle(np.array([0.0, 0, 50, 25]), size_hw)])[0, 0] > 0.9


def test_sam_computes_with_one_thread_however_many_there_are() -> None:
    image, boxes = scene()
    engine, prompt = loaded("sam"), parse_recipe("hbox").build(boxes)
    alone = engine.decode(engine.encode(image), prompt)
    torch.set_num_threads(3)
    among = engine.decode(engine.encode(image), prompt)
    assert torch.get_num_threads() == 1
    assert alone.rles == among.rles
    assert np.array_equal(alone.predicted_iou, among.predicted_iou)


@pytest.mark.parametrize("name", axis.names(AXIS))
def test_every_segmenter_says_where_it_computes(name: str) -> None:
    assert axis.load(AXIS, name).device({"device": "cpu"}) == "cpu"
    assert axis.load(AXIS, name).device({"device": "auto"}) in ("cpu", "cuda")
