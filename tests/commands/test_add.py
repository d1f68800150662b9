"""``samrs add``."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from tests.commands.calls import call
from tests.conftest import ROOT
from tests.datasets import by_hand


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path / "params.yaml")
    by_hand.yolo(tmp_path / "ships")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_tells_what_it_found_and_what_to_run(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    (project / "labels.txt").touch()
    done = call("add", "yolo", "ships")
    assert done.exit_code == 0, done.output
    assert "2 images (1 train, 1 val), 1 boxes, 2 classes" in done.output
    assert "dvc repro release@ships" in done.output
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    assert values["datasets"]["ships"] == {"format": "yolo", "path": "ships"}
    done = call("add", "--remove", "ships")
    assert done.exit_code == 0, done.output
    assert (project / "params.yaml").read_bytes() == before


def test_what_is_no_dataset_is_one_sentence(project: Path) -> None:
    done = call("add", "coco", "ships", "--name", "mine")
    assert done.exit_code == 1
    assert "no coco dataset" in done.output


@pytest.mark.parametrize("arguments", [(), ("yolo",), ("yolo", "ships", "--remove", "x")])
def test_wrong_usage_is_two(project: Path, arguments: tuple[str, ...]) -> None:
    assert call("add", *arguments).exit_code == 2
