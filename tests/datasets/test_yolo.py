"""Ultralytics' YOLO format: boxes and rotated boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import AnnotationError, MissingInputError
from samrs.core.records import Quarantine, SceneRecord
from samrs.datasets.yolo import read as yolo
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, write_text

LABEL = "labels/train/a.txt"


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(yolo.read_scenes(root, quarantine)), quarantine


def test_a_box_is_shares_of_the_image(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (first, second), quarantine = read(tmp_path)
    (ship,) = first.annotations
    assert (first.scene_id, first.split) == ("train_a", "train")
    assert (ship.category, ship.obb, ship.source_line) == ("ship", None, 1)
    assert np.allclose(ship.hbb, [4, 4, 14, 10])
    assert second.annotations == ()
    assert quarantine.rows == []


def test_eight_numbers_are_the_corners_of_a_rotated_box(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    corners = np.array([[4, 9], [9, 4], [14, 9], [9, 14]])
    text = " ".join(f"{v:.9f}" for v in (corners / (WIDTH, HEIGHT)).ravel())
    write_text(tmp_path / LABEL, f"0 {text}\n")
    (plane,) = read(tmp_path)[0][0].annotations
    assert plane.category == "plane"
    assert plane.obb is not None
    assert np.allclose(sorted(plane.obb.tolist()), sorted(corners.tolist()), atol=1e-5)
    assert np.allclose(plane.hbb, [4, 4, 14, 14], atol=1e-5)


def test_roboflows_layout_has_the_splits_first(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path / "in")
    for split, folder in (("train", "train"), ("val", "valid")):
        (tmp_path / folder).mkdir()
        (tmp_path / "in/images" / split).rename(tmp_path / folder / "images")
    (tmp_path / "in/labels/train").rename(tmp_path / "train/labels")
    write_text(tmp_path / "data.yaml", "train: ../train/images\nnc: 2\nnames: ['plane', 'ship']\n")
    write_text(tmp_path / "valid/labels/z.txt", "0 0.5 0.5 0.1 0.1\n")
    (first, second), quarantine = read(tmp_path)
    assert (first.scene_id, first.split, second.scene_id) == ("train_a", "train", "val_b")
    assert np.allclose(first.annotations[0].hbb, [4, 4, 14, 10])
    assert first.annotations[0].source_file == "train/labels/a.txt"
    assert (second.split, second.annotations) == ("val", ())
    assert [row["source_file"] for row in quarantine.rows] == ["valid/labels/z.txt"]


@pytest.mark.parametrize("names", ["names: [plane, ship]", "names:\n  0: plane\n  1: ship"])
def test_names_are_a_list_or_a_map(tmp_path: Path, names: str) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "data.yaml", names)
    assert yolo.categories(tmp_path) == ("plane", "ship")


def test_names_may_stand_in_a_text_file(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    write_text(tmp_path / "classes.txt", "plane\nship\n")
    assert yolo.categories(tmp_path) == ("plane", "ship")
    (tmp_path / "classes.txt").unlink()
    with pytest.raises(MissingInputError, match=r"data\.yaml or classes\.txt"):
        yolo.categories(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [", "not YAML"),
        ("train: images", "no class names, got names: None"),
        ("names: {0: plane, 2: ship}", "no class names"),
        ("names: [ship, ship]", "two classes share a name"),
        ("names: !!python/object/apply:os.system [ls]", "not YAML"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, text: str, said: str) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "data.yaml", text)
    with pytest.raises(AnnotationError, match=rf"data\.yaml:\d+: .*{said}"):
        yolo.categories(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason", "said"),
    [
        ("1 0.5 0.5 0.1", "does not parse", "got 4 fields"),
        ("1 0.5 0.5 0.1 x", "does not parse", "not a number"),
        ("1 20 15 10 6", "does not parse", "not shares of the image"),
        ("2 0.5 0.5 0.1 0.1", "unknown class", "0 to 1 are allowed"),
        ("-1 0.5 0.5 0.1 0.1", "unknown class", "0 to 1 are allowed"),
        ("0.5 0.5 0.5 0.1 0.1", "unknown class", "0 to 1 are allowed"),
        ("nan 0.5 0.5 0.1 0.1", "does not parse", "not a number"),
    ],
)
def test_bad_lines_are_set_aside_with_their_number(
    tmp_path: Path, line: str, reason: str, said: str
) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / LABEL, f"1 0.5 0.5 0.1 0.1\n{line}\n0 0.5 0.5 0.2 0.2\n")
    scenes, quarantine = read(tmp_path)
    assert [a.ordinal for a in scenes[0].annotations] == [0, 2]
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"], row["reason"]) == (LABEL, 2, reason)
    assert said in str(row["detail"])


def test_labels_of_no_image_and_of_a_bad_one_are_counted(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    write_text(tmp_path / "labels/val/z.txt", "1 0.5 0.5 0.1 0.1\n")
    (tmp_path / "images/train/a.jpg").write_bytes(b"no image")
    scenes, quarantine = read(tmp_path)
    assert [len(scene.annotations) for scene in scenes] == [0, 0]
    assert [(row["source_file"], row["reason"]) for row in quarantine.rows] == [
        (LABEL, "annotation of a bad image"),
        ("labels/val/z.txt", "annotation without image"),
    ]


def test_suffix_of_labels_may_be_upper_case(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / LABEL).rename(tmp_path / LABEL.replace(".txt", ".TXT"))
    (first, _), quarantine = read(tmp_path)
    assert len(first.annotations) == 1
    assert quarantine.rows == []


def test_images_of_formats_that_are_not_read_are_not_forgotten(tmp_path: Path) -> None:
    by_hand.yolo(tmp_path)
    (tmp_path / "images/train/c.webp").write_bytes(b"RIFF")
    assert "train_c" in [scene.scene_id for scene in read(tmp_path)[0]]
