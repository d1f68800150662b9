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
from samrs.core.rle import crop_to_rle, rle_area, rle_to_hbb
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
        counts = crop_to_rle(mask, 0, 0, mask.shape)["counts"]
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


@pytest.mark.parametrize(
    ("segmentation", "told"),
    [
        ([[1, 2, 3, 4]], "fewer than three points"),
        ([[1, 2, 3, 4, 5]], "no list of x and y"),
        ([4, 4, 14, 4, 14, 10], "no list of x and y"),
        ([[]], "fewer than three points"),
        ([[1, 2, 3, 4, 1e9, 5]], "far outside any image"),
        ({"size": [1, 1], "counts": [2]}, "add up to 2 px"),
        ({"size": [30, 40]}, "counts"),
        ("polygon", "neither polygons nor run lengths"),
    ],
)
def test_a_bad_segmentation_costs_the_mask_but_not_the_box(
    tmp_path: Path, segmentation: Any, told: str
) -> None:
    scene, quarantine = entry(tmp_path, segmentation=segmentation)
    (ship,) = scene.annotations
    assert (ship.hbb.tolist(), ship.truth) == ([4, 4, 14, 10], None)
    (row,) = quarantine.rows
    assert row["reason"] == "true mask does not parse"
    assert told in str(row["detail"])


def test_a_stray_point_beside_a_good_polygon_is_told(tmp_path: Path) -> None:
    good = [4, 4, 14, 4, 14, 10, 4, 10]
    scene, quarantine = entry(tmp_path, segmentation=[good, [20, 20]])
    assert rle_area(scene.annotations[0].truth) == 60
    assert quarantine.counts() == {"true mask does not parse": 1}


@pytest.mark.parametrize("size", [{}, {"width": float(WIDTH), "height": float(HEIGHT)}])
def test_polygons_are_painted_where_the_size_is_missing_or_a_float(
    tmp_path: Path, size: dict[str, float]
) -> None:
    value = coco_value()
    image = value["images"][0]
    del image["width"], image["height"]
    image.update(size)
    by_hand.coco(tmp_path, value)
    scenes, quarantine = read(tmp_path)
    assert rle_area(scenes[0].annotations[0].truth) == 60
    assert quarantine.rows == []


@pytest.mark.parametrize(
    ("flag", "difficult"),
    [("0", False), ("1", True), (0, False), (1, True), (None, False), ("False", False)],
)
def test_crowds_are_difficult(tmp_path: Path, flag: Any, difficult: bool) -> None:
    scene, _ = entry(tmp_path, iscrowd=flag)
    assert scene.annotations[0].difficult == difficult


def test_whole_numbers_may_be_written_as_floats(tmp_path: Path) -> None:
    scene, quarantine = entry(tmp_path, image_id=10.0, category_id=7.0)
    assert scene.annotations[0].category == "ship"
    assert quarantine.rows == []


def test_a_class_may_be_named_by_a_number(tmp_path: Path) -> None:
    value = coco_value()
    value["categories"][0]["name"] = 737
    by_hand.coco(tmp_path, value)
    assert coco.categories(tmp_path) == ("plane", "737")


@pytest.mark.parametrize("name", ["ship", "vessels"])
def test_the_group_of_the_classes_is_no_class(tmp_path: Path, name: str) -> None:
    """As Roboflow writes it, with the name of a class or another."""
    value = coco_value()
    value["categories"] = [
        {"id": 0, "name": name, "supercategory": "none"},
        {"id": 7, "name": "ship", "supercategory": name},
    ]
    by_hand.coco(tmp_path, value)
    assert coco.categories(tmp_path) == ("ship",)


def test_each_file_has_its_own_category_ids(tmp_path: Path) -> None:
    value = coco_value()
    value["images"], value["annotations"][0]["segmentation"] = value["images"][:1], []
    write_text(tmp_path / "annotations/iSAID_train.json", json.dumps(value))
    value["categories"] = [{"id": 3, "name": "ship"}, {"id": 7, "name": "plane"}]
    value["images"][0]["file_name"] = "b.jpg"
    write_text(tmp_path / "annotations/iSAID_val.json", json.dumps(value))
    by_hand.write_image(tmp_path / "images/a.jpg")
    by_hand.write_image(tmp_path / "images/b.jpg")
    scenes, quarantine = read(tmp_path)
    found = [(s.scene_id, s.split, s.annotations[0].category) for s in scenes]
    assert found == [("train_a", "train", "ship"), ("val_b", "val", "plane")]
    assert set(coco.categories(tmp_path)) == {"ship", "plane"}
    assert quarantine.rows == []


def files(root: Path, layout: dict[str, dict[str, str]]) -> tuple[list[tuple[str, ...]], Any]:
    """(scene, split, image) of COCO files, each with the images it lists: file_name to path."""
    for where, images in layout.items():
        value = coco_value()
        value["annotations"] = []
        value["images"] = [{"id": i, "file_name": name} for i, name in enumerate(images)]
        write_text(root / where, json.dumps(value))
        for path in images.values():
            if not (root / path).exists():
                write_image(root / path)
    scenes, quarantine = read(root)
    found = [(s.scene_id, s.split, s.image.relative_to(root).as_posix()) for s in scenes]
    return found, quarantine.counts()


