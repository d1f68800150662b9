"""FAIR1M's quirks."""

from __future__ import annotations

from pathlib import Path

from samrs.core.records import Quarantine, SceneRecord
from samrs.datasets.fair1m import read as fair1m
from tests.datasets import by_hand
from tests.datasets.by_hand import fair1m_object, write_image, write_text


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(fair1m.read_scenes(root, quarantine)), quarantine


def write(root: Path, *objects: str) -> None:
    write_image(root / "train/images/1.tif")
    xml = f"<annotation><objects>{''.join(objects)}</objects></annotation>"
    write_text(root / "train/labelXml/1.xml", xml)


def test_file_names_used_twice_give_two_scenes(tmp_path: Path) -> None:
    by_hand.fair1m(tmp_path)
    scenes, _ = read(tmp_path)
    assert [(s.scene_id, s.split) for s in scenes] == [
        ("train_part1_0", "train"),
        ("validation_0", "val"),
    ]


def test_name_of_the_file_counts_and_not_the_one_in_it(tmp_path: Path) -> None:
    by_hand.fair1m(tmp_path)
    path = tmp_path / "train/part1/labelXml/0.xml"
    inside = "<source><filename>77.tif</filename></source><objects>"
    path.write_text(path.read_text().replace("<objects>", inside))
    scenes, quarantine = read(tmp_path)
    assert [len(s.annotations) for s in scenes] == [1, 0]
    assert scenes[0].image == tmp_path / "train/part1/images/0.tif"
    assert quarantine.rows == []


def test_closed_polygon_is_four_corners_and_its_hull_the_box(tmp_path: Path) -> None:
    write(tmp_path, fair1m_object("Cargo Truck", "9,2", "16,7", "9,12", "2.5,7", "9,2"))
    (scene,), quarantine = read(tmp_path)
    (truck,) = scene.annotations
    assert truck.category == "Cargo-Truck"
    assert truck.obb is not None
    assert truck.obb.tolist() == [[9, 2], [16, 7], [9, 12], [2.5, 7]]
    assert truck.hbb.tolist() == [2.5, 2, 16, 12]
    assert quarantine.rows == []


def test_all_names_of_the_release_are_found_from_the_official_spelling(tmp_path: Path) -> None:
    corners = ("1,1", "9,1", "9,9", "1,9", "1,1")
    names = [c if c.startswith("other") else c.replace("-", " ") for c in fair1m.CATEGORIES]
    write(tmp_path, *(fair1m_object(name, *corners) for name in names))
    (scene,), quarantine = read(tmp_path)
    assert tuple(a.category for a in scene.annotations) == fair1m.CATEGORIES
    assert quarantine.rows == []


def test_bad_polygons_are_quarantined(tmp_path: Path) -> None:
    write(
        tmp_path,
        fair1m_object("Van", "1,1", "9,1", "9,9", "1,1"),
        fair1m_object("Van", "1,1", "9,1", "9,9", "1,9", "2,2"),
        fair1m_object("Van", "1,1", "9", "9,9", "1,9"),
        fair1m_object("Van", "1,1", "9,1", "9,9", "1,9"),
    )
    (scene,), quarantine = read(tmp_path)
    assert [a.ordinal for a in scene.annotations] == [3]
    assert quarantine.counts() == {"does not parse": 3}
    detail = str(quarantine.rows[1]["detail"])
    assert "train/labelXml/1.xml:object 2: polygon does not parse" in detail
