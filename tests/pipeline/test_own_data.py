"""From a person's own folder to a release, in every format a person brings, with real dvc."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from samrs.add import add
from samrs.core import axis
from tests.commands.calls import call
from tests.datasets.by_hand import WRITERS, image, write_image, write_text
from tests.pipeline.closure import ROOT
from tests.pipeline.stand_in import run

OWN = tuple(
    sorted(set(axis.names("samrs.datasets")) - set(axis.names("samrs.datasets", "sources")))
)
FORMATS = (*OWN, "coco")


def project(root: Path) -> Path:
    """A project with a dataset of every format people bring; masks are filled boxes."""
    for name in ("samrs", "stages"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, root / name)
    params = root / "params.yaml"
    said = params.read_text().replace("segmenter: sam", "segmenter: box")
    said = said.replace("prompt: auto", "prompt: hbox")
    params.write_text(said.replace("batch_size: 12", "batch_size: 16"))  # one sample a subset
    for format in FORMATS:
        WRITERS[format](root / "mine" / format)
        add(params, format, root / "mine" / format, f"my_{format}")
    run(root, "git", "init", "-q")
    run(root, "dvc", "init", "-q")
    return root


def counts(root: Path, name: str) -> tuple[int, int]:
    """Tiles and instances of a release."""
    said: dict[str, Any] = json.loads((root / f"metrics/release/{name}.json").read_text())
    return said["tiles"], said["kept"]


def same_without_dvc(root: Path, format: str) -> bool:
    """Whether ``samrs label`` makes the same tables, byte for byte."""
    name, out = f"my_{format}", root.parent / "without_dvc" / format
    folder, box = root / "mine" / format, ("--segmenter", "box")
    done = call("label", format, folder, *box, "--name", name, "--out", out)
    assert done.exit_code == 0, done.output
    return shards(out / "release" / name) == shards(root / "data/release" / name)


def shards(release: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(release.glob("*.parquet"))}


def test_every_format_becomes_a_release_of_its_own_name(tmp_path: Path) -> None:
    root = project(tmp_path / "project")
    targets = [f"release@my_{format}" for format in FORMATS]
    run(root, "dvc", "repro", "-q", *targets)
    for format in FORMATS:
        manifest = json.loads((root / f"data/release/my_{format}/manifest.json").read_text())
        named = [manifest[key] for key in ("subset", "dataset", "format", "origin")]
        assert named == [f"my_{format}", f"my_{format}", format, "own"]
        boxes = 2 if format == "xview" else 1  # which has no images without boxes
        assert counts(root, f"my_{format}") == (2, boxes)
        assert same_without_dvc(root, format)
    # what a person puts there is input
    folder = root / "mine" / "voc"
    write_image(folder / "JPEGImages/c.jpg", image(2))
    xml = (folder / "Annotations/a.xml").read_text()
    write_text(folder / "Annotations/c.xml", xml)
    run(root, "dvc", "repro", "-q", *targets)
    assert counts(root, "my_voc") == (3, 2)
    assert counts(root, "my_coco") == (2, 1)
    for name in ("JPEGImages/a.jpg", "Annotations/a.xml"):
        (folder / name).unlink()
    run(root, "dvc", "repro", "-q", *targets)
    assert counts(root, "my_voc") == (2, 1)


def test_every_format_has_a_writer() -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert set(FORMATS) | {d["format"] for d in params["datasets"].values()} == set(WRITERS)
