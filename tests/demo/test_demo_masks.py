"""Datasets of labels and masks: Potsdam, iSAID, COCO; scenes by hand, read by their readers."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.core.records import IGNORE
from samrs.core.rle import rle_to_mask
from samrs.datasets.coco import demo as coco
from samrs.datasets.isaid import demo as isaid
from samrs.datasets.potsdam import demo as potsdam
from samrs.scenes.scene import LAND_COVERS, SceneObject
from tests.demo.conftest import Install, box_object, read, scene


def masks_of(*items: SceneObject) -> list[np.ndarray]:
    """Visible masks (H, W) of objects."""
    masks = []
    for item in items:
        x0, y0, x1, y1 = item.box
        mask = np.zeros((120, 160), bool)
        mask[y0:y1, x0:x1] = item.mask
        masks.append(mask)
    return masks


def test_potsdam_labels_are_the_land_cover_and_clutter_is_ignored(
    install: Install, tmp_path: Path
) -> None:
    made = scene(size_hw=(70, 70), gsd=0.1)
    install(potsdam, [made])
    potsdam.write(tmp_path, scenes=1, seed=0)
    (record,) = read("potsdam", tmp_path)
    assert record.semantic is not None
    ids = [0, 1, 2, 3, 4, IGNORE, IGNORE]
    assert len(ids) == len(LAND_COVERS)
    np.testing.assert_array_equal(record.semantic(), np.array(ids)[made.land_cover])
    with rasterio.open(record.image) as file:
        assert file.res == (0.1, 0.1)
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, 2), made.image)


def test_potsdam_tiles_bear_official_numbers(install: Install, tmp_path: Path) -> None:
    install(potsdam, [scene(size_hw=(20, 20))] * 6)
    potsdam.write(tmp_path, scenes=6, seed=0)
    splits = {r.scene_id.removeprefix("top_potsdam_"): r.split for r in read("potsdam", tmp_path)}
    assert splits == {
        "2_10": "train", "2_11": "train", "2_13": "test",
        "2_12": "train", "3_10": "train", "2_14": "test",
    }  # fmt: skip


def test_potsdam_numbers_agree_with_the_reader_and_end(tmp_path: Path) -> None:
    assert set(potsdam.TEST) == axis.load("samrs.datasets", "potsdam", "read").TEST_TILES
    assert len(set(potsdam.TRAIN)) == 24
    assert not set(potsdam.TRAIN) & set(potsdam.TEST)
    with pytest.raises(ParameterError, match="got scenes 37; at most 36"):
        potsdam.write(tmp_path, scenes=37, seed=0)


def test_isaid_keeps_every_class_and_mask(install: Install, tmp_path: Path) -> None:
    items = [
        box_object(kind, (10 * n, 10 * n % 70, 10 * n + 9, 10 * n % 70 + 12))
        for n, kind in enumerate(isaid.COLOURS)
    ]
    install(isaid, [scene(*items)])
    isaid.write(tmp_path, scenes=1, seed=0)
    (record,) = read("isaid", tmp_path)
    names = {
        "baseball_diamond": "baseball-diamond", "basketball_court": "basketball-court",
        "large_vehicle": "large-vehicle", "small_vehicle": "small-vehicle",
        "soccer_field": "soccer-ball-field", "storage_tank": "storage-tank",
        "swimming_pool": "swimming-pool", "tennis_court": "tennis-court",
        "track_field": "ground-track-field",
    }  # fmt: skip
    found = {a.category: rle_to_mask(a.truth) for a in record.annotations if a.truth is not None}
    assert len(found) == len(items) == 15
    for item, mask in zip(items, masks_of(*items), strict=True):
        np.testing.assert_array_equal(found[names.get(item.kind, item.kind)], mask)


def test_isaid_a_boat_hides_its_harbor(install: Install, tmp_path: Path) -> None:
    pier, boat = box_object("harbor", (10, 10, 90, 60)), box_object("ship", (20, 20, 40, 30))
    install(isaid, [scene(pier, boat)])
    isaid.write(tmp_path, scenes=1, seed=0)
    (record,) = read("isaid", tmp_path)
    areas = {a.category: rle_to_mask(a.truth).sum() for a in record.annotations if a.truth}
    assert areas == {"harbor": pier.mask.sum() - boat.mask.sum(), "ship": boat.mask.sum()}


def test_isaid_colours_are_the_real_ones(real: Path) -> None:
    seen = set()
    for path in (real / "dota_isaid" / "masks").glob("*_instance_color_RGB.png"):
        codes = np.unique(cv2.imread(str(path)).astype(np.int32) @ (1, 1 << 8, 1 << 16))
        seen |= {(int(c) >> 16, int(c) >> 8 & 255, int(c) & 255) for c in codes}
    assert len(seen) == 4
    kinds = ("storage_tank", "large_vehicle", "small_vehicle")
    assert seen - {(0, 0, 0)} == {isaid.COLOURS[kind] for kind in kinds}


def test_coco_masks_survive_as_polygons_and_both_run_lengths(
    install: Install, tmp_path: Path
) -> None:
    ring = np.zeros((30, 30), bool)
    ring[:8], ring[-8:], ring[:, :8] = True, True, True
    items = [
        SceneObject("plane", np.zeros((4, 2)), (0, 0, 30, 30), ring, 1, 1),
        SceneObject("plane", np.zeros((4, 2)), (40, 50, 70, 80), ring, 1, 1),
        box_object("tennis_court", (90, 10, 150, 60)),
    ]
    install(coco, [scene(*items), scene()])
    coco.write(tmp_path, scenes=2, seed=0)
    value = json.loads((tmp_path / "annotations.json").read_text())
    forms = [a["segmentation"] for a in value["annotations"]]
    assert [type(f) for f in forms] == [dict, dict, list]
    assert isinstance(forms[0]["counts"], str)
    assert isinstance(forms[1]["counts"], list)
    first, second = read("coco", tmp_path)
    assert [a.category for a in first.annotations] == ["airplane", "airplane", "tennis court"]
    assert second.annotations == ()
    found = [rle_to_mask(a.truth) for a in first.annotations if a.truth is not None]
    truth = masks_of(*items)
    for n in (0, 1):
        np.testing.assert_array_equal(found[n], truth[n])
    assert (found[2] ^ truth[2]).sum() <= 2
    assert [a.hbb.tolist() for a in first.annotations] == [list(i.box) for i in items]
