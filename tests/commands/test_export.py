"""``samrs export`` writes a choice of a release and prints what the format says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from samrs.core import axis
from samrs.export.export import AXIS
from tests.commands.calls import call, misused, refused
from tests.export.releases import write_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("releases") / "sota")


def test_a_choice_is_exported_and_summed_up(release: Path, tmp_path: Path) -> None:
    words = ("export", "coco", release, tmp_path / "out")
    choice = ("--splits", "val", "--classes", "ship", "-c", "plane", "--no-images")
    done = call(*words, *choice)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {"annotations": {"val": 3}, "images": {"val": 1}}
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    assert about["splits"] == ["val"]
    assert {"ship", "plane"} == set(about["categories"])
    assert not about["images"]


def test_all_is_exported_without_a_choice_and_only_once(release: Path, tmp_path: Path) -> None:
    words = ("export", "coco", release, tmp_path / "out")
    assert set(json.loads(call(*words).stdout)["images"]) > {"val"}
    assert "place is taken" in refused(call(*words))
    assert call(*words, "--force", "-s", "val", "-s", "train").exit_code == 0


def test_an_unknown_format_is_wrong_usage_and_a_class_is_a_sentence(
    release: Path, tmp_path: Path
) -> None:
    said = misused(call("export", "tfrecord", release, tmp_path / "out"))
    assert all(f"'{name}'" in said for name in axis.names(AXIS))
    unknown = call("export", "coco", release, tmp_path / "out", "--classes", "boat")
    assert "unknown class, got 'boat'" in refused(unknown)
    (tmp_path / "file").touch()
    assert "is a file" in misused(call("export", "coco", release, tmp_path / "file"))


@pytest.mark.parametrize("command", [["card"], ["export", "coco"]], ids=" ".join)
def test_a_broken_release_is_one_sentence(
    command: list[str], release: Path, tmp_path: Path
) -> None:
    for name, data in (
        ("tiles-00000.parquet", b"PAR1"),
        ("manifest.json", b"{"),
        ("manifest.json", b"[]"),
        ("manifest.json", b'{"product": "normalize"}'),
    ):
        folder = tmp_path / "broken"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(release, folder)
        (folder / name).write_bytes(data)
        out = [tmp_path / "out"] if command[0] == "export" else []
        assert refused(call(*command, folder, *out)).startswith(f"{folder}")
