"""SODA-A's JSON: polygons, its ignored regions, its patches."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samrs.datasets.soda_a import read as soda_a
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, soda_a_value, write_image, write_text
from tests.datasets.reading import boxes, details, read

LABEL = "Annotations/train/a.json"
SQUARE = [4, 4, 14, 4, 14, 10, 4, 10]


def entry(poly: object, category_id: object = 0) -> dict[str, object]:
    return {"poly": poly, "category_id": category_id}


def entries(root: Path, *annotations: object) -> None:
    by_hand.soda_a(root)
    write_text(root / LABEL, json.dumps(soda_a_value(*annotations)))


def test_eight_numbers_are_a_rotated_box(tmp_path: Path) -> None:
    entries(tmp_path, entry([9, 4, 4, 9, 9, 14, 14.5, 9]))
    (first, second), quarantine = read("soda_a", tmp_path)
    (plane,) = first.annotations
    assert (plane.category, plane.hbb.tolist()) == ("airplane", [4, 4, 14.5, 14])
    assert plane.obb is not None
    assert plane.obb.tolist() == [[9, 4], [14.5, 9], [9, 14], [4, 9]]
    assert [(s.scene_id, s.split, s.declared_wh) for s in (first, second)] == [
        ("a", "train", (WIDTH, HEIGHT)),
        ("b", "val", (WIDTH, HEIGHT)),
    ]
    assert second.annotations == ()
    assert quarantine.rows == []


def test_more_corners_are_a_box_without_rotation(tmp_path: Path) -> None:
    entries(tmp_path, entry([4, 4, 14, 4, 14, 10, 9, 12, 4, 10]))
    (plane,) = read("soda_a", tmp_path)[0][0].annotations
    assert (plane.hbb.tolist(), plane.obb, plane.truth) == ([4, 4, 14, 12], None, None)


def test_the_class_ignore_is_no_class(tmp_path: Path) -> None:
    entries(tmp_path, entry(SQUARE, 9), entry(SQUARE), entry(SQUARE, 9))
    (first, _), quarantine = read("soda_a", tmp_path)
    assert boxes(first) == [("airplane", [4, 4, 14, 10])]
    assert soda_a.categories(tmp_path) == ("airplane",)
    assert quarantine.counts() == {"ignored regions": 1}
    assert [outline.max(axis=0).tolist() for _, outline in first.uncertain] == [[14, 10]] * 2
    assert "got 2 that" in details(quarantine)


@pytest.mark.parametrize(
    ("value", "reason", "said"),
    [
        (entry([4, 4, 14, 4, 14, 10]), "does not parse", "poly does not parse"),
        (entry([4, 4, 14, 4, 14, 10, 4]), "does not parse", "poly does not parse"),
        (entry([4, 4, 14, 4, 14, 10, 4, None]), "does not parse", "not a number"),
        (entry(SQUARE, 4), "unknown class", "category_id 4"),
        (entry(SQUARE, None), "unknown class", "category_id None"),
        ([1], "does not parse", "poly does not parse"),
    ],
)
def test_bad_entries_are_set_aside(tmp_path: Path, value: object, reason: str, said: str) -> None:
    entries(tmp_path, value, entry(SQUARE))
    (first, _), quarantine = read("soda_a", tmp_path)
    assert len(first.annotations) == 1
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"], row["reason"]) == (LABEL, 1, reason)
    assert said in str(row["detail"])


def test_classes_are_those_of_the_files_else_of_soda_a(tmp_path: Path) -> None:
    entries(tmp_path, entry(SQUARE, 1))
    names = [{"id": 1, "name": "harbor"}, {"id": 0, "name": "bridge"}]
    for path in (tmp_path / "Annotations").rglob("*.json"):
        value = json.loads(path.read_text())
        write_text(path, json.dumps({**value, "categories": names}))
    assert soda_a.categories(tmp_path) == ("bridge", "harbor")
    assert boxes(read("soda_a", tmp_path)[0][0]) == [("harbor", [4, 4, 14, 10])]
    for path in (tmp_path / "Annotations").rglob("*.json"):
        value = json.loads(path.read_text())
        del value["categories"]
        write_text(path, json.dumps(value))
    assert soda_a.categories(tmp_path) == soda_a.SODA_A
    assert boxes(read("soda_a", tmp_path)[0][0]) == [("helicopter", [4, 4, 14, 10])]


def test_patches_of_the_publishers_tool_are_read(tmp_path: Path) -> None:
    write_image(tmp_path / "train/Images/a__800__0___0.jpg")
    patch = {"filename": "a__800__0___0.jpg", "width": WIDTH, "height": HEIGHT}
    value = {**patch, "annotations": [{"poly": SQUARE, "cat_id": 4, "trunc": 0}]}
    write_text(tmp_path / "train/Annotations/a__800__0___0.json", json.dumps(value))
    (scene,), quarantine = read("soda_a", tmp_path)
    assert boxes(scene) == [("ship", [4, 4, 14, 10])]
    assert (scene.split, scene.declared_wh) == ("train", (WIDTH, HEIGHT))
    assert quarantine.rows == []


def test_objects_are_not_read_twice_where_copies_lie_beside(tmp_path: Path) -> None:
    value = json.dumps(soda_a_value(entry(SQUARE)))
    write_image(tmp_path / "rawData/train/Images/a.jpg")
    for folder in ("rawData/train/Annotations", "rawData/train/AnnsWithIgnore"):
        write_text(tmp_path / folder / "a.json", value)
    write_image(tmp_path / "divData/train/Images/a__0.jpg")
    write_text(tmp_path / "divData/train/Annotations/a__0.json", value)
    (scene,), quarantine = read("soda_a", tmp_path)
    assert (scene.scene_id, len(scene.annotations)) == ("a", 1)
    assert scene.annotations[0].source_file == "rawData/train/Annotations/a.json"
    assert quarantine.rows == []


def test_an_image_without_a_file_is_no_negative(tmp_path: Path) -> None:
    by_hand.soda_a(tmp_path)
    (tmp_path / "Annotations/val/b.json").unlink()
    scenes, quarantine = read("soda_a", tmp_path)
    assert [s.scene_id for s in scenes] == ["a"]
    assert quarantine.counts() == {"image without annotation": 1}
