"""From a folder to a release and exports of it, without dvc: ``samrs label``."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from samrs.commands.label import told
from samrs.core.errors import (
    AnnotationError,
    MissingExtraError,
    MissingInputError,
    ParameterError,
    ProductError,
    QuarantineError,
    UnknownNameError,
)
from samrs.core.shards import read_manifest, read_table
from samrs.corrections.places import places
from samrs.corrections.records import Anchor, Verdict, mask_digest
from samrs.corrections.store import Edit, Store
from samrs.label_dataset.label_dataset import RELEASE, label_dataset, named
from samrs.verify.verify import Verification
from tests.commands.calls import call, refused
from tests.datasets import by_hand
from tests.pipeline.closure import ROOT

ASKED: dict[str, Any] = {
    "name": "mine",
    "recipe": "hbox",
    "segmenter": "box",
    "model": "nano",
    "precision": "float32",
    "tile": None,
    "overlap": None,
    "val": 0.0,
    "max_quarantined": 0.01,
    "exports": [],
    "force": False,
    "runtime": {"executor": "local", "device": "cpu", "threads": 1},
}


def files(folder: Path) -> dict[str, bytes]:
    """All that a person finds there, by its path."""
    found = (path for path in folder.rglob("*") if path.is_file())
    paths = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: paths[name].read_bytes() for name in paths if not name.startswith(".")}


def test_a_release_with_exports_and_a_summary(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    before = files(tmp_path / "in")
    about = label_dataset(
        "coco", tmp_path / "in", tmp_path / "out", **{**ASKED, "exports": ["yolo_seg", "coco"]}
    )
    release = tmp_path / "out" / "release" / "mine"
    (row,) = read_table(release, "instances", ["area", "mask_hbb", "hbb"]).to_pylist()
    assert row["mask_hbb"] == row["hbb"]
    assert not Verification(release).run()
    assert read_manifest(release)["subset"] == "mine"
    assert about == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert about["found"]["scenes"] == 2
    assert about["set_aside"] == {"total": 0, "by_reason": {}, "examples": {}}
    assert about["released"]["kept"] == 1
    assert (tmp_path / "out" / "yolo_seg" / "data.yaml").is_file()
    assert about["exports"]["coco"]["annotations"] == {"all": 1}
    assert files(tmp_path / "in") == before


def test_the_thresholds_are_the_pipelines() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    flat = {**asdict(RELEASE["thresholds"]), **RELEASE}
    del flat["thresholds"]
    assert params["release"] == flat


def test_what_is_set_aside_is_listed_and_counted(tmp_path: Path) -> None:
    root = tmp_path / "in"
    by_hand.coco(root)
    (root / "images" / "b.jpg").write_bytes(b"no image")
    with pytest.raises(QuarantineError, match=r"max_quarantined 0\.01 is allowed"):
        label_dataset("coco", root, tmp_path / "out", **ASKED)
    with (tmp_path / "out" / "set_aside.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["reason"] == "image does not decode"
    # the same place goes on, since it was not finished
    about = label_dataset("coco", root, tmp_path / "out", **{**ASKED, "max_quarantined": 0.5})
    assert about["set_aside"]["by_reason"] == {"image does not decode": 1}
    assert about["set_aside"]["examples"]["image does not decode"] == [row["detail"]]


def test_a_finished_place_is_made_again_on_demand_only(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    out = tmp_path / "out"
    label_dataset("coco", tmp_path / "in", out, **{**ASKED, "exports": ["dota"]})
    (out / "notes.txt").write_text("of a person")
    with pytest.raises(ProductError, match=r"finished, got its summary\.json"):
        label_dataset("coco", tmp_path / "in", out, **ASKED)
    label_dataset("coco", tmp_path / "in", out, **{**ASKED, "force": True, "name": "other"})
    assert (out / "notes.txt").is_file()
    assert not (out / "dota").exists()
    assert [path.name for path in (out / "release").iterdir()] == ["other"]


def test_made_again_it_applies_what_people_said_of_its_masks(tmp_path: Path) -> None:
    by_hand.coco(tmp_path / "in")
    out = tmp_path / "out"
    about = label_dataset("coco", tmp_path / "in", out, **ASKED)
    release = out / "release" / "mine"
    (row,) = read_table(release, "instances").to_pylist()
    verdict = Verdict(anchor=Anchor.of(row), verdict="reject", mask=mask_digest(row["rle"]))
    said = places(release).corrections
    Store(said).apply([Edit(None, verdict)])
    again = label_dataset("coco", tmp_path / "in", out, **{**ASKED, "force": True})
    assert (about["released"]["kept"], again["released"]["kept"]) == (1, 0)
    assert again["released"]["corrections"]["rejected"] == 1
    assert "corrections: 1 rejected" in told(again, out)
    (said / "verdicts.csv").write_text("nonsense", encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"verdicts\.csv"):
        label_dataset("coco", tmp_path / "in", out, **{**ASKED, "force": True})
    assert release.is_dir()


def test_a_place_of_something_else_of_another_run_or_in_the_dataset_is_refused(
    tmp_path: Path,
) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    by_hand.coco(root)
    with pytest.raises(ParameterError, match="inside the dataset"):
        label_dataset("coco", root, root / "out", **ASKED)
    out.mkdir()
    (out / "thesis.txt").touch()
    with pytest.raises(ProductError, match="place is taken"):
        label_dataset("coco", root, out, **{**ASKED, "force": True})
    (out / ".work").mkdir()
    with FileLock(out / ".work" / "lock"), pytest.raises(ProductError, match="in use"):
        label_dataset("coco", root, out, **ASKED)
    assert [path.name for path in out.iterdir() if path.name != ".work"] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"recipe": "zooom"}, UnknownNameError, "did you mean zoom"),
        ({"exports": ["yolo"]}, UnknownNameError, "did you mean yolo_"),
        ({"segmenter": "sam", "model": "vit_x"}, UnknownNameError, "did you mean vit_"),
        ({"name": "My Set"}, ParameterError, "cannot be a dataset's, got 'My Set'"),
        ({"recipe": "auto"}, ParameterError, "chosen for sam nano, got box nano"),
        ({"tile": 64, "overlap": 64}, ParameterError, "overlap does not fit the tile"),
    ],
    ids=str,
)
def test_what_is_asked_wrongly_is_told_before_anything_is_made(
    tmp_path: Path, wrong: dict[str, Any], error: type[Exception], said: str
) -> None:
    by_hand.coco(tmp_path / "in")
    with pytest.raises(error, match=said):
        label_dataset("coco", tmp_path / "in", tmp_path / "out", **{**ASKED, **wrong})
    assert not (tmp_path / "out").exists()


def test_an_export_whose_packages_are_not_installed_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_hand.coco(tmp_path / "in")
    for name in [n for n in sys.modules if n.startswith("samrs.export.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "shapely", None)
    asked = {**ASKED, "exports": ["coco", "geojson"]}
    with pytest.raises(MissingExtraError, match=r"'shapely'.*pip install 'samrs\[geo\]'"):
        label_dataset("coco", tmp_path / "in", tmp_path / "out", **asked)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_dataset_or_has_no_box_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(MissingInputError):
        label_dataset("voc", tmp_path / "in", tmp_path / "out", **ASKED)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("Ships 2024!", "ships_2024"),
        ("2024", "set_2024"),
        ("船", "set"),
        ("a" * 60, "a" * 40),
    ],
)
def test_a_name_is_made_of_any_folder(folder: str, name: str) -> None:
    assert named(Path("/data", folder)) == name


def many(root: Path, count: int) -> None:
    """A YOLO set of images with a box each."""
    by_hand.write_text(root / "data.yaml", "train: images\nnames: [plane]\n")
    for n in range(count):
        by_hand.write_image(root / f"images/{n:03d}.png", by_hand.image(n))
        by_hand.write_text(root / f"labels/{n:03d}.txt", "0 0.5 0.5 0.4 0.4\n")


def test_killed_it_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    many(tmp_path / "in", 300)
    options = ("--segmenter", "grabcut", "--threads", "1", "-e", "yolo_seg", "--name", "mine")
    words = [sys.executable, "-m", "samrs", "label", "yolo", tmp_path / "in", *options, "--out"]
    whole, out = tmp_path / "whole", tmp_path / "out"
    subprocess.run([*words, whole], check=True, capture_output=True)
    child = subprocess.Popen([*words, out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while not list(out.glob(".work/tiles/*/*.tiles")) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (out / "summary.json").exists()
    done = subprocess.run([*words, out], check=True, capture_output=True, text=True)
    kept = next(line for line in done.stderr.splitlines() if "kept from before" in line)
    assert 0 < int(kept.split()[-1]) < 300
    assert files(out) == files(whole)


def test_the_command_says_what_was_made_and_what_to_do_next(tmp_path: Path) -> None:
    root = tmp_path / "in"
    by_hand.coco(root)
    (root / "images" / "b.jpg").write_bytes(b"no image")
    asked = ("coco", root, "--segmenter", "box", "--name", "mine", "--out", tmp_path / "out")
    assert "1 x image does not decode" in refused(call("label", *asked))
    done = call("label", *asked, "-e", "coco", "--max-quarantined", "0.5")
    assert done.exit_code == 0, done.output
    release = tmp_path / "out" / "release" / "mine"
    for line in (
        "mine: 1 images (1 all), 1 boxes",
        "1 masks in 1 tiles, none left out",
        f"all 1 are listed in {tmp_path / 'out' / 'set_aside.csv'}",
        f"release: {release}",
        f"export: {tmp_path / 'out' / 'coco'}",
        f"    samrs preview {release} --out {tmp_path / 'out' / 'preview.html'}",
        f"    samrs verify {release}",
        f"    samrs review {release}",
    ):
        assert line in done.stdout.splitlines()
    assert "set aside: 1 x image does not decode; " in done.stdout


def test_scenes_far_larger_than_the_model_sees_are_tiled_or_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "in"
    many(root, 2)
    by_hand.write_image(root / "images" / "001.png", by_hand.image(1, 2100, 40))
    about = label_dataset("yolo", root, tmp_path / "tiled", **ASKED)
    assert (about["parameters"]["tile"], about["parameters"]["overlap"]) == (1024, 200)
    assert "far larger" not in caplog.text
    label_dataset("yolo", root, tmp_path / "whole", **{**ASKED, "tile": 4000})
    told = [line for line in caplog.messages if "far larger than the 1024 px that SAM sees" in line]
    assert len(told) == 1
    assert "sam-label mine: " in told[0]
    assert "--tile 1024" in told[0]


def test_wrong_usage_is_two(tmp_path: Path) -> None:
    assert call("label", "coco", tmp_path).exit_code == 2
    assert call("label", "coco", tmp_path, "--out", tmp_path, "-e", "yolo").exit_code == 2
