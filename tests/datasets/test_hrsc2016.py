"""HRSC2016's quirks, and a real file of it."""

from __future__ import annotations

from math import pi
from pathlib import Path
from shutil import copyfile

import numpy as np
import pytest

from samrs.core.geometry import hbb_iou, polygon_areas, polygon_to_hbb
from samrs.core.records import Quarantine, SceneRecord
from samrs.core.rle import rle_area, rle_to_hbb
from samrs.datasets.hrsc2016 import read as hrsc2016
from tests.datasets.by_hand import hrsc_object, hrsc_xml, painted, write_image, write_text

CYAN = (0, 255, 255)


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(hrsc2016.read_scenes(root, quarantine)), quarantine


def write(root: Path, xml: str) -> None:
    write_image(root / "Test/AllImages/1.bmp")
    write_text(root / "Test/Annotations/1.xml", xml)


def test_angle_turns_clockwise_in_radians(tmp_path: Path) -> None:
    write(tmp_path, hrsc_xml(hrsc_object(), hrsc_object(angle=pi / 2), hrsc_object(angle=pi / 4)))
    (scene,), _ = read(tmp_path)
    flat, upright, turned = (a.obb for a in scene.annotations)
    assert flat is not None
    assert upright is not None
    assert turned is not None
    assert polygon_to_hbb(flat).tolist() == [4, 4, 14, 10]
    assert polygon_to_hbb(upright) == pytest.approx([6, 2, 12, 12])
    assert polygon_areas(np.asarray(turned)[None])[0] == pytest.approx(60)
    front = (turned[1] + turned[2]) / 2
    assert (front > [9, 7]).all(), "the ship's x axis turns towards y: right and down"
    assert scene.gsd == 1.07
    assert scene.split == "test"


@pytest.mark.parametrize("text", ["null", "", "-1"])
def test_an_unknown_resolution_costs_nothing(tmp_path: Path, text: str) -> None:
    known = "<Img_Resolution>1.07</Img_Resolution>"
    xml = hrsc_xml(hrsc_object())
    assert known in xml
    write(tmp_path, xml.replace(known, f"<Img_Resolution>{text}</Img_Resolution>"))
    (scene,), quarantine = read(tmp_path)
    assert (scene.gsd, len(scene.annotations)) == (None, 1)
    assert quarantine.rows == []


def test_segmentation_colours_are_the_true_masks(tmp_path: Path) -> None:
    write(tmp_path, hrsc_xml(hrsc_object("0,255,255"), hrsc_object("\n  ")))
    write_image(tmp_path / "Test/Segmentations/1.png", painted({(4, 4, 14, 10): CYAN}))
    (scene,), quarantine = read(tmp_path)
    ship, other = scene.annotations
    assert ship.truth is not None
    assert rle_area(ship.truth) == 60
    assert rle_to_hbb(ship.truth).tolist() == [4, 4, 14, 10]
    assert other.truth is None
    assert quarantine.rows == []


def test_colour_that_paints_nothing_is_listed_and_the_ship_stays(tmp_path: Path) -> None:
    write(tmp_path, hrsc_xml(hrsc_object("1,2,3")))
    write_image(tmp_path / "Test/Segmentations/1.png", painted({(4, 4, 14, 10): CYAN}))
    (scene,), quarantine = read(tmp_path)
    assert scene.annotations[0].truth is None
    assert quarantine.counts() == {"true mask is empty": 1}


def test_ships_without_segmentation_have_no_truth(tmp_path: Path) -> None:
    write(tmp_path, hrsc_xml(hrsc_object("0,255,255")))
    (scene,), quarantine = read(tmp_path)
    assert [a.truth for a in scene.annotations] == [None]
    assert quarantine.rows == []


def test_image_never_annotated_is_no_negative(tmp_path: Path) -> None:
    write(tmp_path, hrsc_xml(annotated=0))
    scenes, quarantine = read(tmp_path)
    assert scenes == []
    assert "never annotated" in str(quarantine.rows[0]["detail"])


def test_bad_values_are_quarantined(tmp_path: Path) -> None:
    objects = (hrsc_object("red"), hrsc_object("0,0,256"), hrsc_object().replace("mbox_w", "w"))
    write(tmp_path, hrsc_xml(*objects))
    (scene,), quarantine = read(tmp_path)
    assert scene.annotations == ()
    assert quarantine.counts() == {"does not parse": 3}
    assert "Test/Annotations/1.xml:object 2: seg_color" in str(quarantine.rows[1]["detail"])


def test_real_file_gives_boxes_that_agree(real: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "Train/AllImages/100000006.bmp")
    (tmp_path / "Train/Annotations").mkdir()
    copyfile(real / "hrsc2016/100000006.xml", tmp_path / "Train/Annotations/100000006.xml")
    (scene,), quarantine = read(tmp_path)
    (ship,) = scene.annotations
    assert ship.hbb.tolist() == [119, 75, 587, 789]
    assert ship.obb is not None
    assert hbb_iou(polygon_to_hbb(ship.obb), ship.hbb)[0, 0] > 0.8
    # header_x, header_y of the file; a wrong turn of the angle would end far from the bow.
    bow = np.array([143, 776])
    assert np.linalg.norm(ship.obb - bow, axis=1).min() < 100
    assert quarantine.rows == []


def test_a_segmentation_without_an_image_is_quarantined(tmp_path: Path) -> None:
    write(tmp_path, hrsc_xml(hrsc_object()))
    write_image(tmp_path / "Test/Segmentations/9.png", painted({}))
    _, quarantine = read(tmp_path)
    assert [row["source_file"] for row in quarantine.rows] == ["Test/Segmentations/9.png"]
