"""Every command of docs/maps.md runs as it stands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from rasterio import Affine

from samrs.datasets.geo.read import Options
from samrs.scenes.render import render_scene
from tests.commands.calls import call
from tests.conftest import ROOT
from tests.datasets.by_hand import write_layer
from tests.pipeline.stand_in import run

PAGE = (ROOT / "docs" / "maps.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```\n(.*?)```", PAGE, flags=re.S)
    for line in block.splitlines()
    if line.startswith(("samrs ", "dvc ", "pip "))
]
LABELLING = [words for words in COMMANDS if words[:2] == ["samrs", "label"]]
PIPELINE = [words for words in COMMANDS if words[0] == "dvc" or words[:2] == ["samrs", "add"]]
MAP = Affine(0.3, 0, 400_000, 0, -0.3, 5_400_000)


def harbor(folder: Path) -> None:
    """The two files of the page."""
    scene = render_scene(3, size_hw=(160, 200), theme="port", gsd=0.3)
    path = folder / "harbor/harbor.tif"
    path.parent.mkdir(parents=True)
    with rasterio.open(
        path, "w", driver="GTiff", width=200, height=160, count=3, dtype="uint8", crs="EPSG:32633",
        transform=MAP,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(scene.image, 2, 0))
    kinds = [item.kind for item in scene.objects]
    rings = [item.obb for item in scene.objects]
    write_layer(path.with_suffix(".geojson"), *rings, crs="EPSG:32633", to_map=MAP, kind=kinds)


def test_all_commands_are_known() -> None:
    others = [w for w in COMMANDS if w not in LABELLING and w not in PIPELINE]
    assert {tuple(w[:2]) for w in others} == {
        ("pip", "install"), ("samrs", "preview"), ("samrs", "export"), ("samrs", "verify")
    }  # fmt: skip
    assert len(LABELLING) == 3
    assert len(PIPELINE) == 2


def test_the_page_names_every_option() -> None:
    table = PAGE.split("\n## Options\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", table, flags=re.M) == list(Options.__dataclass_fields__)


def test_the_commands_without_dvc_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    harbor(tmp_path)
    monkeypatch.chdir(tmp_path)
    # a process of tests has torch, with whatever instructions it found
    monkeypatch.setattr("samrs.arithmetic.instructions.check", lambda *given: None)
    for program, *words in COMMANDS:
        if program == "samrs" and words[0] != "add":
            more = ["--segmenter", "box"] if words[0] == "label" and "zoom" not in words else []
            done = call(*words, *more)
            assert done.exit_code == 0, done.output
    frame = geopandas.read_file("masks/gpkg/harbor.gpkg")
    boxes = geopandas.read_file("harbor/harbor.geojson")
    assert len(frame) == len(boxes) > 0
    assert frame.crs == boxes.crs
    for shape, line in zip(frame.geometry, frame["source_line"], strict=True):
        assert shape.intersects(boxes.geometry[line - 1])
    assert Path("masks/gpkg/harbor.qml").is_file()
    assert len(geopandas.read_file("masks/web/harbor.geojson")) == len(boxes)
    assert Path("masks/preview.html").is_file()
    assert set(geopandas.read_file("grey/gpkg/harbor.gpkg")["class"]) == set(boxes["kind"])
    assert json.loads(Path("vessels/summary.json").read_text())["found"]["instances"] == len(boxes)


@pytest.mark.slow
def test_the_commands_with_dvc_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("samrs", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("segmenter: sam", "segmenter: box"))
    harbor(tmp_path)
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    monkeypatch.chdir(tmp_path)
    (_, *words), dvc = PIPELINE
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert " ".join(dvc) in done.output
    said = yaml.safe_load(params.read_text())["normalize"]["harbor"]["options"]
    assert said == {"class_column": "kind"}
    run(tmp_path, *dvc, "-q")
    manifest = json.loads((tmp_path / "data/release/harbor/manifest.json").read_text())
    assert manifest["format"] == "geo"
    assert "object" not in manifest["categories"]
