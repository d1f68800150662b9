"""Detection datasets: every number of a scene made by hand comes back out of the reader."""

from __future__ import annotations

import tarfile
from pathlib import Path

import cv2
import defusedxml.ElementTree as ET
import numpy as np
import pytest
import rasterio

from samrs.core.rle import rle_to_mask
from samrs.datasets.dior import demo as dior
from samrs.datasets.dota import demo as dota
from samrs.datasets.fair1m import demo as fair1m
from samrs.datasets.hrsc2016 import demo as hrsc2016
from tests.demo.conftest import Install, box_object, read, scene, turned_object


def hull_of(corners: np.ndarray) -> set[tuple[float, float]]:
    return {(round(float(x), 1), round(float(y), 1)) for x, y in corners}


def test_dota_keeps_both_boxes_classes_and_pixels(install: Install, tmp_path: Path) -> None:
    plane, car = turned_object("plane", 30), box_object("small_vehicle", (5, 6, 13, 20))
    install(dota, [scene(plane, car)])
    dota.write(tmp_path, scenes=1, seed=0)
    (record,) = read("dota", tmp_path)
    assert [a.category for a in record.annotations] == ["plane", "small-vehicle"]
    assert [a.hbb.tolist() for a in record.annotations] == [list(plane.box), [5, 6, 13, 20]]
    assert record.annotations[0].obb is not None
    np.testing.assert_allclose(record.annotations[0].obb, plane.obb, atol=0.051)
    assert [a.difficult for a in record.annotations] == [False, True]
    image = cv2.imread(str(record.image))[:, :, ::-1]
    np.testing.assert_array_equal(image, scene().image)


def test_dota_holds_the_quirks_of_the_real_files(install: Install, tmp_path: Path) -> None:
    install(dota, [scene(box_object("ship", (5, 5, 30, 15)))] * 7 + [scene()])
    dota.write(tmp_path, scenes=8, seed=0)
    assert [p.stem for p in (tmp_path / "val" / "images").iterdir()] == ["P0003"]
    assert (tmp_path / "train" / "labelTxt" / "P0007.txt").read_text() == ""
    lines = {
        p.stem: p.read_text().splitlines() for p in (tmp_path / "train" / "labelTxt").iterdir()
    }
    assert lines["P0000"][:2] == ["imagesource:GoogleEarth", "gsd:0.5"]
    assert lines["P0000"][2].split()[8:] == ["ship", "0"]
    assert lines["P0002"][1] == "gsd:null"
    assert lines["P0004"][2].split()[8:] == ["ship"]
    assert [r.gsd for r in read("dota", tmp_path)] == [0.5, 0.5, None, 0.5, 0.5, 0.5, 0.5, None]


def test_dior_boxes_are_one_based_and_inclusive(install: Install, tmp_path: Path) -> None:
    tank = box_object("storage_tank", (0, 10, 30, 40))
    install(dior, [scene(tank, turned_object("plane", -20), size_hw=(160, 160))])
    dior.write(tmp_path, scenes=1, seed=0)
    path = tmp_path / "Annotations" / "Horizontal Bounding Boxes" / "00001.xml"
    first = ET.parse(path).getroot().find("object/bndbox")
    assert first is not None
    assert [int(e.text or "") for e in first] == [1, 11, 30, 40]
    (record,) = read("dior", tmp_path)
    assert [a.category for a in record.annotations] == ["storagetank", "airplane"]
    assert record.annotations[0].hbb.tolist() == [0, 10, 30, 40]
    assert record.annotations[1].obb is not None
    corners = np.array(sorted(record.annotations[1].obb.tolist()))
    expected = np.array(sorted(turned_object("plane", -20).obb.tolist()))
    np.testing.assert_allclose(corners, expected, atol=0.51)


def test_dior_numbers_images_as_the_official_splits_do(install: Install, tmp_path: Path) -> None:
    ship = box_object("ship", (5, 5, 30, 15))
    install(dior, [scene(ship, size_hw=(60, 60))] * 8)
    dior.write(tmp_path, scenes=8, seed=0)
    found = {r.scene_id: r.split for r in read("dior", tmp_path)}
    assert found == {
        "00001": "train", "00002": "train", "00003": "val", "00004": "train",
        "00005": "train", "00006": "val", "11726": "test", "11727": "test",
    }  # fmt: skip
    assert (tmp_path / "Main" / "val.txt").read_text().split() == ["00003", "00006"]


def test_dior_elements_are_those_of_the_real_file(
    install: Install, tmp_path: Path, real: Path
) -> None:
    install(dior, [scene(box_object("ship", (5, 5, 30, 15)), size_hw=(160, 160))])
    dior.write(tmp_path, scenes=1, seed=0)
    with tarfile.open(real / "dior" / "dior_annotations.tar.gz") as archive:
        member = next(m for m in archive if m.name.endswith("horizontal/00001.xml"))
        official = ET.parse(archive.extractfile(member)).getroot()
    ours = ET.parse(tmp_path / "Annotations" / "Horizontal Bounding Boxes" / "00001.xml").getroot()
    assert [e.tag for e in ours.iter()] == [e.tag for e in official.iter()]


