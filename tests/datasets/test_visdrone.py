"""VisDrone-DET: columns, ignored regions, boxes that do not count."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core.errors import MissingInputError
from samrs.core.records import Quarantine
from samrs.datasets.visdrone import read as visdrone
from tests.datasets import by_hand
from tests.datasets.by_hand import write_image, write_text
from tests.datasets.reading import boxes, details, read

LABEL = "VisDrone2019-DET-train/annotations/a.txt"


def lines(root: Path, text: str) -> None:
    by_hand.visdrone(root)
    write_text(root / LABEL, text)


def test_columns_are_left_top_width_height_score_class(tmp_path: Path) -> None:
    by_hand.visdrone(tmp_path)
    (first, second), quarantine = read("visdrone", tmp_path)
    assert boxes(first) == [("car", [4, 4, 14, 10])]
    assert [(s.scene_id, s.split) for s in (first, second)] == [
        ("VisDrone2019-DET-train_a", "train"),
        ("VisDrone2019-DET-val_b", "val"),
    ]
    assert first.annotations[0].obb is None
    assert not first.annotations[0].difficult
    assert second.annotations == ()
    assert quarantine.rows == []


def test_ignored_regions_are_no_objects_and_are_listed_once_a_file(tmp_path: Path) -> None:
    lines(tmp_path, "0,0,9,9,0,0,0,0,\n4,4,10,6,1,1,0,0\n20,20,5,5,0,0,0,0\n")
    (first, _), quarantine = read("visdrone", tmp_path)
    assert boxes(first) == [("pedestrian", [4, 4, 14, 10])]
    assert first.annotations[0].ordinal == 1
    assert quarantine.counts() == {"ignored regions": 1}
    assert "got 2 that" in details(quarantine)
    assert [reason for reason, _ in first.uncertain] == ["ignored region"] * 2
    assert [outline.max(axis=0).tolist() for _, outline in first.uncertain] == [[9, 9], [25, 25]]


def test_score_0_and_others_are_difficult(tmp_path: Path) -> None:
    lines(tmp_path, "1,1,4,4,0,11,0,0\r\n1,1,4,4,0,4,1,2\r\n1,1,4,4,1,10,0,0\r\n")
    (first, _), _ = read("visdrone", tmp_path)
    found = [(a.category, a.difficult) for a in first.annotations]
    assert found == [("others", True), ("car", True), ("motor", False)]


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        ("1,1,4,4,0.87,4,-1,-1", "does not parse", "others are of detections"),
        ("1,7,1,1,4,4,1,4,0,0", "does not parse", "got 10 fields"),
        ("1,1,4,4,1,12,0,0", "unknown class", "0 to 11 are allowed"),
        ("1,1,4,4,1,1.5,0,0", "unknown class", "0 to 11 are allowed"),
        ("1,1,x,4,1,4,0,0", "does not parse", "not a number"),
    ],
)
def test_bad_lines_are_set_aside(tmp_path: Path, line: str, reason: str, said: str) -> None:
    lines(tmp_path, f"{line}\n4,4,10,6,1,4,0,1\n")
    (first, _), quarantine = read("visdrone", tmp_path)
    assert boxes(first) == [("car", [4, 4, 14, 10])]
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"], row["reason"]) == (LABEL, 1, reason)
    assert said in str(row["detail"])


def test_a_part_without_annotations_is_set_aside_by_name(tmp_path: Path) -> None:
    by_hand.visdrone(tmp_path)
    write_image(tmp_path / "VisDrone2019-DET-test-challenge/images/c.jpg")
    scenes, quarantine = read("visdrone", tmp_path)
    assert len(scenes) == 2
    (row,) = quarantine.rows
    assert row["source_file"] == "VisDrone2019-DET-test-challenge/images"
    assert row["reason"] == "folder without labels"


def test_one_part_alone_is_read(tmp_path: Path) -> None:
    by_hand.visdrone(tmp_path)
    (scene,), quarantine = read("visdrone", tmp_path / "VisDrone2019-DET-train")
    assert (scene.scene_id, scene.split, len(scene.annotations)) == ("a", "all", 1)
    assert quarantine.rows == []


def test_images_alone_are_no_dataset(tmp_path: Path) -> None:
    write_image(tmp_path / "images/a.jpg")
    with pytest.raises(MissingInputError, match=r"annotations/\*\.txt"):
        list(visdrone.read_scenes(tmp_path, Quarantine()))
