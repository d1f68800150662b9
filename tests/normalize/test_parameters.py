"""What each parameter of normalize does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core.errors import ParameterError
from samrs.core.images import decode_labels, decode_rgb
from samrs.core.records import crs_name
from samrs.core.rle import hbb_to_rle, rle_area, rle_to_mask
from samrs.normalize.scene_rows import PADDING
from tests.datasets import by_hand
from tests.datasets.by_hand import HEIGHT, WIDTH, image, write_text
from tests.normalize.test_normalize import box_line, dota_scene, rows, run
from tests.reading.test_scene_image import bit_depth


def test_boxes_are_not_clipped_where_clip_is_false(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in", box_line(18, 4, 28, 10), box_line(-5, -6, 5, 6))
    run("dota", tmp_path / "in", tmp_path / "out", tile=20, clip=False, max_quarantined=1)
    found = rows(tmp_path / "out", "instances")
    assert [r["hbb"] for r in found] == [[-5, -6, 5, 6], [-2, 4, 8, 10]]
    assert all(r["hbb"] == r["hbb_annotated"] for r in found)
    assert [r["visible"] for r in found] == [0.25, 0.8]
    assert rle_area(hbb_to_rle(found[0]["hbb"], (20, 20))) == 30, "a box beyond the tile paints"


def test_small_scenes_fill_a_tile_where_pad_is_true(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in", box_line(30, 20, 50, 26))
    run("dota", tmp_path / "in", tmp_path / "out", tile=64, pad=True)
    (tile,) = rows(tmp_path / "out", "tiles")
    assert (tile["x0"], tile["y0"], tile["width"], tile["height"]) == (0, 0, 64, 64)
    pixels = decode_rgb(tile["image"]["bytes"], "tile")
    assert np.array_equal(pixels[:HEIGHT, :WIDTH], image())
    assert (pixels[HEIGHT:] == PADDING).all()
    assert (pixels[:, WIDTH:] == PADDING).all()
    (instance,) = rows(tmp_path / "out", "instances")
    assert instance["hbb"] == [30, 20, 40, 26], "the box ends with the scene"
    assert instance["visible"] == 0.5


def test_truth_and_label_maps_are_padded_too(tmp_path: Path) -> None:
    by_hand.isaid(tmp_path / "in")
    run("isaid", tmp_path / "in", tmp_path / "out", tile=64, pad=True)
    masks = [rle_to_mask(r["rle"]) for r in rows(tmp_path / "out", "truth")]
    assert [m.shape for m in masks] == [(64, 64)] * 2
    assert sorted(m[4:10, 4:14].sum() for m in masks) == [0, 60]
    labels = decode_labels(rows(tmp_path / "out", "semantic")[0]["label_map"]["bytes"], "map")
    assert labels.shape == (64, 64)
    assert (labels[HEIGHT:] == 255).all()
    assert (labels[:, WIDTH:] == 255).all()
    assert (labels[4:10, 4:14] == 1).all()


def test_tiles_of_large_scenes_and_whole_scenes_need_no_padding(tmp_path: Path) -> None:
    dota_scene(tmp_path / "in")
    for tile in (20, None):
        for pad in (False, True):
            run("dota", tmp_path / "in", tmp_path / str(pad), tile=tile, pad=pad)
        assert rows(tmp_path / "True", "tiles") == rows(tmp_path / "False", "tiles")


def test_difficult_annotations_are_left_out_and_counted(tmp_path: Path) -> None:
    difficult = box_line(20, 4, 30, 10)[:-1] + "1"
    dota_scene(tmp_path / "in", difficult, box_line(4, 4, 14, 10))
    kept = run("dota", tmp_path / "in", tmp_path / "kept")
    assert (kept["instances"], kept["difficult_left_out"]) == (2, 0)
    metrics = run("dota", tmp_path / "in", tmp_path / "out", keep_difficult=False)
    assert (metrics["instances"], metrics["difficult_left_out"]) == (1, 1)
    (row,) = rows(tmp_path / "out", "instances")
    assert row["instance_id"] == "P1#1", "the others keep their ids"


def test_sixteen_bits_are_stretched_by_the_parameter(tmp_path: Path) -> None:
    path = tmp_path / "in/train/images/0.tif"
    path.parent.mkdir(parents=True)
    bit_depth(path)
    xml = "<annotation><objects></objects></annotation>"
    write_text(tmp_path / "in/train/labelXml/0.xml", xml)
    black = []
    for stretch in (0.0, 25.0):
        run("fair1m", tmp_path / "in", tmp_path / "out", stretch=stretch, tile=20)
        found = rows(tmp_path / "out", "tiles")
        first = decode_rgb(found[0]["image"]["bytes"], "tile")
        black.append((first[0] == 0).all(axis=-1).sum())
        assert found[0]["gsd"] == pytest.approx(0.498657)
    assert black == [1, 10]
    (place,) = rows(tmp_path / "out", "georeference")
    assert place["crs"].startswith('PROJCRS["WGS 84 / UTM zone 50N"')
    assert crs_name(place.pop("crs")) == "EPSG:32650"
    sides = [place.pop("gsd_x"), place.pop("gsd_y")]
    assert sides == pytest.approx([0.498657, 0.498657])
    assert place == {"scene_id": "train_0", "transform": [0.5, 0, 300, 0, -0.5, 900]}


@pytest.mark.parametrize("stretch", [-1.0, 50.0])
def test_stretch_beyond_the_middle_is_refused(tmp_path: Path, stretch: float) -> None:
    with pytest.raises(ParameterError, match=r"stretch cuts too much, got"):
        run("dota", tmp_path, tmp_path / "out", stretch=stretch)


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"tile": None}, r"40 x 30 px for a scene kept whole"),
        ({"tile": 50, "pad": True}, r"50 x 50 px for its tiles"),
        ({"tile": 29}, None),
    ],
)
def test_scenes_that_are_too_large_to_be_decoded_at_once_are_set_aside(
    tmp_path: Path, changes: dict[str, Any], got: str | None
) -> None:
    by_hand.coco(tmp_path / "in")
    limits = {"max_tile_px": 30 * 30, "max_quarantined": 1.0}
    metrics = run("coco", tmp_path / "in", tmp_path / "out", **limits, **changes)
    assert metrics["scenes"] == (2 if got is None else 0)
    told = [row["detail"] for row in rows(tmp_path / "out", "quarantine")]
    if got is not None:
        assert metrics["quarantined"]["by_reason"]["image too large"] == 2
        assert re.search(
            rf"a\.jpg: too large .+ got {got}; 900 px are allowed; set a", " ".join(told)
        )


def test_a_limit_that_allows_no_tile_is_refused(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    with pytest.raises(ParameterError, match="max_tile_px allows no tile, got 0"):
        run("coco", tmp_path / "in", tmp_path / "out", max_tile_px=0)