def test_fair1m_polygons_classes_and_names(install: Install, tmp_path: Path) -> None:
    plane = turned_object("plane", 75)
    court = box_object("tennis_court", (5, 6, 40, 20))
    install(fair1m, [scene(plane, court)] * 4)
    fair1m.write(tmp_path, scenes=4, seed=0)
    records = read("fair1m", tmp_path)
    assert [(r.scene_id, r.split) for r in records] == [
        ("train_1", "train"), ("train_2", "train"), ("train_3", "train"), ("validation_1", "val"),
    ]  # fmt: skip
    annotations = records[0].annotations
    assert [a.category for a in annotations] == ["Boeing737", "Tennis-Court"]
    assert annotations[0].obb is not None
    assert hull_of(annotations[0].obb) == hull_of(plane.obb)
    root = ET.parse(tmp_path / "train" / "labelXml" / "1.xml").getroot()
    assert [e.text for e in root.iter("name")] == ["Boeing737", "Tennis Court"]
    points = [e.text for e in root.findall("objects/object")[0].iter("point")]
    assert len(points) == 5
    assert points[0] == points[4]


def test_fair1m_images_are_geotiff(install: Install, tmp_path: Path) -> None:
    install(fair1m, [scene()])
    fair1m.write(tmp_path, scenes=1, seed=0)
    with rasterio.open(tmp_path / "train" / "images" / "1.tif") as file:
        assert file.crs.to_epsg() == 32650
        assert file.res == (0.5, 0.5)
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), scene().image)


@pytest.mark.parametrize(
    ("kind", "length_m", "width_m", "expected"),
    [
        ("plane", 12, 11, "other-airplane"), ("plane", 33.5, 27, "ARJ21"),
        ("plane", 63.7, 60, "A330"), ("plane", 76.3, 68, "Boeing747"),
        ("ship", 9, 3, "Motorboat"), ("ship", 120, 14, "Warship"),
        ("ship", 150, 25, "Dry Cargo Ship"), ("ship", 300, 50, "Liquid Cargo Ship"),
        ("small_vehicle", 4.4, 1.8, "Small Car"), ("small_vehicle", 5.5, 2, "Van"),
        ("large_vehicle", 12, 2.5, "Bus"), ("large_vehicle", 16, 2.5, "Trailer"),
        ("soccer_field", 100, 64, "Football Field"),
    ],
)  # fmt: skip
def test_fair1m_fine_classes_go_by_size(
    kind: str, length_m: float, width_m: float, expected: str
) -> None:
    assert fair1m.fine_class(box_object(kind, (0, 0, 9, 9), length_m, width_m)) == expected


@pytest.mark.parametrize("degrees", [-90, -60, 0, 30, 90, 135, 180, 270])
def test_hrsc_rotated_boxes_survive(degrees: float, install: Install, tmp_path: Path) -> None:
    ship = turned_object("ship", degrees)
    cx, cy, w, h, angle = hrsc2016.rotated_box(ship.obb)
    assert (cx, cy, w, h) == pytest.approx((80, 60, 40, 16))
    assert -np.pi / 2 <= angle < np.pi / 2
    install(hrsc2016, [scene(ship)])
    hrsc2016.write(tmp_path, scenes=1, seed=0)
    (record,) = read("hrsc2016", tmp_path)
    assert record.annotations[0].obb is not None
    expected = np.array(sorted(ship.obb.round(3).tolist()))
    found = np.array(sorted(record.annotations[0].obb.round(3).tolist()))
    np.testing.assert_allclose(found, expected, atol=0.002)


def test_hrsc_rotated_box_names_the_long_side_of_a_wide_ship() -> None:
    corners = box_object("ship", (10, 10, 20, 40)).obb
    assert hrsc2016.rotated_box(corners) == pytest.approx((15, 25, 30, 10, -np.pi / 2))


def test_hrsc_masks_boxes_and_annotated_kinds(install: Install, tmp_path: Path) -> None:
    pier = box_object("harbor", (0, 0, 160, 60))
    ships = [box_object("ship", (10, 10, 50, 22)), box_object("ship", (60, 10, 67, 30))]
    install(hrsc2016, [scene(pier, *ships)] * 8)
    hrsc2016.write(tmp_path, scenes=8, seed=0)
    records = read("hrsc2016", tmp_path)
    assert [r.scene_id for r in records] == [str(100_000_001 + n) for n in range(8)]
    for item, annotation in zip(ships, records[0].annotations, strict=True):
        assert annotation.hbb.tolist() == list(item.box)
        assert annotation.truth is not None
        x0, y0, x1, y1 = item.box
        mask = rle_to_mask(annotation.truth)
        np.testing.assert_array_equal(mask[y0:y1, x0:x1], item.mask)
        assert mask.sum() == item.mask.sum()
    assert [a.difficult for a in records[0].annotations] == [False, True]
    assert all(a.truth is None for a in records[7].annotations)


def test_hrsc_elements_are_those_of_the_real_file(
    install: Install, tmp_path: Path, real: Path
) -> None:
    install(hrsc2016, [scene(box_object("ship", (5, 5, 30, 15)))])
    hrsc2016.write(tmp_path, scenes=1, seed=0)
    official = ET.parse(real / "hrsc2016" / "100000006.xml").getroot()
    ours = ET.parse(tmp_path / "Test" / "Annotations" / "100000001.xml").getroot()
    assert [e.tag for e in ours.iter()] == [e.tag for e in official.iter()]
