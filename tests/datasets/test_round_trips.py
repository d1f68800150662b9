"""What was normalized, written back in its own format, is what was read: box for box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.round_trips import dior_folder, dior_round_trip, dota_folder, dota_round_trip
from benchmarks.written_back import (
    Box,
    dior_boxes,
    dota_boxes,
    fair1m_boxes,
    product_boxes,
    to_dior,
    to_dota,
    to_fair1m,
)
from samrs.datasets.fair1m import read as fair1m
from tests.datasets.by_hand import fair1m_object, image, write_image, write_text
from tests.normalize.test_normalize import run


@pytest.mark.parametrize("folder", ["dota_devkit", "dota_isaid"])
def test_real_dota_files_come_back(real: Path, tmp_path: Path, folder: str) -> None:
    run(
        "dota", real / folder, tmp_path / "out", tile=600, overlap=100, max_quarantined=0.05
    )  # fmt: skip
    boxes = product_boxes(tmp_path / "out")
    assert len(boxes) == 2
    for scene, found in boxes.items():
        original = (real / folder / "labelTxt" / f"{scene}.txt").read_text()
        assert dota_boxes(to_dota(found)) == dota_boxes(original)


def test_fair1m_files_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    objects = []
    for category in fair1m.CATEGORIES:
        centre, arm = rng.uniform(0, 60, 2), rng.uniform(1, 20, 2)
        side = np.array([-arm[1], arm[0]]) * rng.uniform(0.2, 1)
        square = [centre - arm - side, centre + arm - side, centre + arm + side]
        square += [centre - arm + side, centre - arm - side]
        name = category.replace("-", " ")
        objects.append(fair1m_object(name, *(f"{x:.6f},{y:.6f}" for x, y in square)))
    xml = f"<annotation><objects>{''.join(objects)}</objects></annotation>"
    write_image(tmp_path / "in/train/images/1.tif", image(0, 61, 61))
    write_text(tmp_path / "in/train/labelXml/1.xml", xml)
    run("fair1m", tmp_path / "in", tmp_path / "out", tile=25, overlap=5)
    (found,) = product_boxes(tmp_path / "out").values()
    assert fair1m_boxes(to_fair1m(found)) == fair1m_boxes(xml)


def test_some_real_dior_files_come_back(real: Path, tmp_path: Path) -> None:
    root = dior_folder(real / "dior/dior_annotations.tar.gz", tmp_path, 150)
    counts = dior_round_trip(root)
    assert counts["files"] == 300
    assert counts["hbb"] == counts["obb"] > 500
    assert counts["different"] == 0


def test_a_box_that_was_changed_is_seen() -> None:
    box = Box("dam", np.array([0.0, 0, 9, 9]), None, False)
    assert dior_boxes(to_dior([box])[0], "bndbox") == {("dam", (1, 1, 9, 9)): 1}
    moved = box._replace(hbb=np.array([0.0, 0, 9, 9.01]))
    assert dior_boxes(to_dior([moved])[0], "bndbox") != dior_boxes(to_dior([box])[0], "bndbox")


def test_all_real_dota_files_come_back(real: Path, tmp_path: Path) -> None:
    counts = dota_round_trip(dota_folder(real, tmp_path))
    assert counts["files"] == 9
    assert counts["different"] == 0
    assert counts["obb"] > 700


@pytest.mark.slow
def test_all_real_dior_files_come_back(real: Path, tmp_path: Path) -> None:
    counts = dior_round_trip(dior_folder(real / "dior/dior_annotations.tar.gz", tmp_path, None))
    assert counts == {"files": 46_926, "hbb": 192_518, "obb": 192_518, "different": 0}
