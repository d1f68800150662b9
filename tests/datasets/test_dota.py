"""DOTA's quirks, and real DOTA files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.records import Quarantine, SceneRecord
from samrs.datasets.dota import read as dota
from tests.datasets.by_hand import write_image, write_text

LINE = "4 4 14 4 14 10 4 10 plane 0"


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(dota.read_scenes(root, quarantine)), quarantine


def flat(root: Path, text: str) -> tuple[SceneRecord, Quarantine]:
    """One scene P1 of the flat layout with that annotation text."""
    write_image(root / "images/P1.png")
    write_text(root / "labelTxt/P1.txt", text)
    (scene,), quarantine = read(root)
    return scene, quarantine


@pytest.mark.parametrize(
    ("header", "gsd"),
    [
        ("imagesource:GoogleEarth\ngsd:0.2555\n", 0.2555),
        ("imagesource:GF\r\ngsd:1\r\n", 1.0),
        ("imagesource:GoogleEarth\ngsd:null\n", None),
        ("gsd:None\n", None),
        ("gsd:0\n", None),
        ("\ufeffimagesource:GF\ngsd:2\n", 2.0),
        ("", None),
    ],
)
def test_header_is_optional(tmp_path: Path, header: str, gsd: float | None) -> None:
    scene, quarantine = flat(tmp_path, header + LINE + "\r\n")
    assert scene.gsd == gsd
    assert scene.split == "all"
    (annotation,) = scene.annotations
    assert annotation.category == "plane"
    assert annotation.ordinal == 0
    assert annotation.source_line == header.count("\n") + 1
    assert not annotation.difficult
    assert quarantine.rows == []


def test_difficult_may_be_missing_and_coordinates_be_floats_outside(tmp_path: Path) -> None:
    text = "-3.5 4 14.25 4 14.25 10 -3.5 10 ship\n4 4 14 4 14 10 4 10 Small_Vehicle 1\n"
    scene, quarantine = flat(tmp_path, text)
    ship, vehicle = scene.annotations
    assert ship.hbb.tolist() == [-3.5, 4, 14.25, 10]
    assert not ship.difficult
    assert vehicle.category == "small-vehicle"
    assert vehicle.difficult
    assert quarantine.rows == []


def test_empty_file_is_an_image_without_objects(tmp_path: Path) -> None:
    scene, quarantine = flat(tmp_path, "")
    assert scene.annotations == ()
    assert quarantine.rows == []


def test_corners_become_clockwise_and_keep_their_first(tmp_path: Path) -> None:
    scene, _ = flat(tmp_path, "4 4 4 10 14 10 14 4 plane 0\n")
    assert scene.annotations[0].obb is not None
    assert scene.annotations[0].obb.tolist() == [[4, 4], [14, 4], [14, 10], [4, 10]]


def test_equal_lines_are_two_instances(tmp_path: Path) -> None:
    scene, _ = flat(tmp_path, f"{LINE}\n{LINE}\n")
    assert [a.ordinal for a in scene.annotations] == [0, 1]


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        ("4 4 14 10 plane 0", "does not parse", "labelTxt/P1.txt:2: line does not parse"),
        ("4 4 14 4 14 10 4 ten plane 0", "does not parse", "labelTxt/P1.txt:2: not a number"),
        ("4 4 14 4 14 10 4 nan plane 0", "does not parse", "labelTxt/P1.txt:2: not a number"),
        ("4 4 14 4 14 10 4 1e300 plane 0", "does not parse", "got '1e300'; decimal numbers up"),
        ("4 4 14 4 14 10 4 10 zeppelin 0", "unknown class", "got 'zeppelin'; allowed are large-v"),
        ("gsd:wide", "does not parse", "labelTxt/P1.txt:2: not a number, got 'wide'"),
    ],
)
def test_bad_line_is_quarantined_and_the_others_keep_their_ids(
    tmp_path: Path, line: str, reason: str, detail: str
) -> None:
    scene, quarantine = flat(tmp_path, f"{LINE}\n{line}\n{LINE}\n")
    assert [a.source_line for a in scene.annotations] == [1, 3]
    (row,) = quarantine.rows
    assert row["reason"] == reason
    assert row["source_file"] == "labelTxt/P1.txt"
    assert row["source_line"] == 2
    assert detail in str(row["detail"])
    if not line.startswith("gsd"):
        assert [a.ordinal for a in scene.annotations] == [0, 2]


def test_file_that_is_not_text_is_quarantined(tmp_path: Path) -> None:
    write_image(tmp_path / "images/P1.png")
    (tmp_path / "labelTxt").mkdir()
    (tmp_path / "labelTxt/P1.txt").write_bytes(b"4 4 \xff\xfe")
    scenes, quarantine = read(tmp_path)
    assert scenes == []
    assert "labelTxt/P1.txt:1: not UTF-8 text" in str(quarantine.rows[0]["detail"])


def test_files_without_their_pair_are_quarantined(tmp_path: Path) -> None:
    write_image(tmp_path / "images/alone.png")
    write_text(tmp_path / "labelTxt/lonely.txt", LINE)
    scenes, quarantine = read(tmp_path)
    assert scenes == []
    assert quarantine.counts() == {"annotation without image": 1, "image without annotation": 1}


def test_horizontal_version_gives_the_horizontal_boxes(tmp_path: Path) -> None:
    write_image(tmp_path / "train/images/P1.png")
    rotated = "9 2 16 7 9 12 2 7 plane 1\n20 20 30 20 30 26 20 26 ship 0\n"
    horizontal = "20 20 30 20 30 26 20 26 ship 0\n3 3 15 3 15 11 3 11 plane 1\n"
    write_text(tmp_path / "train/labelTxt/P1.txt", rotated)
    write_text(tmp_path / "train/labelTxt-hbb/P1.txt", horizontal + "0 0 3 0 3 3 0 3 ship 0\n")
    (scene,), quarantine = read(tmp_path)
    plane, ship = scene.annotations
    assert plane.hbb.tolist() == [3, 3, 15, 11]
    assert plane.obb is not None
    assert np.array_equal(plane.obb[0], [9, 2])
    assert plane.source_file == "train/labelTxt/P1.txt"
    assert ship.hbb.tolist() == [20, 20, 30, 26]
    assert quarantine.counts() == {"box without its pair": 1}
    assert quarantine.rows[0]["source_line"] == 3


def test_horizontal_version_alone_has_no_rotated_boxes(tmp_path: Path) -> None:
    write_image(tmp_path / "train/images/P1.png")
    write_text(tmp_path / "train/labelTxt-hbb/P1.txt", LINE)
    (scene,), quarantine = read(tmp_path)
    (plane,) = scene.annotations
    assert (plane.hbb.tolist(), plane.obb) == ([4, 4, 14, 10], None)
    assert quarantine.rows == []


def test_official_folder_names_of_version_2_are_read(tmp_path: Path) -> None:
    write_image(tmp_path / "val/images/P1.png")
    write_text(tmp_path / "val/labelTxt-v2.0/DOTA-v2.0_val/P1.txt", LINE)
    (scene,), _ = read(tmp_path)
    assert scene.split == "val"
    assert len(scene.annotations) == 1


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_folder_names_of_the_mirrors_archives_are_read(tmp_path: Path, version: str) -> None:
    write_image(tmp_path / "train/images/P1.png")
    write_text(tmp_path / f"train/annotations/version{version}/P1.txt", LINE)
    (scene,), quarantine = read(tmp_path)
    assert scene.split == "train"
    assert [a.category for a in scene.annotations] == ["plane"]
    assert quarantine.rows == []


def test_newer_labels_come_first_where_both_are_there(tmp_path: Path) -> None:
    write_image(tmp_path / "train/images/P1.png")
    write_text(tmp_path / "train/annotations/version1.0/P1.txt", LINE)
    write_text(tmp_path / "train/annotations/version2.0/P1.txt", f"{LINE}\n{LINE}")
    (scene,), _ = read(tmp_path)
    assert len(scene.annotations) == 2


def test_real_scenes_have_the_known_number_of_boxes(real: Path) -> None:
    scenes, quarantine = read(real / "dota_isaid")
    assert {s.scene_id: len(s.annotations) for s in scenes} == {"P0003": 55, "P0004": 107}
    assert scenes[0].gsd == pytest.approx(0.115726939386)
    assert quarantine.rows == []


def test_real_annotations_without_image_are_quarantined(real: Path) -> None:
    scenes, quarantine = read(real / "dota_devkit")
    assert {s.scene_id: len(s.annotations) for s in scenes} == {"P0706": 536, "P1888": 64}
    assert quarantine.counts() == {"annotation without image": 5}


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    write_image(tmp_path / "images/P1.png")
    (tmp_path / "labelTxt").mkdir()
    (tmp_path / "labelTxt/P1.txt").write_bytes(f"gsd:0.5\r\n{LINE}\r\n".encode())
    (scene,), quarantine = read(tmp_path)
    assert (scene.gsd, len(scene.annotations)) == (0.5, 1)
    assert quarantine.rows == []


def test_horizontal_files_without_a_rotated_one_or_an_image_are_not_forgotten(
    tmp_path: Path,
) -> None:
    for name in ("P1", "P2"):
        write_image(tmp_path / f"images/{name}.png")
    write_text(tmp_path / "labelTxt/P1.txt", LINE)
    write_text(tmp_path / "labelTxt-hbb/P2.txt", LINE)
    write_text(tmp_path / "labelTxt-hbb/P3.txt", LINE)
    (_, second), quarantine = read(tmp_path)
    assert [a.obb for a in second.annotations] == [None]
    assert [row["source_file"] for row in quarantine.rows] == ["labelTxt-hbb/P3.txt"]


def test_a_second_image_of_the_same_name_is_quarantined(tmp_path: Path) -> None:
    flat(tmp_path, LINE)
    write_image(tmp_path / "images/P1.tif")
    (scene,), quarantine = read(tmp_path)
    assert scene.image.name == "P1.png"
    assert [row["source_file"] for row in quarantine.rows] == ["images/P1.tif"]


@pytest.mark.parametrize(
    ("word", "difficult"), [("1", True), ("0", False), ("True", True), ("Unspecified", False)]
)
def test_difficult_may_be_a_word(tmp_path: Path, word: str, difficult: bool) -> None:
    scene, quarantine = flat(tmp_path, f"{LINE[:-1]}{word}\n")
    assert [a.difficult for a in scene.annotations] == [difficult]
    assert quarantine.rows == []


def test_test_images_are_read_with_labels_and_listed_without(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write_image(tmp_path / split / f"images/{split}.png")
    write_text(tmp_path / "train/labelTxt/train.txt", LINE)
    scenes, quarantine = read(tmp_path)
    assert [scene.split for scene in scenes] == ["train"]
    assert quarantine.counts() == {"split without annotations": 1}
    write_text(tmp_path / "test/labelTxt/test.txt", LINE)
    scenes, quarantine = read(tmp_path)
    assert [scene.split for scene in scenes] == ["test", "train"]
    assert quarantine.rows == []
