"""Label maps and instance maps, and SAMRS's own layout."""

from __future__ import annotations

import csv
import io
import json
import pickle
import pickletools

import numpy as np
import pytest
from PIL import Image

from samrs.core.images import decode_labels
from samrs.core.rle import rle_to_mask
from samrs.drawing.palette import colour
from samrs.export.export import export
from samrs.export.formats import png
from samrs.export.formats.samrs import plain_pickle
from tests.export.releases import SPLITS, TILE_IDS, instance, masks, stored, tile, write_release

TILES = dict(zip(TILE_IDS, SPLITS, strict=True))
IMPORTING = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"}
IMPORTING |= {"EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"}


def label_maps(release):
    rows = stored(release, "semantic")
    return {r["tile_id"]: decode_labels(r["label_map"]["bytes"], "map") for r in rows}


def test_semantic_pngs_are_the_release_s_maps_in_its_colours(release, tmp_path):
    export("png", release, tmp_path / "out")
    for name, labels in label_maps(release).items():
        image = Image.open(tmp_path / "out" / "semantic" / TILES[name] / f"{name}.png")
        assert image.mode == "P"
        assert (np.array(image) == labels).all()
        rgb = np.array(image.convert("RGB"))
        for label in np.unique(labels).tolist():
            assert np.unique(rgb[labels == label], axis=0).tolist() == [list(colour(label))]


def test_instance_maps_follow_the_overlap_rule(release, tmp_path):
    summary = export("png", release, tmp_path / "out")["summary"]
    assert summary == {"images": 4, "instances": 9, "instance_map": "16-bit grey"}
    with (tmp_path / "out" / "instances.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    for name, split in TILES.items():
        values = np.array(Image.open(tmp_path / "out" / "instances" / split / f"{name}.png"))
        rows = [row for row in stored(release) if row["tile_id"] == name]
        mine = [row for row in table if row["tile"] == name]
        assert [row["instance_id"] for row in mine] == [row["instance_id"] for row in rows]
        wanted = np.zeros(values.shape, dtype=int)
        for i in sorted(range(len(rows)), key=lambda i: -rows[i]["area"]):
            wanted[rle_to_mask(rows[i]["rle"])] = int(mine[i]["value"])
        assert (values == wanted).all()


def test_more_instances_than_16_bits_go_to_rgb(release, tmp_path, monkeypatch):
    monkeypatch.setattr(png, "MOST_IN_16_BITS", 3)
    summary = export("png", release, tmp_path / "out")["summary"]
    assert "65536 R" in summary["instance_map"]
    rgb = np.array(Image.open(tmp_path / "out" / "instances" / "val" / "c__0_0.png")).astype(int)
    assert rgb.shape[2] == 3
    assert set(np.unique(rgb @ [65_536, 256, 1])) <= {0, 1, 2, 3, 4}
    numbers = np.array([[0, 1], [65_536, 70_000]], dtype=np.int32)
    wide = np.array(Image.open(io.BytesIO(png.number_png(numbers, wide=True)))).astype(int)
    assert (wide @ [65_536, 256, 1] == numbers).all()


def test_classes_file_says_label_and_colour(release, tmp_path):
    export("png", release, tmp_path / "out")
    lines = (tmp_path / "out" / "classes.csv").read_text("utf-8").splitlines()
    assert lines[1:] == ["0,plane,0,127,255", "1,ship,0,63,0", "2,harbor,0,127,63"] + [
        "255,unlabelled,255,255,255"
    ]


def test_a_class_left_out_uncovers_what_it_hid(tmp_path):
    kinds = masks()
    rows = [
        instance("hole", "a__0_0", 2, kinds["hole"]),
        instance("c", "a__0_0", 1, kinds["corner"]),
    ]
    release = write_release(tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    for format, path in (("png", "semantic/train"), ("samrs", "gray")):
        export(format, release, tmp_path / format, classes=["harbor"])
        labels = np.array(Image.open(tmp_path / format / path / "a__0_0.png"))
        assert (labels == np.where(kinds["hole"], 0, 255)).all()


def test_samrs_maps_are_grey_labels_and_colours(release, tmp_path):
    export("samrs", release, tmp_path / "out")
    for name, labels in label_maps(release).items():
        grey = Image.open(tmp_path / "out" / "gray" / f"{name}.png")
        assert grey.mode == "L"
        assert (np.array(grey) == labels).all()
        rgb = np.array(Image.open(tmp_path / "out" / "color" / f"{name}.png"))
        wanted = np.array([colour(label) for label in range(256)])[labels]
        assert (rgb == wanted).all()


def test_samrs_instances_stand_in_json_and_in_a_pickle_that_imports_nothing(release, tmp_path):
    export("samrs", release, tmp_path / "out")
    for name in TILES:
        entries = json.loads((tmp_path / "out" / "ins" / f"{name}.json").read_text("utf-8"))
        data = (tmp_path / "out" / "ins" / f"{name}.pkl").read_bytes()
        assert not {code.name for code, _, _ in pickletools.genops(data)} & IMPORTING
        assert ImportsNothing(io.BytesIO(data)).load() == entries
        rows = [row for row in stored(release) if row["tile_id"] == name]
        for entry, row in zip(entries, rows, strict=True):
            assert (rle_to_mask(entry["mask"]) == rle_to_mask(row["rle"])).all()
            assert (entry["bbox"], entry["size"]) == (row["hbb"], row["area"])
            assert (entry["category"], entry["label"]) == (row["category"], row["category_id"])
            assert ("rbox" in entry) == (row["obb"] is not None)
    assert entries[0]["rbox"] == [[3, 4], [13, 4], [13, 10], [3, 10]]
    assert entries[0]["rhbox"] == [3, 4, 13, 10]


class ImportsNothing(pickle.Unpickler):
    """Opens pickles of builtin values only."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"{module}.{name}")


def test_the_check_of_pickles_would_find_an_import():
    data = pickle.dumps(np.float64(1.0))
    assert {code.name for code, _, _ in pickletools.genops(data)} & IMPORTING
    with pytest.raises(pickle.UnpicklingError):
        ImportsNothing(io.BytesIO(data)).load()


def test_equal_values_pickle_to_equal_bytes_whichever_objects_they_are():
    shared, apart = "ship" * 3, "".join(["ship", "ship", "ship"])
    assert plain_pickle([shared, shared]) == plain_pickle([shared, apart])


def test_samrs_box_texts_hold_eight_coordinates_class_and_label(release, tmp_path):
    export("samrs", release, tmp_path / "out")
    upright = (tmp_path / "out" / "hbbtxts" / "a__0_0.txt").read_text().splitlines()
    rotated = (tmp_path / "out" / "rbbtxts" / "a__0_0.txt").read_text().splitlines()
    assert upright[0] == "3.00 4.00 13.00 4.00 13.00 10.00 3.00 10.00 plane 0"
    assert (len(upright), len(rotated)) == (4, 3)
    splits = (tmp_path / "out" / "splits" / "train.txt").read_text().split()
    assert splits == ["a__0_0", "b.1__0_0", "d__0_0"]
