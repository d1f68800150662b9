"""DIOR's quirks, and DIOR's real annotations."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from samrs.core.records import Quarantine, SceneRecord
from samrs.datasets.dior import read as dior
from tests.datasets import by_hand
from tests.datasets.by_hand import robnd_object, voc_object, write_image, write_text

HBB, OBB = "Annotations/Horizontal Bounding Boxes", "Annotations/Oriented Bounding Boxes"


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(dior.read_scenes(root, quarantine)), quarantine


def write(root: Path, horizontal: str, oriented: str | None = None) -> None:
    write_image(root / "JPEGImages-trainval/00001.jpg")
    write_text(root / HBB / "00001.xml", f"<annotation>{horizontal}</annotation>")
    if oriented is not None:
        write_text(root / OBB / "00001.xml", f"<annotation>{oriented}</annotation>")


def test_voc_corners_are_one_based_and_inclusive(tmp_path: Path) -> None:
    write(tmp_path, voc_object("ship", (5, 5, 14, 10)))
    (scene,), _ = read(tmp_path)
    assert scene.annotations[0].hbb.tolist() == [4, 4, 14, 10]
    assert scene.annotations[0].obb is None
    assert scene.split == "trainval"


def test_rotated_corners_are_px_centres(tmp_path: Path) -> None:
    write(
        tmp_path,
        voc_object("ship", (5, 5, 14, 10)),
        robnd_object("ship", (5, 5, 14, 5, 14, 10, 5, 10)),
    )
    (scene,), _ = read(tmp_path)
    obb = scene.annotations[0].obb
    assert obb is not None
    assert obb.tolist() == [[4.5, 4.5], [13.5, 4.5], [13.5, 9.5], [4.5, 9.5]]


def test_row_of_px_has_the_area_of_its_px(tmp_path: Path) -> None:
    write(
        tmp_path,
        voc_object("ship", (5, 5, 5, 10)),
        robnd_object("ship", (5, 5, 5, 5, 5, 10, 5, 10)),
    )
    (scene,), quarantine = read(tmp_path)
    obb = scene.annotations[0].obb
    assert obb is not None
    assert obb.tolist() == [[4, 4], [5, 4], [5, 10], [4, 10]]
    assert quarantine.rows == []


def test_class_names_match_but_for_case_and_separators(tmp_path: Path) -> None:
    names = ("Expressway-Service-area", "Expressway toll station", "Storage_Tank", "GOLFFIELD")
    write(tmp_path, "".join(voc_object(name, (5, 5, 14, 10)) for name in names))
    (scene,), quarantine = read(tmp_path)
    assert [a.category for a in scene.annotations] == [
        "expressway-service-area",
        "expressway-toll-station",
        "storagetank",
        "golffield",
    ]
    assert quarantine.rows == []


def test_boxes_pair_by_class_and_overlap_not_by_order(tmp_path: Path) -> None:
    horizontal = voc_object("ship", (1, 1, 10, 10)) + voc_object("dam", (1, 1, 10, 10))
    horizontal += voc_object("ship", (21, 1, 30, 10))
    oriented = robnd_object("ship", (22, 1, 30, 1, 30, 10, 22, 10))
    oriented += robnd_object("dam", (1, 2, 10, 2, 10, 9, 1, 9))
    write(tmp_path, horizontal, oriented)
    (scene,), quarantine = read(tmp_path)
    first, dam, second = scene.annotations
    assert first.obb is None
    assert dam.obb is not None
    assert dam.obb[0].tolist() == [0.5, 1.5]
    assert second.obb is not None
    assert second.obb[0].tolist() == [21.5, 0.5]
    assert quarantine.rows == []


def test_rotated_box_without_horizontal_one_is_quarantined(tmp_path: Path) -> None:
    far = robnd_object("ship", (30, 20, 39, 20, 39, 29, 30, 29))
    write(tmp_path, voc_object("ship", (1, 1, 10, 10)), far + far)
    (scene,), quarantine = read(tmp_path)
    assert scene.annotations[0].obb is None
    assert quarantine.counts() == {"box without its pair": 2}


def test_boxes_that_contradict_stay_together_where_both_files_count_the_same(
    tmp_path: Path,
) -> None:
    horizontal = voc_object("ship", (1, 1, 10, 10)) + voc_object("dam", (1, 21, 10, 30))
    horizontal += voc_object("bridge", (21, 21, 30, 30))
    oriented = robnd_object("dam", (30, 1, 39, 1, 39, 10, 30, 10))
    oriented += robnd_object("ship", (1, 21, 10, 21, 10, 30, 1, 30))
    oriented += robnd_object("bridge", (21, 21, 30, 21, 30, 30, 21, 30))
    write(tmp_path, horizontal, oriented)
    (scene,), quarantine = read(tmp_path)
    corners = [None if a.obb is None else a.obb[0].tolist() for a in scene.annotations]
    assert corners == [[29.5, 0.5], [0.5, 20.5], [20.5, 20.5]], "a place counts before a name"
    assert quarantine.counts() == {"boxes contradict each other": 2}

    write(tmp_path, horizontal, oriented.replace("ship", "sHip", 1).replace("dam", "ship", 1))
    (scene,), quarantine = read(tmp_path)
    assert quarantine.counts() == {"box without its pair": 2}, "two ships against one: no pairs"


def test_box_far_from_its_only_partner_stays_its_partner(tmp_path: Path) -> None:
    far = robnd_object("ship", (30, 20, 39, 20, 39, 29, 30, 29))
    write(tmp_path, voc_object("ship", (1, 1, 10, 10)), far)
    (scene,), quarantine = read(tmp_path)
    assert scene.annotations[0].obb is not None
    assert quarantine.counts() == {"boxes contradict each other": 1}
    assert "against ship at [0.0, 0.0, 10.0, 10.0]" in str(quarantine.rows[0]["detail"])


def test_bad_objects_and_files_are_quarantined_with_their_place(tmp_path: Path) -> None:
    write(tmp_path, voc_object("zeppelin", (1, 1, 9, 9)) + "<object><name>ship</name></object>")
    write_image(tmp_path / "JPEGImages-trainval/00002.jpg")
    write_text(tmp_path / HBB / "00002.xml", "<annotation>\n<object>")
    scenes, quarantine = read(tmp_path)
    assert [(s.scene_id, len(s.annotations)) for s in scenes] == [("00001", 0)]
    details = [str(row["detail"]) for row in quarantine.rows]
    assert f"{HBB}/00001.xml:object 1: unknown class, got 'zeppelin'" in details[0]
    assert f"{HBB}/00001.xml:object 2: a field is missing" in details[1]
    assert f"{HBB}/00002.xml:2: not well-formed XML" in details[2]


def test_xml_bombs_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "")
    bomb = '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'
    write_text(tmp_path / HBB / "00001.xml", bomb)
    scenes, quarantine = read(tmp_path)
    assert scenes == []
    assert quarantine.counts() == {"does not parse": 1, "image of a bad annotation file": 1}


def test_angle_is_not_used(tmp_path: Path) -> None:
    turned = robnd_object("ship", (5, 5, 14, 5, 14, 10, 5, 10)).replace(">0</angle", ">77</angle")
    write(tmp_path, voc_object("ship", (5, 5, 14, 10)), turned)
    (scene,), _ = read(tmp_path)
    assert scene.annotations[0].obb is not None
    assert scene.annotations[0].obb[2].tolist() == [13.5, 9.5]


def test_lists_give_the_splits(tmp_path: Path) -> None:
    write(tmp_path, "")
    write_text(tmp_path / "Main/val.txt", "00001\n99999\n")
    (scene,), _ = read(tmp_path)
    assert scene.split == "val"


def test_an_image_of_two_lists_is_of_the_first_and_told(tmp_path: Path) -> None:
    write(tmp_path, "")
    write_text(tmp_path / "Main/train.txt", "00001\n")
    write_text(tmp_path / "Main/val.txt", "00001.jpg\n")
    (scene,), quarantine = read(tmp_path)
    assert scene.split == "train"
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"]) == ("Main/val.txt", 1)
    assert row["reason"] == "image in two splits"


def test_a_test_image_is_not_trained_on_whatever_a_list_says(tmp_path: Path) -> None:
    by_hand.dior(tmp_path)
    write_text(tmp_path / "Main/train.txt", "00001\n11726\n")
    scenes, quarantine = read(tmp_path)
    assert {s.scene_id: s.split for s in scenes} == {"00001": "train", "11726": "test"}
    assert quarantine.counts() == {"image in two splits": 1}


def test_test_images_without_any_annotation_are_set_aside_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path, "")
    for number in range(3):
        write_image(tmp_path / f"JPEGImages-test/1172{number}.jpg")
    scenes, quarantine = read(tmp_path)
    assert [s.scene_id for s in scenes] == ["00001"]
    assert quarantine.counts() == {"split without annotations": 1}
    assert "got 3 images" in str(quarantine.rows[0]["detail"])


@pytest.fixture
def real_sample(real: Path, tmp_path: Path) -> Path:
    """The first 200 real XML pairs with stand-in images (the reader does not open them)."""
    with tarfile.open(real / "dior/dior_annotations.tar.gz") as archive:
        for member in archive:
            stem = Path(member.name).stem
            if member.name.startswith("datasets/DIOR/annotations/") and stem.isdigit():
                if int(stem) > 200:
                    if "oriented" in member.name:
                        break
                    continue
                archive.extract(member, tmp_path, filter="data")
    root = tmp_path / "datasets/DIOR"
    (root / "images/trainval").mkdir(parents=True)
    for path in (root / "annotations/horizontal").iterdir():
        (root / "images/trainval" / f"{path.stem}.jpg").touch()
    return root


def test_real_boxes_pair_although_the_files_differ_in_order(real_sample: Path) -> None:
    scenes, quarantine = read(real_sample)
    annotations = [a for s in scenes for a in s.annotations]
    assert len(scenes) == 200
    assert sum(a.obb is not None for a in annotations) == len(annotations)
    assert quarantine.rows == []
    reordered = [s for s in scenes if _orders_differ(real_sample, s.scene_id)]
    assert reordered, "the sample no longer shows the quirk"


def _orders_differ(root: Path, scene_id: str) -> bool:
    names = [
        [line for line in (root / "annotations" / f / f"{scene_id}.xml").read_text().split()
         if line.startswith("<name>")]
        for f in ("horizontal", "oriented")
    ]  # fmt: skip
    return names[0] != names[1]


def test_rotated_files_alone_are_enough(tmp_path: Path) -> None:
    write(tmp_path, "", robnd_object("ship", (2, 2, 11, 2, 11, 7, 2, 7)))
    (tmp_path / HBB / "00001.xml").unlink()
    (scene,), quarantine = read(tmp_path)
    (ship,) = scene.annotations
    assert ship.hbb.tolist() == [1.5, 1.5, 10.5, 6.5]
    assert ship.obb is not None
    assert ship.source_file == f"{OBB}/00001.xml"
    assert quarantine.rows == []


def test_rotated_file_without_an_image_is_quarantined(tmp_path: Path) -> None:
    write(tmp_path, voc_object("ship", (1, 1, 10, 10)))
    write_text(tmp_path / OBB / "00009.xml", "<annotation></annotation>")
    _, quarantine = read(tmp_path)
    assert [row["source_file"] for row in quarantine.rows] == [f"{OBB}/00009.xml"]


def test_rotated_file_that_does_not_parse_leaves_the_horizontal_boxes(tmp_path: Path) -> None:
    write(tmp_path, voc_object("ship", (1, 1, 10, 10)))
    write_text(tmp_path / OBB / "00001.xml", "<annotation>")
    (scene,), quarantine = read(tmp_path)
    assert [a.obb for a in scene.annotations] == [None]
    assert quarantine.counts() == {"does not parse": 1}
