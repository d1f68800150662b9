"""What an audit refuses, before it spends an hour on it, and what it says then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from samrs.ablation.ablation import ablate
from samrs.audit.audit import audit
from samrs.core.errors import MissingInputError, ParameterError, SamrsError
from samrs.core.images import encode_rgb
from samrs.scenes.render import render_scene
from samrs.weights.checkpoint import Checkpoint
from tests.label.hand_made import write_product

RUNTIME = {"executor": "local", "device": "cpu", "threads": 1}
BOXES = [[10, 10, 20, 12], [40, 30, 16, 16]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A COCO folder with one image and two boxes without masks."""
    image = render_scene(7, size_hw=(64, 64)).image
    boxes = [
        {"id": i, "image_id": 1, "category_id": 1, "bbox": box, "area": box[2] * box[3]}
        for i, box in enumerate(BOXES)
    ]
    about = {
        "images": [{"id": 1, "file_name": "one.png", "width": 64, "height": 64}],
        "annotations": boxes,
        "categories": [{"id": 1, "name": "ship"}],
    }
    (tmp_path / "in" / "images").mkdir(parents=True)
    (tmp_path / "in" / "annotations.json").write_text(json.dumps(about))
    (tmp_path / "in" / "images" / "one.png").write_bytes(encode_rgb(image))
    return tmp_path / "in"


GIVEN = {"truth": None, "recipes": ["hbox"], "model": "nano", "precision": "float32"}
CUT = {"tile": None, "overlap": 0, "limit": None}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"recipes": ["hobx"]}, "unknown name, got 'hobx'"),
        ({"recipes": ["hbox", "zoom", "hbox"]}, "recipe is named twice, got 'hbox'"),
        ({"recipes": [""]}, "a part is missing, got ''"),
        ({"recipes": ["hbox+", "zoom"]}, "a part is missing, got 'hbox\\+'"),
        ({"recipes": ["hbox", "auto"]}, "auto is no recipe.*name some, such as hbox and zoom"),
        ({"runtime": {**RUNTIME, "device": "gpu"}}, "device: unknown, got 'gpu'; auto, cpu and"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_written(
    folder: Path, given: dict[str, Any], said: str
) -> None:
    out = folder.parent / "out"
    with pytest.raises(SamrsError, match=said):
        audit("coco", folder, out, **{**GIVEN, **CUT, "runtime": RUNTIME, **given})
    assert not out.exists()


def test_a_dataset_without_masks_is_told_from_one_with_masks(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        MissingInputError, match=r"in: no true masks of.*got a coco dataset without.*--truth"
    ):
        audit("coco", folder, tmp_path / "out", **GIVEN, **CUT, runtime=RUNTIME)


def test_a_recipe_written_in_two_ways_is_one_recipe(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    given = {"floors": [], "checkpoint": Checkpoint("obb", "nano"), "precision": "float32"}
    with pytest.raises(ParameterError, match=r"named twice, got 'hbox\+point'.*leave one out"):
        ablate(product, recipes=["hbox+point", "hbox + point"], **given, runtime=RUNTIME)
