"""Pascal VOC's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.datasets.voc import read as voc
from samrs.datasets.voc_zero_based import read as voc_zero_based
from samrs.reading import xml
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


@pytest.mark.parametrize("end", ["", "</annotation>"])
def test_a_large_file_counts_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    by_hand.voc(tmp_path)
    objects = voc_object("ship", (1, 1, 2, 2)) + "<object><name>plane</name></object>"
    size = "<size><width>20</width><height>30</height></size>"
    write_text(tmp_path / "Annotations/a.xml", f"<annotation>{objects}{size}{end}")
    names, (scenes, quarantine) = voc.categories(tmp_path), read(tmp_path)
    monkeypatch.setattr(xml, "_AT_ONCE", 0)
    large, large_quarantine = read(tmp_path)
    assert voc.categories(tmp_path) == names == (("plane", "ship") if end else ())
    assert large_quarantine.rows == quarantine.rows
    assert [row["source_line"] for row in quarantine.rows] == ([2] if end else [None, None])
    assert [(s.scene_id, s.declared_wh, len(s.annotations)) for s in large] == [
        (s.scene_id, s.declared_wh, len(s.annotations)) for s in scenes
    ]


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


def boxes(root: Path, text: str) -> list[Annotation]:
    by_hand.voc(root)
    write_text(root / "Annotations/a.xml", f"<annotation>{text}</annotation>")
    return list(read(root)[0][0].annotations)


@pytest.mark.parametrize(
    ("word", "difficult"),
    [
        *(("0", False), ("1", True), ("", False), ("Unspecified", False), ("False", False)),
        *(("0.0", False), ("true", True), ("2", True)),
    ],
)
def test_difficult_may_be_a_word(tmp_path: Path, word: str, difficult: bool) -> None:
    text = voc_object("ship", (5, 5, 14, 10)).replace("</object>", "")
    text = f"{text}<difficult>{word}</difficult></object>"
    (ship,) = boxes(tmp_path, text.replace("<difficult>0</difficult>", "", 1))
    assert ship.difficult == difficult


@pytest.mark.parametrize("line", ["a.jpg", "JPEGImages/a.jpg", "/set/JPEGImages/a", "a  -1"])
def test_lists_may_name_files_and_folders(tmp_path: Path, line: str) -> None:
    by_hand.voc(tmp_path)
    write_text(tmp_path / "ImageSets/Main/train.txt", f"{line}\n")
    assert [scene.split for scene in read(tmp_path)[0]] == ["train", "all"]


def test_trainval_counts_where_it_is_all_there_is(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    write_text(tmp_path / "ImageSets/Main/trainval.txt", "a\nb\n")
    assert [scene.split for scene in read(tmp_path)[0]] == ["train", "train"]
    write_text(tmp_path / "ImageSets/Main/val.txt", "b\n")
    write_text(tmp_path / "ImageSets/Main/train.txt", "a\n")
    scenes, quarantine = read(tmp_path)
    assert [scene.split for scene in scenes] == ["train", "val"]
    assert quarantine.rows == []


def test_an_image_of_two_lists_is_told(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    for split in ("train", "val"):
        write_text(tmp_path / f"ImageSets/Main/{split}.txt", "a\n")
    scenes, quarantine = read(tmp_path)
    assert scenes[0].split == "train"
    assert quarantine.counts() == {"image in two splits": 1}


def test_folders_below_are_read(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    for folder, suffix in (("Annotations", "xml"), ("JPEGImages", "jpg")):
        (tmp_path / folder / "s1").mkdir()
        (tmp_path / f"{folder}/a.{suffix}").rename(tmp_path / f"{folder}/s1/a.{suffix}")
    write_text(tmp_path / "ImageSets/Main/val.txt", "s1/a\n")
    scenes, quarantine = read(tmp_path)
    assert [(s.scene_id, s.split, len(s.annotations)) for s in scenes] == [
        ("a", "val", 1),
        ("b", "all", 0),
    ]
    assert quarantine.rows == []


def test_corners_at_zero_are_told_and_read_by_the_other_format(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    at_zero = voc_object("ship", (0, 4, 14, 10))
    write_text(tmp_path / "Annotations/a.xml", f"<annotation>{at_zero}</annotation>")
    _, quarantine = read(tmp_path)
    assert quarantine.counts() == {"corners are not 1-based": 1}
    quarantine = Quarantine()
    scenes = list(voc_zero_based.read_scenes(tmp_path, quarantine))
    assert scenes[0].annotations[0].hbb.tolist() == [0, 4, 14, 10]
    assert quarantine.rows == []


def test_the_declared_size_goes_with_the_scene(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    size = "<size><width>40</width><height>30</height><depth>3</depth></size>"
    write_text(tmp_path / "Annotations/a.xml", f"<annotation>{size}</annotation>")
    write_text(
        tmp_path / "Annotations/b.xml", "<annotation><size><width>0</width></size></annotation>"
    )
    assert [scene.declared_wh for scene in read(tmp_path)[0]] == [(40, 30), None]


def test_folders_and_lists_of_the_top_give_splits_too(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    for split, name in (("train", "a"), ("val", "b")):
        for folder, suffix in (("JPEGImages", ".jpg"), ("Annotations", ".xml")):
            (tmp_path / folder / split).mkdir()
            path = tmp_path / folder / f"{name}{suffix}"
            path.rename(path.parent / split / path.name)
    assert [scene.split for scene in read(tmp_path)[0]] == ["train", "val"]
    write_text(tmp_path / "ImageSets/test.txt", "b\n")
    assert [scene.split for scene in read(tmp_path)[0]] == ["train", "test"]


def test_what_a_list_names_and_is_not_there_is_told_once_a_list(tmp_path: Path) -> None:
    by_hand.voc(tmp_path)
    for split in ("train", "val", "trainval"):
        (tmp_path / f"ImageSets/Main/{split}.txt").unlink(missing_ok=True)
    write_text(tmp_path / "ImageSets/Main/train.txt", "a\n\n")
    write_text(tmp_path / "ImageSets/Main/val.txt", "a.gif.x\nB\nlater\n")
    scenes, quarantine = read(tmp_path)
    assert [(s.scene_id, s.split) for s in scenes] == [("a", "train"), ("b", "all")]
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"]) == ("ImageSets/Main/val.txt", 1)
    assert "got 'a.gif.x' and 2 others" in str(row["detail"])
