"""COCO's format, and NWPU VHR-10 in it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core.errors import AnnotationError
from samrs.core.records import Quarantine, SceneRecord
from samrs.core.rle import rle_area, rle_to_hbb
from samrs.datasets.coco import read as coco
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, coco_value, write_image, write_text


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(coco.read_scenes(root, quarantine)), quarantine


def entry(root: Path, **changes: Any) -> tuple[SceneRecord, Quarantine]:
    """The first scene where its one annotation has these fields changed."""
    value = coco_value()
    value["annotations"][0].update(changes)
    by_hand.coco(root, value)
    scenes, quarantine = read(root)
    return scenes[0], quarantine


def test_box_and_polygon_are_read_in_the_projects_geometry(tmp_path: Path) -> None:
    scene, quarantine = entry(tmp_path)
    (ship,) = scene.annotations
    assert ship.category == "ship"
    assert ship.hbb.tolist() == [4, 4, 14, 10]
    assert ship.truth is not None
    assert rle_area(ship.truth) == 60
    assert ship.source_line == 1
    assert quarantine.rows == []


def test_categories_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    by_hand.coco(tmp_path)
    assert coco.categories(tmp_path) == ("plane", "ship")


def test_images_without_annotations_stay(tmp_path: Path) -> None:
    by_hand.coco(tmp_path)
    scenes, _ = read(tmp_path)
    assert [(s.scene_id, len(s.annotations)) for s in scenes] == [("a", 1), ("b", 0)]


@pytest.mark.parametrize("compressed", [False, True])
def test_run_lengths_are_masks(tmp_path: Path, compressed: bool) -> None:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[4:10, 4:14] = True
    flat = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    counts: Any = np.diff([0, *edges.tolist(), flat.size]).tolist()
    if compressed:
        counts = coco._run_lengths({"size": mask.shape, "counts": counts}, HEIGHT, WIDTH)["counts"]
    scene, _ = entry(tmp_path, segmentation={"size": list(mask.shape), "counts": counts}, iscrowd=1)
    (ship,) = scene.annotations
    assert ship.truth is not None
    assert rle_to_hbb(ship.truth).tolist() == [4, 4, 14, 10]
    assert ship.difficult


@pytest.mark.parametrize("segmentation", [None, [], {}])
def test_detection_sets_have_no_truth(tmp_path: Path, segmentation: Any) -> None:
    scene, quarantine = entry(tmp_path, segmentation=segmentation)
    assert scene.annotations[0].truth is None
    assert quarantine.rows == []


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"bbox": [1, 2, 3]}, "does not parse", "bbox does not parse"),
        ({"bbox": [1, 2, 3, None]}, "does not parse", "not a number, got 'None'"),
        ({"category_id": 99}, "unknown class", "got category_id 99; allowed are"),
        ({"segmentation": [[1, 2, 3, 4]]}, "does not parse", "fewer than three points"),
        ({"segmentation": [[1, 2, 3, 4, 5]]}, "does not parse", "segmentation does not parse"),
        ({"segmentation": {"size": [1, 1], "counts": [1]}}, "does not parse", r"of \[1, 1\] px"),
        ({"image_id": 99}, "annotation without image", "image_id 99"),
    ],
)
def test_bad_entries_are_quarantined(
    tmp_path: Path, changes: dict[str, Any], reason: str, detail: str
) -> None:
    scene, quarantine = entry(tmp_path, **changes)
    assert scene.annotations == ()
    (row,) = quarantine.rows
    assert row["reason"] == reason
    assert row["source_line"] == 1
    assert detail.replace("\\", "") in str(row["detail"])


def test_images_missing_on_disk_or_in_the_file_are_quarantined(tmp_path: Path) -> None:
    by_hand.coco(tmp_path)
    (tmp_path / "images/b.jpg").rename(tmp_path / "images/c.jpg")
    scenes, quarantine = read(tmp_path)
    assert [s.scene_id for s in scenes] == ["a"]
    assert quarantine.counts() == {"annotation without image": 1, "image without annotation": 1}


def test_several_files_are_splits(tmp_path: Path) -> None:
    for split in ("train", "val"):
        value = coco_value()
        value["images"] = [{**value["images"][0], "file_name": f"{split}/a.jpg"}]
        write_text(tmp_path / f"annotations/instances_{split}2017.json", json.dumps(value))
        write_image(tmp_path / split / "a.jpg")
    scenes, quarantine = read(tmp_path)
    assert [(s.scene_id, s.split) for s in scenes] == [
        ("train_train_a", "train"),
        ("val_val_a", "val"),
    ]
    assert scenes[0].image == tmp_path / "train/a.jpg"
    assert quarantine.rows == []


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"images": [\n', r"annotations.json:\d: not JSON"),
        ("[]", "not a COCO file, got list"),
        ('{"images": []}', r"not a COCO file, got \['images'\]; lists images, annotations"),
    ],
)
def test_file_that_is_not_coco_is_an_error(tmp_path: Path, text: str, match: str) -> None:
    write_text(tmp_path / "annotations.json", text)
    with pytest.raises(AnnotationError, match=match):
        read(tmp_path)


def test_two_categories_of_one_name_are_an_error(tmp_path: Path) -> None:
    value = coco_value()
    value["categories"][1]["name"] = "ship"
    by_hand.coco(tmp_path, value)
    with pytest.raises(AnnotationError, match="two categories share a name"):
        coco.categories(tmp_path)


def test_real_nwpu_is_read_whole(real: Path) -> None:
    scenes, quarantine = read(real / "nwpu_vhr10")
    annotations = [a for s in scenes for a in s.annotations]
    assert (len(scenes), len(annotations)) == (520, 3178)
    assert all(a.truth is not None for a in annotations)
    assert coco.categories(real / "nwpu_vhr10")[:2] == ("airplane", "ship")
    assert quarantine.rows == []


def test_a_name_that_two_files_have_is_no_guess(tmp_path: Path) -> None:
    value = coco_value()
    value["images"][0]["file_name"] = "gone/a.jpg"
    by_hand.coco(tmp_path, value)
    assert [scene.scene_id for scene in read(tmp_path)[0]] == ["b", "gone_a"]
    write_image(tmp_path / "negative" / "a.jpg")
    scenes, quarantine = read(tmp_path)
    assert [scene.scene_id for scene in scenes] == ["b"]
    assert any("2 files 'gone/a.jpg'" in row["detail"] for row in quarantine.rows)


def test_an_image_id_used_twice_invents_no_instance(tmp_path: Path) -> None:
    value = coco_value()
    value["images"][1]["id"] = value["images"][0]["id"]
    by_hand.coco(tmp_path, value)
    scenes, quarantine = read(tmp_path)
    assert [(s.scene_id, len(s.annotations)) for s in scenes] == [("a", 1)]
    assert quarantine.counts() == {"image id used twice": 1, "image without annotation": 1}


def test_boxes_of_an_image_that_is_missing_are_counted(tmp_path: Path) -> None:
    by_hand.coco(tmp_path)
    (tmp_path / "images/a.jpg").unlink()
    _, quarantine = read(tmp_path)
    assert quarantine.counts() == {"annotation without image": 2}


def test_names_are_found_in_either_form_of_unicode(tmp_path: Path) -> None:
    value = coco_value()
    value["images"][0]["file_name"] = unicodedata.normalize("NFC", "île.jpg")
    by_hand.coco(tmp_path, value)
    decomposed = unicodedata.normalize("NFD", "île.jpg")
    (tmp_path / "images/a.jpg").unlink(missing_ok=True)
    write_image(tmp_path / "images" / decomposed)
    scenes, _ = read(tmp_path)
    assert "ueele" in [scene.scene_id for scene in scenes]
