"""Potsdam's colours and official split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samrs.core.records import Quarantine, SceneRecord
from samrs.datasets.potsdam import read as potsdam
from tests.datasets import by_hand
from tests.datasets.by_hand import image, painted, write_image

COLOURS = [(255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)]


def read(root: Path) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(potsdam.read_scenes(root, quarantine)), quarantine


def test_colours_are_classes_in_order_and_clutter_is_unlabelled(tmp_path: Path) -> None:
    boxes = {(4 * i, 0, 4 * i + 4, 30): colour for i, colour in enumerate(COLOURS)}
    write_image(tmp_path / "2_Ortho_RGB/top_potsdam_2_10_RGB.tif")
    pixels = painted(boxes)
    pixels[:, 24:] = (255, 0, 0)
    write_image(tmp_path / "5_Labels_all/top_potsdam_2_10_label.tif", pixels)
    (scene,), quarantine = read(tmp_path)
    assert scene.semantic is not None
    labels = scene.semantic()
    assert labels[0, :24:4].tolist() == [0, 1, 2, 3, 4, 255]
    assert (labels == labels[0]).all()
    assert quarantine.rows == []


def test_other_colours_are_unlabelled_and_counted(tmp_path: Path) -> None:
    by_hand.potsdam(tmp_path)
    pixels = np.full((30, 40, 3), 255, np.uint8)
    pixels[0, :3] = [(0, 0, 0), (254, 255, 255), (255, 0, 255)]
    write_image(tmp_path / "5_Labels_all/top_potsdam_2_10_label.tif", pixels)
    scenes, quarantine = read(tmp_path)
    assert scenes[0].semantic is not None
    labels = scenes[0].semantic()
    assert labels[0, :4].tolist() == [255, 255, 255, 0]
    assert "got 3 px" in str(quarantine.rows[0]["detail"])


def test_labels_without_boundaries_serve_where_they_are_the_only_ones(tmp_path: Path) -> None:
    write_image(tmp_path / "2_Ortho_RGB/top_potsdam_2_10_RGB.tif")
    folder = tmp_path / "5_Labels_all_noBoundary"
    cars = painted({(4, 4, 14, 10): (255, 255, 0)})
    write_image(folder / "top_potsdam_2_10_label_noBoundary.tif", cars)
    (scene,), quarantine = read(tmp_path)
    assert scene.semantic is not None
    labels = scene.semantic()
    assert (labels == 4).sum() == 60
    assert (labels == 255).sum() == labels.size - 60
    assert quarantine.rows == []


def test_official_tile_numbers_give_the_split(tmp_path: Path) -> None:
    by_hand.potsdam(tmp_path)
    scenes, _ = read(tmp_path)
    assert [s.split for s in scenes] == ["train", "test"]
    assert len(potsdam.TEST_TILES) == 14


def test_four_band_tiles_serve_in_their_place(tmp_path: Path) -> None:
    rgbir = np.concatenate([image(), image(1)[:, :, :1]], axis=2)
    write_image(tmp_path / "4_Ortho_RGBIR/top_potsdam_2_10_RGBIR.tif", rgbir)
    write_image(tmp_path / "5_Labels_all/top_potsdam_2_10_label.tif", painted({}))
    (scene,), _ = read(tmp_path)
    assert scene.scene_id == "top_potsdam_2_10"


def test_label_rows_beyond_one_stripe_are_read(tmp_path: Path) -> None:
    write_image(tmp_path / "2_Ortho_RGB/top_potsdam_2_10_RGB.tif")
    tall = np.zeros((2 * potsdam._ROWS + 7, 3, 3), np.uint8)
    tall[-1] = (255, 255, 0)
    write_image(tmp_path / "5_Labels_all/top_potsdam_2_10_label.tif", tall)
    (scene,), _ = read(tmp_path)
    assert scene.semantic is not None
    assert (scene.semantic()[-1] == 4).all()
