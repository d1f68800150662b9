"""A dataset of one's own in params.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from samrs.add import add, remove
from samrs.core.errors import MissingInputError, ParameterError, UnknownNameError
from samrs.look.look import look
from tests.conftest import ROOT
from tests.datasets import by_hand


@pytest.fixture
def params(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml"))


def test_a_dataset_stands_in_three_sections_and_all_else_stays(params: Path) -> None:
    before = params.read_text(encoding="utf-8")
    by_hand.coco(params.parent / "in")
    found = add(params, "coco", params.parent / "in", "airfields", val=0.2)
    assert (found.scenes, found.boxes, found.classes) == (2, 1, 2)
    text = params.read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    assert values["datasets"]["airfields"] == {"format": "coco", "path": "in"}
    assert values["subsets"]["airfields"] == "airfields"
    assert values["normalize"]["airfields"].keys() == values["normalize"]["dior"].keys()
    assert values["normalize"]["airfields"]["val"] == 0.2
    assert "airfields" not in values["download"]
    assert (params.parent / "data/corrections/airfields/.gitkeep").is_file()
    lines = text.splitlines()
    assert all(line in lines for line in before.splitlines())
    assert len(lines) == len(before.splitlines()) + 16


def test_removing_gives_the_file_of_before(params: Path) -> None:
    before = params.read_bytes()
    by_hand.coco(params.parent / "in")
    for name in ("airfields", "harbors"):
        add(params, "coco", params.parent / "in", name)
    for name in ("airfields", "harbors"):
        remove(params, name)
    assert params.read_bytes() == before
    assert not list(params.parent.glob("data/corrections/*"))


def test_corrections_outlive_their_dataset(params: Path) -> None:
    by_hand.coco(params.parent / "in")
    add(params, "coco", params.parent / "in", "airfields")
    said = params.parent / "data/corrections/airfields/verdicts.csv"
    said.touch()
    remove(params, "airfields")
    assert said.is_file()


def test_a_folder_elsewhere_keeps_its_whole_path(
    params: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere") / "set"
    by_hand.yolo(folder)
    add(params, "yolo", folder, "ships")
    values = yaml.safe_load(params.read_text(encoding="utf-8"))
    assert values["datasets"]["ships"]["path"] == folder.resolve().as_posix()


def test_scenes_beyond_the_models_frame_are_tiled(params: Path) -> None:
    root = params.parent / "in"
    by_hand.coco(root)
    assert add(params, "coco", root, "small").largest_side == by_hand.WIDTH
    by_hand.write_image(root / "images/b.jpg", np.zeros((30, 1500, 3), np.uint8))
    add(params, "coco", root, "large")
    add(params, "coco", root, "asked", tile=512)
    sections = yaml.safe_load(params.read_text(encoding="utf-8"))["normalize"]
    cut = [(sections[n]["tile"], sections[n]["overlap"]) for n in ("small", "large", "asked")]
    assert cut == [(None, 0), (1024, 200), (512, 100)]


@pytest.mark.parametrize("name", ["dota", "sota", "Ships", "my-set", "../x", ""])
def test_names_that_are_taken_or_none_are_refused(params: Path, name: str) -> None:
    before = params.read_bytes()
    by_hand.coco(params.parent / "in")
    with pytest.raises(ParameterError, match=r"(name is taken|name: cannot be a dataset's)"):
        add(params, "coco", params.parent / "in", name)
    assert params.read_bytes() == before


def test_what_is_no_dataset_is_refused_before_anything_is_written(params: Path) -> None:
    before = params.read_bytes()
    (params.parent / "in").mkdir()
    with pytest.raises(MissingInputError, match="no coco dataset"):
        add(params, "coco", params.parent / "in", "mine")
    with pytest.raises(UnknownNameError, match="got 'cocoo'"):
        add(params, "cocoo", params.parent / "in", "mine")
    value = by_hand.coco_value()
    value["annotations"] = []
    by_hand.coco(params.parent / "in", value)
    with pytest.raises(MissingInputError, match="no boxes to make masks of, got 2 images"):
        add(params, "coco", params.parent / "in", "mine")
    assert params.read_bytes() == before


def test_what_is_set_aside_is_told(tmp_path: Path) -> None:
    value = by_hand.coco_value()
    value["annotations"].append({"image_id": 99})
    by_hand.coco(tmp_path, value)
    assert look("coco", tmp_path).quarantined == {"annotation without image": 1}


def test_only_ones_own_can_be_removed(params: Path) -> None:
    with pytest.raises(ParameterError, match="no dataset of one's own, got 'dota'; none can be"):
        remove(params, "dota")


def test_without_a_project_there_is_nothing_to_add_to(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="a checkout of the project is needed"):
        add(tmp_path / "params.yaml", "coco", tmp_path, "mine")
