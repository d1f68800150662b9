"""labelme's JSON: kinds of shapes, groups, paths that lead elsewhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from samrs.core.rle import rle_area, rle_to_mask
from samrs.datasets.labelme import read as labelme
from tests.datasets import by_hand
from tests.datasets.by_hand import (
    HEIGHT,
    WIDTH,
    image,
    labelme_shape,
    labelme_value,
    write_image,
    write_text,
)
from tests.datasets.reading import boxes, details, only, read

SQUARE = ((4, 4), (14, 4), (14, 10), (4, 10))


def shapes(root: Path, *given: object) -> None:
    by_hand.labelme(root)
    write_text(root / "a.json", json.dumps(labelme_value("a.jpg", *given)))


@pytest.mark.parametrize("corners", [((4, 4), (14, 10)), ((14, 4), (4, 10)), SQUARE])
def test_a_rectangle_is_a_box_from_any_corner(
    tmp_path: Path, corners: tuple[tuple[int, int], ...]
) -> None:
    shapes(tmp_path, labelme_shape("rectangle", *corners))
    (first, second), quarantine = read("labelme", tmp_path)
    (ship,) = first.annotations
    assert boxes(first) == [("ship", [4, 4, 14, 10])]
    assert (ship.obb, ship.truth) == (None, None)
    assert (first.scene_id, first.split, first.declared_wh) == ("a", "all", (WIDTH, HEIGHT))
    assert second.annotations == ()
    assert quarantine.rows == []


def test_a_rotation_is_a_rotated_box(tmp_path: Path) -> None:
    shapes(tmp_path, labelme_shape("rotation", (9, 4), (14, 9), (9, 14), (4, 9), direction=0.78))
    ship = only(read("labelme", tmp_path)[0])
    assert ship.obb is not None
    assert ship.obb.tolist() == [[9, 4], [14, 9], [9, 14], [4, 9]]
    assert ship.hbb.tolist() == [4, 4, 14, 14]


@pytest.mark.parametrize("kind", ["polygon", ""])
def test_a_polygon_is_a_true_mask_and_its_hull_the_box(tmp_path: Path, kind: str) -> None:
    shapes(tmp_path, labelme_shape(kind, *SQUARE))
    ship = only(read("labelme", tmp_path)[0])
    assert ship.truth is not None
    assert (rle_area(ship.truth), ship.truth["size"]) == (60, [HEIGHT, WIDTH])
    assert (ship.hbb.tolist(), ship.obb) == ([4, 4, 14, 10], None)


def png(mask: object) -> str:
    data = cv2.imencode(".png", np.array(mask, dtype=np.uint8))[1].tobytes()
    return base64.b64encode(data).decode()


def test_a_mask_is_a_picture_of_its_box_whose_second_corner_is_its_last_pixel(
    tmp_path: Path,
) -> None:
    crop = [[0, 255, 0], [1, 1, 1]]
    shapes(tmp_path, labelme_shape("mask", (37, 28), (39, 29), mask=png(crop)))
    ship = only(read("labelme", tmp_path)[0])
    assert ship.hbb.tolist() == [37, 28, 40, 30]
    assert ship.truth is not None
    whole = rle_to_mask(ship.truth)
    assert whole[28:, 37:].tolist() == [[False, True, False], [True, True, True]]
    assert whole.sum() == 4


@pytest.mark.parametrize("text", [png([[1, 1]]), "%%%", "", 7, "AAAA", png(np.ones((90, 3)))])
def test_a_bad_mask_never_costs_the_box(tmp_path: Path, text: object) -> None:
    shapes(tmp_path, labelme_shape("mask", (4, 4), (6, 5), mask=text))
    scenes, quarantine = read("labelme", tmp_path)
    assert boxes(scenes[0]) == [("ship", [4, 4, 7, 6])]
    assert quarantine.counts() == {"true mask does not parse": 1}


def test_shapes_of_one_label_and_group_are_one_object(tmp_path: Path) -> None:
    left = labelme_shape("polygon", *SQUARE, group_id=1)
    right = labelme_shape("polygon", (20, 4), (24, 4), (24, 10), (20, 10), group_id=1)
    other = {**right, "label": "quay"}
    alone = labelme_shape("polygon", (30, 20), (34, 20), (34, 24), (30, 24))
    shapes(tmp_path, left, other, alone, right, {**alone, "group_id": 2})
    found = read("labelme", tmp_path)[0][0].annotations
    assert [(a.category, a.hbb.tolist(), a.ordinal) for a in found] == [
        ("ship", [4, 4, 24, 10], 0),
        ("quay", [20, 4, 24, 10], 1),
        ("ship", [30, 20, 34, 24], 2),
        ("ship", [30, 20, 34, 24], 4),
    ]
    assert [rle_area(a.truth) for a in found if a.truth is not None] == [84, 24, 16, 16]


def test_a_group_with_a_box_has_no_true_mask(tmp_path: Path) -> None:
    box = labelme_shape("rectangle", (1, 1), (5, 5), group_id=1)
    shapes(tmp_path, labelme_shape("polygon", *SQUARE, group_id=1), box)
    ship = only(read("labelme", tmp_path)[0])
    assert (ship.hbb.tolist(), ship.truth) == ([1, 1, 14, 10], None)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (labelme_shape("circle", (9, 9), (12, 9)), "a shape that is no box, got circle"),
        (labelme_shape("linestrip", *SQUARE), "a shape that is no box, got linestrip"),
        (labelme_shape("point", (9, 9)), "a shape that is no box, got point"),
        (labelme_shape("polygon", (4, 4), (14, 4)), "three and more points"),
        (labelme_shape("rectangle", (4, 4)), "2 or 4 points"),
        (labelme_shape("rotation", (4, 4), (14, 10)), "4 points"),
        ({**labelme_shape("polygon"), "points": [[4, 4, 1], [5, 5, 1], [6, 6, 1]]}, "points of a"),
        ({**labelme_shape("polygon", *SQUARE), "label": ""}, "a shape without label"),
        ({**labelme_shape("rectangle"), "points": [[4, "x"], [5, 5]]}, "not a number"),
        (None, "a shape without label"),
    ],
)
def test_shapes_that_are_no_boxes_are_set_aside(tmp_path: Path, shape: object, said: str) -> None:
    shapes(tmp_path, shape, labelme_shape("rectangle", (4, 4), (14, 10)))
    scenes, quarantine = read("labelme", tmp_path)
    assert only(scenes).ordinal == 1
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"]) == ("a.json", 1)
    assert said in str(row["detail"])


@pytest.mark.parametrize(
    ("more", "difficult"),
    [
        ({"difficult": True}, True),
        ({"difficult": "false"}, False),
        ({"flags": {"difficult": True}}, True),
        ({"flags": {"difficult": False}}, False),
        ({"flags": None}, False),
    ],
)
def test_difficult_is_a_key_or_a_flag(
    tmp_path: Path, more: dict[str, object], difficult: bool
) -> None:
    shapes(tmp_path, {**labelme_shape("rectangle", (4, 4), (14, 10)), **more})
    assert only(read("labelme", tmp_path)[0]).difficult == difficult


def test_ignored_regions_are_listed_and_no_class(tmp_path: Path) -> None:
    ignored = [
        labelme_shape("polygon", *SQUARE, label="__ignore__"),
        labelme_shape("circle", (20, 20), (23, 24), label="__ignore__"),
        labelme_shape("rectangle", (5, 9), (1, 2), label="__ignore__"),
    ]
    shapes(tmp_path, *ignored, labelme_shape("rectangle", (4, 4), (14, 10)))
    scenes, quarantine = read("labelme", tmp_path)
    assert only(scenes).category == "ship"
    assert labelme.categories(tmp_path) == ("ship",)
    assert quarantine.counts() == {"ignored regions": 1}
    hulls = [[*o.min(axis=0), *o.max(axis=0)] for _, o in scenes[0].uncertain]
    assert hulls == [[4, 4, 14, 10], [15, 15, 25, 25], [1, 2, 5, 9]]


@pytest.mark.parametrize(
    "told", ["..\\images\\train\\a.jpg", "../images/train/a.jpg", "C:\\Users\\x\\a.jpg", None]
)
def test_an_image_is_found_by_its_path_or_else_by_the_files_name(
    tmp_path: Path, told: object
) -> None:
    write_image(tmp_path / "images/train/a.jpg")
    ship = labelme_shape("rectangle", (4, 4), (14, 10))
    value = {**labelme_value("", ship), "imagePath": told}
    write_text(tmp_path / "labels/a.json", json.dumps(value))
    (scene,), quarantine = read("labelme", tmp_path)
    assert (scene.scene_id, scene.split, scene.image) == (
        "train_a",
        "train",
        tmp_path / "images/train/a.jpg",
    )
    assert quarantine.rows == []


@pytest.mark.parametrize("told", ["/etc/hostname", "../../outside.jpg", "..", "", "gone.jpg"])
def test_a_path_never_leads_out_of_the_folder(tmp_path: Path, told: str) -> None:
    write_image(tmp_path / "outside.jpg")
    root = tmp_path / "set"
    by_hand.labelme(root)
    write_text(root / "z.json", json.dumps(labelme_value(told)))
    scenes, quarantine = read("labelme", root)
    assert [scene.image for scene in scenes] == [root / "a.jpg", root / "b.jpg"]
    (row,) = quarantine.rows
    assert (row["source_file"], row["reason"]) == ("z.json", "annotation without image")


def test_an_image_without_a_file_is_no_negative(tmp_path: Path) -> None:
    by_hand.labelme(tmp_path)
    write_image(tmp_path / "c.jpg", image(2))
    scenes, quarantine = read("labelme", tmp_path)
    assert len(scenes) == 2
    assert quarantine.counts() == {"image without annotation": 1}
    assert "c.jpg: no file is of it" in details(quarantine)


def test_other_json_files_are_set_aside(tmp_path: Path) -> None:
    by_hand.labelme(tmp_path)
    write_text(tmp_path / "settings.json", '{"theme": "dark"}')
    scenes, quarantine = read("labelme", tmp_path)
    assert len(scenes) == 2
    assert quarantine.counts() == {"does not parse": 1}
    assert "not a file of labelme's, got ['theme']" in details(quarantine)
