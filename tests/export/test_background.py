"""Exports of a release whose label maps tell the background, and of the same one without."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from samrs.core.images import decode_labels
from samrs.core.shards import read_table
from samrs.export.export import export
from tests.products_by_hand import CATEGORIES, OPEN, QUALITY, Thing, release, write

TILES = ["a__0_0", "b__0_0"]
THINGS = [
    Thing("a__0_0", "harbor", (0, 0, 20, 20), box=(0, 0, 24, 24), scores={"box_iou": 0.694444}),
    Thing("a__0_0", "ship", (5, 5, 10, 10)),
]
NUMBERS = {name: CATEGORIES.index(name) + 1 for name in CATEGORIES}


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By rule of the background."""
    root = tmp_path_factory.mktemp("releases")
    normalized, labelled = write(root, TILES, THINGS)
    found = {rule: root / rule / "sota" for rule in ("none", "outside_boxes")}
    for rule, out in found.items():
        release(normalized, labelled, out, QUALITY, **{**OPEN, "background": rule})
    return found


def wanted() -> np.ndarray:
    labels = np.zeros((64, 64), np.uint8)
    labels[:24, :24] = 255
    labels[:20, :20] = NUMBERS["harbor"]
    labels[5:10, 5:10] = NUMBERS["ship"]
    return labels


def test_png_names_and_colours_the_background(releases, tmp_path):
    export("png", releases["outside_boxes"], tmp_path / "out")
    image = Image.open(tmp_path / "out/semantic/train/a__0_0.png")
    assert (np.array(image) == wanted()).all()
    rgb = np.array(image.convert("RGB"))
    with (tmp_path / "out/classes.csv").open(encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["background", *CATEGORIES, "unlabelled"]
    for name, number in {"background": 0, **NUMBERS, "unlabelled": 255}.items():
        assert int(rows[name]["label"]) == number
        told = [int(rows[name][channel]) for channel in ("red", "green", "blue")]
        shown = rgb[wanted() == number]
        assert not len(shown) or np.unique(shown, axis=0).tolist() == [told]
    with (tmp_path / "out/instances.csv").open(encoding="utf-8") as file:
        assert [int(r["label"]) for r in csv.DictReader(file)] == [
            NUMBERS["harbor"],
            NUMBERS["ship"],
        ]


def test_a_choice_of_classes_is_background_only_where_the_release_has_it(releases, tmp_path):
    export("png", releases["outside_boxes"], tmp_path / "out", classes=["ship"])
    found = np.array(Image.open(tmp_path / "out/semantic/train/a__0_0.png"))
    labels = np.where(wanted() == 0, 0, 255)
    labels[5:10, 5:10] = 1
    assert (found == labels).all()


def test_coco_is_the_same_with_and_without(releases, tmp_path):
    texts = []
    for rule, folder in releases.items():
        export("coco", folder, tmp_path / rule)
        files = sorted((tmp_path / rule).rglob("*.json"))
        texts.append([f.read_bytes() for f in files if f.name != "export.json"])
    assert texts[0]
    assert texts[0] == texts[1]


def test_samrs_s_own_layout_has_the_maps_and_unmoved_labels_of_instances(releases, tmp_path):
    export("samrs", releases["outside_boxes"], tmp_path / "out")
    grey = (tmp_path / "out/gray/a__0_0.png").read_bytes()
    assert (decode_labels(grey, "gray") == wanted()).all()
    colours = np.array(Image.open(tmp_path / "out/color/a__0_0.png"))
    assert colours[63, 63].tolist() == [0, 0, 0]
    assert colours[22, 22].tolist() == [255, 255, 255]
    entries = json.loads((tmp_path / "out/ins/a__0_0.json").read_text(encoding="utf-8"))
    assert [e["label"] + 1 for e in entries] == [NUMBERS["harbor"], NUMBERS["ship"]]


@pytest.mark.parametrize("format", ["huggingface", "webdataset"])
def test_the_names_of_the_maps_labels_are_told(releases, tmp_path, format):
    about = export(format, releases["outside_boxes"], tmp_path / "out")
    assert about["map_labels"] == ["background", *CATEGORIES]
    assert export(format, releases["none"], tmp_path / "none")["map_labels"] == CATEGORIES


def test_hugging_face_has_the_maps_as_they_are(releases, tmp_path):
    export("huggingface", releases["outside_boxes"], tmp_path / "out")
    rows = read_table(tmp_path / "out/data", "train").to_pylist()
    assert (decode_labels(rows[0]["label_map"]["bytes"], "map") == wanted()).all()
    assert not decode_labels(rows[1]["label_map"]["bytes"], "map").any()


def test_the_card_tells_what_0_and_255_are(releases, tmp_path):
    export("coco", releases["outside_boxes"], tmp_path / "out")
    text = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert "0 is background: outside every box" in text
    assert "ignore_index=255" in text
    assert "background share of the px" in text
    assert f"| {NUMBERS['ship']} | ship |" in text
    export("coco", releases["none"], tmp_path / "none")
    text = (tmp_path / "none/README.md").read_text(encoding="utf-8")
    assert "255 is unlabelled" in text
    assert "background share" not in text


def test_a_scene_s_map_is_background_where_all_its_tiles_are(tmp_path):
    tiles = ["a__0_0", "a__44_0", "b__0_0"]  # the first two share 20 px
    things = [
        Thing("a__0_0", "ship", (50, 5, 60, 10), name="a#0", box=(48, 4, 62, 12)),
        Thing("a__44_0", "ship", (6, 5, 16, 10), name="a#0", box=(4, 4, 18, 12)),
        Thing("a__44_0", "plane", (40, 40, 50, 50), name="a#1"),
    ]
    normalized, labelled = write(tmp_path, tiles, things)
    out = tmp_path / "sota"
    release(normalized, labelled, out, QUALITY, **{**OPEN, "background": "outside_boxes"})
    export("geotiff", out, tmp_path / "out")
    whole = np.zeros((64, 108), np.uint8)
    whole[4:12, 48:62] = 255
    whole[5:10, 50:60] = NUMBERS["ship"]
    whole[40:50, 84:94] = NUMBERS["plane"]
    with rasterio.open(tmp_path / "out/train/a.tif") as file:
        assert (file.read(1) == whole).all()
        assert json.loads(file.tags()["classes"]) == ["background", *CATEGORIES]
    with rasterio.open(tmp_path / "out/train/b.tif") as file:
        assert not file.read(1).any()
