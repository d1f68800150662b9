"""Pascal VOC's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core.records import Quarantine, SceneRecord
from samrs.datasets.voc import read as voc
from tests.datasets import by_hand
from tests.datasets.by_hand import voc_object, write_image, write_text


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(voc.read_scenes(root, quarantine)), quarantine


def test_corners_are_one_based_and_inclusive(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    (first, second), _ = read(tmp_path)
    (ship,) = first.annotations
    assert (ship.category, ship.hbb.tolist(), ship.obb) == ("ship", [4, 4, 14, 10], None)
    assert (ship.source_file, ship.source_line) == ("Annotations/a.xml", 1)
    assert not ship.difficult
    assert second.annotations == ()


def test_categories_are_the_names_that_occur(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    more = voc_object("plane", (1, 1, 2, 2)) + "<object><name> </name></object>"
    write_text(tmp_path / "Annotations/b.xml", f"<annotation>{more}</annotation>")
    assert voc.categories(tmp_path) == ("plane", "ship")


def test_lists_of_images_make_splits(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    write_text(tmp_path / "ImageSets/Main/train.txt", "a 1\n\n")
    write_text(tmp_path / "ImageSets/Main/val.txt", "b\n")
    assert [scene.split for scene in read(tmp_path)[0]] == ["train", "val"]


@pytest.mark.parametrize(
    ("xml", "reason", "said"),
    [
        ("<annotation><object><name>ship</name></object></annotation>", "does not parse", "xmin"),
        (f"<annotation>{voc_object('', (1, 1, 2, 2))}</annotation>", "does not parse", "<name>"),
    ],
)
def test_bad_objects_are_set_aside(tmp_path: Path, xml: str, reason: str, said: str) -> None:
    by_hand.voc(tmp_path)
    write_text(tmp_path / "Annotations/a.xml", xml)
    scenes, quarantine = read(tmp_path)
    assert [len(scene.annotations) for scene in scenes] == [0, 0]
    (row,) = quarantine.rows
    assert row["reason"] == reason
    assert said in str(row["detail"])


def test_files_without_partner_are_counted(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    write_image(tmp_path / "JPEGImages/c.jpg")
    write_text(tmp_path / "Annotations/d.xml", "<annotation></annotation>")
    scenes, quarantine = read(tmp_path)
    assert [scene.scene_id for scene in scenes] == ["a", "b"]
    reasons = sorted(str(row["reason"]) for row in quarantine.rows)
    assert reasons == ["annotation without image", "image without annotation"]


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<annotation><object>", "not well-formed XML"),
        ("<html><body>404</body></html>", "got <html>; <annotation> as the outermost element"),
        ('<!DOCTYPE a [<!ENTITY e "x">]><annotation>&e;</annotation>', "EntitiesForbidden"),
    ],
)
def test_an_image_whose_file_does_not_parse_is_no_negative(
    tmp_path: Path, xml: str, said: str
) -> None:
    by_hand.voc(tmp_path)
    write_text(tmp_path / "Annotations/a.xml", xml)
    scenes, quarantine = read(tmp_path)
    assert [scene.scene_id for scene in scenes] == ["b"]
    assert quarantine.counts() == {"does not parse": 1, "image of a bad annotation file": 1}
    assert said in str(quarantine.rows[0]["detail"])


def test_names_in_other_scripts_stay_apart(tmp_path: Path) -> None:
    for name in ("飞机", "船舶"):
        write_image(tmp_path / f"JPEGImages/{name}.jpg")
        write_text(tmp_path / f"Annotations/{name}.xml", "<annotation></annotation>")
    scenes, quarantine = read(tmp_path)
    assert [scene.scene_id for scene in scenes] == ["u8239u8236", "u98deu673a"]
    assert quarantine.rows == []


def test_listed_names_may_hold_blanks(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    for path in (tmp_path / "JPEGImages/b.jpg", tmp_path / "Annotations/b.xml"):
        path.rename(path.with_stem("a b"))
    write_text(tmp_path / "ImageSets/Main/train.txt", "a\r\n")
    write_text(tmp_path / "ImageSets/Main/val.txt", "a b\r\n")
    scenes, _ = read(tmp_path)
    assert [(s.scene_id, s.split) for s in scenes] == [("a", "train"), ("a_b", "val")]
