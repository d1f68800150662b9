"""What holds for every format: run over every file of ``samrs/export/formats``."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from samrs.core.axis import load, names
from samrs.core.errors import MissingInputError, ParameterError, ProductError, UnknownNameError
from samrs.core.shards import sha256
from samrs.export.export import AXIS, export
from tests.conftest import ROOT
from tests.export.releases import HEIGHT, WIDTH, instance, masks, tile, write_release

FORMATS = names(AXIS)
MAPS = {"geojson", "geoparquet", "geotiff", "gpkg", "stac"}
"""Formats of whole scenes on maps, without pictures."""
PIXELS = (".jpg", ".png")


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("format", FORMATS)
def test_format_says_what_it_is(format):
    module = load(AXIS, format)
    assert "Layout" in (module.__doc__ or "")
    assert callable(module.write)


@pytest.mark.parametrize("format", FORMATS)
def test_same_release_same_bytes(format, release, tmp_path):
    first, again = (export(format, release, tmp_path / name) for name in ("a", "b"))
    assert first == again
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("format", FORMATS)
def test_export_says_what_it_is_and_brings_the_card(format, release, tmp_path):
    about = export(format, release, tmp_path / "out", splits=["train"], classes=["ship", "plane"])
    assert json.loads((tmp_path / "out" / "export.json").read_text("utf-8")) == about
    assert about["release_manifest_sha256"] == sha256(release / "manifest.json")
    assert (about["format"], about["subset"], about["splits"]) == (format, "SOTA", ["train"])
    assert (about["categories"], about["release_labels"]) == (["plane", "ship"], [0, 1])
    assert about["terms"] == "academic use only"
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert card.startswith("---\n")
    assert "the splits train only, of the classes plane, ship only" in card
    assert "academic use only" in card


@pytest.mark.parametrize("format", sorted(set(FORMATS) - {"huggingface", "webdataset"} - MAPS))
def test_every_image_is_the_release_s_own_file(format, release, tmp_path):
    export(format, release, tmp_path / "out")
    found = [p for p in (tmp_path / "out").rglob("*__0_0.*") if "mages" in p.as_posix()]
    found = [p for p in found if p.suffix in PIXELS]
    assert sorted(p.name for p in found) == [
        "a__0_0.png",
        "b.1__0_0.png",
        "c__0_0.jpg",
        "d__0_0.png",
    ]
    assert found[0].read_bytes() == tile(found[0].stem, "", found[0].suffix)["image"]["bytes"]


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_can_be_left_out(format, release, tmp_path):
    export(format, release, tmp_path / "out", images=False)
    left = {p.parent.parent.name for p in (tmp_path / "out").rglob("*") if p.suffix in PIXELS}
    left |= {p.parent.name for p in (tmp_path / "out").rglob("*") if p.suffix in PIXELS}
    assert not left & {"images", "JPEGImages"}


@pytest.mark.parametrize("format", FORMATS)
def test_hostile_class_names_stay_inside(format, tmp_path):
    names = ["...__0_0", "a__0_0"]
    tiles = [tile(name, "- $(id) [x]") for name in names]
    rows = [instance("<b>&#'\"\n", name, 1, masks()["box"]) for name in names]
    classes = ["a/../b", "<script>alert(1)</script> |x", "c: [1, *x]"]
    hostile = write_release(tmp_path / "in" / "sota", tiles=tiles, rows=rows, categories=classes)
    before = files(tmp_path)
    export(format, hostile, tmp_path / "in" / "out" / "here")
    after = files(tmp_path)
    new = set(after) - set(before)
    assert new
    assert {name.rsplit("/", 1)[0][: len("in/out/here")] for name in new} == {"in/out/here"}
    assert not any("/." in f"/{name}" for name in new)
    readme = (tmp_path / "in" / "out" / "here" / "README.md").read_text("utf-8")
    assert "<script>" not in readme.split("---", 2)[2]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("name", "split", "changes"),
    [
        ("../../evil__0_0", "train", {}),
        ("/etc/x__0_0", "train", {}),
        ("a b;$(id)__0_0", "train", {}),
        ("a__0_0", "../up", {}),
        ("a__0_0", "train", {"subset": "../SOTA"}),
        ("a__0_0", "train", {"categories": ["a\x1b", "c", "d"]}),
    ],
)
def test_hostile_ids_are_refused(format, name, split, changes, tmp_path):
    rows = [instance("box", name, 1, masks()["box"])]
    hostile = write_release(
        tmp_path / "in" / "sota", tiles=[tile(name, split)], rows=rows, **changes
    )
    before = files(tmp_path)
    with pytest.raises(ProductError, match="cannot be trusted"):
        export(format, hostile, tmp_path / "in" / "out" / "here")
    assert files(tmp_path) == before


@pytest.mark.parametrize("format", sorted(set(FORMATS) - MAPS))
def test_failed_export_leaves_nothing(format, tmp_path):
    rows = [instance("box", name, 1, masks()["box"]) for name in ("a__0_0", "c__0_0", "a__0_0")]
    tiles = [tile(name, "train") for name in ("a__0_0", "c__0_0")]
    broken = write_release(tmp_path / "sota", tiles=tiles, rows=rows)
    with pytest.raises(ProductError, match="do not follow the tiles"):
        export(format, broken, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["sota"]


def test_mask_of_another_size_is_refused(tmp_path):
    larger = {**tile("a__0_0", "train"), "height": HEIGHT + 1}
    rows = [instance("box", "a__0_0", 1, masks()["box"])]
    broken = write_release(tmp_path / "sota", tiles=[larger], rows=rows)
    with pytest.raises(ProductError, match=rf"size \[{HEIGHT}, {WIDTH}\], \[{HEIGHT + 1}"):
        export("coco", broken, tmp_path / "out")


def test_place_that_is_taken_is_refused(release, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    for force in (False, True):
        with pytest.raises(ProductError, match=r"place is taken|not an earlier export"):
            export("dota", release, out, force=force)
    assert files(out) == {"mine.txt": hashlib.sha256(b"keep").hexdigest()}


def test_an_empty_folder_is_taken_and_an_earlier_export_replaced_by_force(release, tmp_path):
    (tmp_path / "out").mkdir()
    export("dota", release, tmp_path / "out")
    with pytest.raises(ProductError, match="--force"):
        export("voc", release, tmp_path / "out")
    export("voc", release, tmp_path / "out", force=True)
    assert not list((tmp_path / "out").rglob("labelTxt"))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_what_does_not_exist_is_refused_by_name(release, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UnknownNameError, match=r"formats: unknown name, got 'tfrecord'.*coco"):
        export("tfrecord", release, out)
    with pytest.raises(
        UnknownNameError, match=r"unknown split, got 'test'; allowed are train, val"
    ):
        export("coco", release, out, splits=["test"])
    with pytest.raises(UnknownNameError, match=r"unknown class, got 'car'; allowed are plane"):
        export("coco", release, out, classes=["car"])
    with pytest.raises(MissingInputError, match="no manifest"):
        export("coco", tmp_path / "nothing", out)
    with pytest.raises(ParameterError, match="export inside its release"):
        export("coco", release, release / "coco")
    assert not out.exists()


@pytest.mark.parametrize("format", FORMATS)
def test_any_script_is_a_class_name_and_empty_splits_are_exports(format, tmp_path):
    names = ["Hafen \u00f6\u00df \u6e2f\u53e3", "a\u3000b", 'c: "d", e']
    kinds = masks()
    rows = [instance(n, "a__0_0", i % 3, kinds[n]) for i, n in enumerate(("box", "hole", "edge"))]
    rows = [{**row, "category": names[row["category_id"]]} for row in rows]
    tiles = [tile("a__0_0", "train"), tile("b__0_0", "val")]
    release = write_release(tmp_path / "sota", tiles=tiles, rows=rows, categories=names)
    about = export(format, release, tmp_path / "all")
    assert about["categories"] == names
    export(format, release, tmp_path / "val", splits=["val"])
    export(format, release, tmp_path / "one", classes=names[1:2])


def test_nothing_is_no_export(release, tmp_path):
    bare = write_release(tmp_path / "bare", tiles=[], rows=[])
    with pytest.raises(ProductError, match="nothing to export, got no tile"):
        export("yolo_seg", bare, tmp_path / "out")
    for choice in ({"splits": []}, {"classes": []}, {"splits": "train"}):
        with pytest.raises(ParameterError, match=r"no list of (split|class) names, got"):
            export("samrs", release, tmp_path / "out", **choice)
    assert not (tmp_path / "out").exists()


def test_tiles_that_would_share_a_file_are_refused(tmp_path):
    tiles = [tile(name, "train") for name in ("a__0_0", "A__0_0")]
    twins = write_release(tmp_path / "sota", tiles=tiles, rows=[])
    with pytest.raises(ProductError, match="would have the same files"):
        export("dota", twins, tmp_path / "out")


def test_killed_export_is_not_taken_for_a_whole_one(tmp_path):
    many = [f"t{i:04d}__0_0" for i in range(400)]
    rows = [instance(kind, name, 1, mask) for name in many for kind, mask in masks().items()]
    release = write_release(
        tmp_path / "sota", tiles=[tile(name, "train") for name in many], rows=rows
    )
    out = tmp_path / "out"
    command = [sys.executable, "-m", "samrs", "export", "png", str(release), str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(tmp_path.glob(".out.*.partial/images")):
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    assert list(tmp_path.glob(".out.*"))
    assert export("coco", release, out, images=False)["summary"]["images"] == {"train": 400}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "sota"]
