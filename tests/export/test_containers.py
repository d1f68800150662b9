"""Hugging Face and WebDataset, opened with those libraries, offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import yaml

from samrs.core.images import decode_labels
from samrs.core.rle import rle_to_mask
from samrs.export.export import export
from samrs.export.formats import webdataset
from tests.export.releases import CATEGORIES, HEIGHT, WIDTH, stored, tile, write_release

LOAD = """
import sys, json
import numpy as np
from datasets import load_dataset
out = {}
for split, rows in load_dataset(sys.argv[1]).items():
    names = rows.features["objects"].feature["category"].names
    for row in rows:
        out[row["tile_id"]] = {
            "split": split, "mode": row["image"].mode, "size": row["image"].size, "names": names,
            "labels": np.array(row["label_map"]).tolist(), "objects": row["objects"],
        }
json.dump(out, sys.stdout)
"""


def loaded(folder, cache):
    """What ``datasets`` makes of a folder, in a process of its own that may not go online."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(cache)}
    command = [sys.executable, "-c", LOAD, str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_datasets_opens_the_folder_with_images_classes_and_masks(release, tmp_path):
    export("huggingface", release, tmp_path / "out")
    found = loaded(tmp_path / "out", tmp_path / "cache")
    assert {name: row["split"] for name, row in found.items()} == {
        "a__0_0": "train",
        "b.1__0_0": "train",
        "c__0_0": "val",
        "d__0_0": "train",
    }
    for map_ in stored(release, "semantic"):
        row = found[map_["tile_id"]]
        assert (row["mode"], row["size"]) == ("RGB", [WIDTH, HEIGHT])
        assert row["names"] == CATEGORIES
        labels = decode_labels(map_["label_map"]["bytes"], "map")
        assert (np.array(row["labels"]) == labels).all()
        wanted = [r for r in stored(release) if r["tile_id"] == map_["tile_id"]]
        for got, instance in zip(row["objects"], wanted, strict=True):
            assert (rle_to_mask(got["segmentation"]) == rle_to_mask(instance["rle"])).all()
            assert row["names"][got["category"]] == instance["category"]
            assert (got["area"], got["difficult"]) == (instance["area"], instance["difficult"])
    assert found["d__0_0"]["objects"][0]["bbox"] == [3, 4, 10, 6]


def test_folders_of_one_name_open_as_what_they_hold(release, tmp_path):
    """datasets keeps what it read by the folder's name: an export that replaces another is new."""
    every = export("huggingface", release, tmp_path / "a" / "sota")
    assert every["summary"]["rows"] == {"train": 3, "val": 1}
    assert set(loaded(tmp_path / "a" / "sota", tmp_path / "cache")) == {
        r["tile_id"] for r in stored(release, "tiles")
    }
    export("huggingface", release, tmp_path / "a" / "sota", classes=["ship"], force=True)
    found = loaded(tmp_path / "a" / "sota", tmp_path / "cache")
    assert {name for row in found.values() for name in row["names"]} == {"ship"}
    other = write_release(
        tmp_path / "other",
        tiles=[tile("z__0_0", s) for s in ("train",)] + [tile("y__0_0", "val")],
        rows=[],
    )
    export("huggingface", other, tmp_path / "b" / "sota")
    assert set(loaded(tmp_path / "b" / "sota", tmp_path / "cache")) == {"z__0_0", "y__0_0"}


def test_split_all_becomes_train_since_it_is_a_word_of_datasets(tmp_path):
    release = write_release(tmp_path / "sota", tiles=[tile("a__0_0", "all")], rows=[])
    export("huggingface", release, tmp_path / "out")
    header = yaml.safe_load((tmp_path / "out" / "README.md").read_text("utf-8").split("---")[1])
    files = [{"split": "train", "path": "data/train-*.parquet"}]
    (config,) = header["configs"]
    assert (config["config_name"], config["data_files"]) == ("default", files)
    assert (tmp_path / "out" / "data" / "train-00000.parquet").is_file()


def samples(*tars):
    import webdataset as wds

    return list(wds.WebDataset([str(tar) for tar in tars], shardshuffle=False).decode("rgb8"))


def test_webdataset_reads_the_samples(release, tmp_path):
    summary = export("webdataset", release, tmp_path / "out")["summary"]
    assert summary["samples"] == {"train/sota-000000.tar": 3, "val/sota-000000.tar": 1}
    found = samples(*(tmp_path / "out" / name for name in summary["samples"]))
    assert [s["__key__"] for s in found] == ["a__0_0", "b_1__0_0", "d__0_0", "c__0_0"]
    maps = {r["tile_id"]: r["label_map"]["bytes"] for r in stored(release, "semantic")}
    for sample in found:
        about = sample["json"]
        assert about["categories"] == CATEGORIES
        assert (sample.get("png", sample.get("jpg"))).shape == (HEIGHT, WIDTH, 3)
        labels = decode_labels(maps[about["tile_id"]], "map")
        assert (sample["semantic.png"][:, :, 0] == labels).all()
        wanted = [r for r in stored(release) if r["tile_id"] == about["tile_id"]]
        for got, instance in zip(about["instances"], wanted, strict=True):
            assert (rle_to_mask(got["rle"]) == rle_to_mask(instance["rle"])).all()
            assert got["category"] == instance["category"]
            assert "stability_score" not in got


def test_tars_end_when_they_are_large_and_members_carry_no_time(release, tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "TAR_BYTES", 1)
    summary = export("webdataset", release, tmp_path / "out")["summary"]
    assert list(summary["samples"].values()) == [1, 1, 1, 1]
    with tarfile.open(tmp_path / "out" / "train" / "sota-000002.tar") as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["d__0_0.json", "d__0_0.png", "d__0_0.semantic.png"]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in members} == {(0, 0, 0, "", 0o644)}


def test_tiles_that_would_be_one_sample_are_refused(tmp_path):
    tiles = [tile(name, "train") for name in ("a.b__0_0", "a_b__0_0")]
    release = write_release(tmp_path / "sota", tiles=tiles, rows=[])
    with pytest.raises(webdataset.ProductError, match="would be one sample"):
        export("webdataset", release, tmp_path / "out")
