"""iSAID's colours, and real iSAID masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samrs.core.records import Quarantine, SceneRecord
from samrs.core.rle import rle_area, rle_to_hbb
from samrs.datasets import isaid
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


def test_real_masks_have_the_known_number_of_instances(real: Path) -> None:
    scenes, quarantine = read(real / "dota_isaid")
    assert {s.scene_id: len(s.annotations) for s in scenes} == {"P0003": 59, "P0004": 116}
    assert quarantine.rows == [], "a real class colour is not in the table"
    for scene in scenes:
        assert scene.semantic is not None
        labels = scene.semantic()
        painted_px = sum(rle_area(a.truth) for a in scene.annotations if a.truth is not None)
        assert painted_px == np.count_nonzero(labels)