@pytest.mark.parametrize(
    ("layout", "found"),
    [
        pytest.param(
            {
                "train/_annotations.coco.json": {"a.jpg": "train/a.jpg"},
                "valid/_annotations.coco.json": {"a.jpg": "valid/a.jpg"},
            },
            [("train_a", "train", "train/a.jpg"), ("val_a", "val", "valid/a.jpg")],
            id="Roboflow",
        ),
        pytest.param(
            {
                "annotations/instances_Train.json": {"a.jpg": "images/Train/a.jpg"},
                "annotations/instances_Validation.json": {"a.jpg": "images/Validation/a.jpg"},
            },
            [
                ("train_a", "train", "images/Train/a.jpg"),
                ("val_a", "val", "images/Validation/a.jpg"),
            ],
            id="CVAT",
        ),
        pytest.param(
            {
                "annotations/instances_train.json": {"sub/b.jpg": "images/train/sub/b.jpg"},
                "annotations/image_info_train.json": {"sub/b.jpg": "images/train/sub/b.jpg"},
                "annotations/stuff_train.json": {"sub/b.jpg": "images/train/sub/b.jpg"},
            },
            [("sub_b", "train", "images/train/sub/b.jpg")],
            id="Datumaro",
        ),
        pytest.param(
            {
                "annotations/instances_train2017.json": {"a.jpg": "train2017/a.jpg"},
                "annotations/instances_val2017.json": {"a.jpg": "val2017/a.jpg"},
            },
            [("train_a", "train", "train2017/a.jpg"), ("val_a", "val", "val2017/a.jpg")],
            id="COCO itself",
        ),
        pytest.param(
            {
                "annotations.json": {
                    "train\\a.jpg": "images/train/a.jpg",
                    "./val/a.jpg": "images/val/a.jpg",
                }
            },
            [("train_a", "train", "images/train/a.jpg"), ("val_a", "val", "images/val/a.jpg")],
            id="paths of other systems",
        ),
        pytest.param(
            {"annotations.json": {"/home/someone/set/a.jpg": "images/a.jpg"}},
            [("a", "all", "images/a.jpg")],
            id="absolute",
        ),
        pytest.param(
            {"annotations.json": {"C:\\Users\\someone\\a.jpg": "images/a.jpg"}},
            [("a", "all", "images/a.jpg")],
            id="absolute on Windows",
        ),
        pytest.param(
            {"latest.json": {"a.jpg": "a.jpg"}, "interval_split.json": {"b.jpg": "b.jpg"}},
            [("interval_split_b", "interval_split", "b.jpg"), ("latest_a", "latest", "a.jpg")],
            id="words within words",
        ),
    ],
)
def test_files_of_other_tools(
    tmp_path: Path, layout: dict[str, dict[str, str]], found: list[tuple[str, ...]]
) -> None:
    assert files(tmp_path, layout) == (found, {})


def test_an_image_of_two_splits_is_in_the_first_alone(tmp_path: Path) -> None:
    same = {"a.jpg": "images/a.jpg"}
    layout = {"annotations/train.json": same, "annotations/val.json": same}
    found, counts = files(tmp_path, layout)
    assert found == [("train_a", "train", "images/a.jpg")]
    assert counts == {"image in two splits": 1}


def test_what_systems_leave_behind_is_not_read(tmp_path: Path) -> None:
    by_hand.coco(tmp_path)
    for name in ("images/._a.jpg", "images/.ipynb_checkpoints/a-checkpoint.jpg", "__MACOSX/a.jpg"):
        write_text(tmp_path / name, "left over")
    scenes, quarantine = read(tmp_path)
    assert [s.scene_id for s in scenes] == ["a", "b"]
    assert quarantine.rows == []


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
        ('{"images": []}', r"not a COCO file, got \['images'\]; an object with lists images, ann"),
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


def test_a_file_of_all_is_not_read_beside_its_parts(tmp_path: Path) -> None:
    one, other = {"a.jpg": "images/a.jpg"}, {"b.jpg": "images/b.jpg"}
    layout = {
        "annotations/instances_train.json": one,
        "annotations/instances_trainval.json": one | other,
        "annotations/instances_val.json": other,
    }
    found, counts = files(tmp_path, layout)
    assert [split for _, split, _ in found] == ["train", "val"]
    assert counts == {}


def test_ids_may_be_numbers_in_quotes(tmp_path: Path) -> None:
    value = coco_value()
    value["images"][0]["id"] = "10"
    value["annotations"][0]["category_id"] = "7"
    by_hand.coco(tmp_path, value)
    scenes, quarantine = read(tmp_path)
    assert [a.category for a in scenes[0].annotations] == ["ship"]
    assert quarantine.rows == []
