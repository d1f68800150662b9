"""iSAID's colours, and real iSAID masks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from samrs.core.records import Quarantine, SceneRecord
from samrs.core.rle import mask_to_rle, rle_area, rle_to_hbb
from samrs.datasets.isaid import read as isaid
from samrs.reading.colour_codes import colour_codes
from tests.datasets import by_hand
from tests.datasets.by_hand import painted, write_image

ID, CLASS = (
    "Instance_masks/images/P1_instance_id_RGB.png",
    "Semantic_masks/images/P1_instance_color_RGB.png",
)


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(isaid.read_scenes(root, quarantine)), quarantine


def write(
    root: Path,
    ids: dict[tuple[int, int, int, int], tuple[int, int, int]],
    classes: dict[tuple[int, int, int, int], tuple[int, int, int]],
) -> None:
    write_image(root / "val/images/P1.png")
    write_image(root / "val" / ID, painted(ids))
    write_image(root / "val" / CLASS, painted(classes))


def test_instances_are_id_colours_with_their_exact_masks(tmp_path: Path) -> None:
    by_hand.isaid(tmp_path)
    scenes, quarantine = read(tmp_path)
    plane, ship = scenes[0].annotations
    assert (plane.category, ship.category) == ("plane", "ship")
    assert ship.hbb.tolist() == [4, 4, 14, 10]
    assert ship.truth is not None
    assert rle_area(ship.truth) == 60
    assert rle_to_hbb(ship.truth).tolist() == [4, 4, 14, 10]
    assert scenes[1].annotations == ()
    assert quarantine.rows == []


def test_all_fifteen_colours_give_their_label(tmp_path: Path) -> None:
    boxes = {(2 * i, 0, 2 * i + 2, 9): c for i, c in enumerate(isaid._COLOURS)}
    write(tmp_path, boxes, boxes)
    (scene,), quarantine = read(tmp_path)
    assert scene.semantic is not None
    assert scene.semantic()[0, :32:2].tolist() == list(range(16))
    assert {a.category for a in scene.annotations} == set(isaid.CATEGORIES[1:])
    assert quarantine.rows == []


def test_class_is_that_of_most_px(tmp_path: Path) -> None:
    write(
        tmp_path,
        {(0, 0, 10, 6): (9, 9, 9)},
        {(0, 0, 10, 2): (0, 0, 63), (0, 2, 10, 6): (0, 127, 255)},
    )
    (scene,), _ = read(tmp_path)
    assert [a.category for a in scene.annotations] == ["plane"]


def test_instance_without_class_is_quarantined(tmp_path: Path) -> None:
    write(tmp_path, {(0, 0, 10, 6): (9, 8, 7)}, {})
    (scene,), quarantine = read(tmp_path)
    assert scene.annotations == ()
    assert "below id colour [9, 8, 7]" in str(quarantine.rows[0]["detail"])


def test_unknown_class_colour_is_unlabelled_and_counted(tmp_path: Path) -> None:
    write(tmp_path, {}, {(0, 0, 10, 6): (9, 9, 9)})
    (scene,), quarantine = read(tmp_path)
    assert scene.semantic is not None
    assert (scene.semantic() == 255).sum() == 60
    assert quarantine.counts() == {"unknown label colour": 1}


def test_bad_mask_sets_the_image_aside(tmp_path: Path) -> None:
    write(tmp_path, {}, {})
    (tmp_path / "val" / ID).write_bytes(b"")
    scenes, quarantine = read(tmp_path)
    assert scenes == []
    assert quarantine.counts() == {"mask does not decode": 1}


@pytest.mark.parametrize("most_px", [1, 7 * 40, 2**22])
def test_strips_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_px: int) -> None:
    """A ring, a ship through all rows, one of three: read by one row, by seven, and all at once."""
    ring = {(2, 2, 20, 28): (1, 0, 0), (6, 8, 12, 20): (0, 0, 0)}
    ships = {(30, 0, 33, 30): (0, 0, 9), (36, 13, 39, 16): (0, 9, 0)}
    plane, ship, noise = (0, 127, 255), (0, 0, 63), (1, 1, 1)
    classes = {(2, 2, 20, 28): plane, (30, 0, 40, 30): ship, (0, 0, 40, 1): noise}
    write(tmp_path, ring | ships, classes)
    monkeypatch.setattr(isaid, "STRIP_PX", most_px)
    (scene,), quarantine = read(tmp_path)
    found = {a.category + str(a.ordinal): a for a in scene.annotations}
    assert {name: a.hbb.tolist() for name, a in found.items()} == {
        "ship0": [30, 0, 33, 30],
        "ship1": [36, 13, 39, 16],
        "plane2": [2, 2, 20, 28],
    }
    codes = colour_codes(painted(ring | ships))
    for code, annotation in zip((9, 9 << 8, 1 << 16), scene.annotations, strict=True):
        assert annotation.truth == mask_to_rle(codes == code)
    assert quarantine.counts() == {"unknown label colour": 1}
    assert "got 40 px" in str(quarantine.rows[0]["detail"])
    assert scene.semantic is not None
    labels = scene.semantic()
    assert [(labels == v).sum() for v in (255, 14, 1)] == [40, 18 * 26, 10 * 29]


MEMORY = """
import resource, sys
from pathlib import Path
from samrs.core.records import Quarantine
from samrs.datasets.isaid import read as isaid
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
(scene,) = isaid.read_scenes(Path(sys.argv[1]), Quarantine())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, len(scene.annotations))
"""


@pytest.mark.slow
def test_memory_is_a_byte_a_px_and_not_the_masks(tmp_path: Path) -> None:
    side = 10_000
    thousand = np.zeros((1000, 1000, 3), dtype=np.uint8)
    thousand[100:900, 100:900] = (0, 0, 63)
    mask = np.tile(thousand, (10, 10, 1))
    write_image(tmp_path / "val" / CLASS, mask)
    mask[..., 1] = np.arange(side)[:, None] // 1000 * (mask[..., 2] > 0)
    write_image(tmp_path / "val" / ID, mask)
    write_image(tmp_path / "val/images/P1.png")
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    grown, instances = map(
        int, subprocess.run(command, check=True, capture_output=True).stdout.split()
    )
    assert instances == 10
    assert grown < 2.5 * side**2 + 400 * 2**20, "the label map, its PNG, and what GDAL keeps"


def test_real_masks_have_the_known_number_of_instances(real: Path) -> None:
    scenes, quarantine = read(real / "dota_isaid")
    assert {s.scene_id: len(s.annotations) for s in scenes} == {"P0003": 59, "P0004": 116}
    assert quarantine.rows == [], "a real class colour is not in the table"
    for scene in scenes:
        assert scene.semantic is not None
        labels = scene.semantic()
        painted_px = sum(rle_area(a.truth) for a in scene.annotations if a.truth is not None)
        assert painted_px == np.count_nonzero(labels)


def test_each_mask_without_an_image_is_quarantined(tmp_path: Path) -> None:
    by_hand.isaid(tmp_path)
    (tmp_path / "val/images/P0002.png").unlink()
    quarantine = Quarantine()
    assert len(list(isaid.read_scenes(tmp_path, quarantine))) == 1
    assert quarantine.counts() == {"annotation without image": 2}
