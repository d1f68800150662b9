"""Ultralytics, pycocotools and supervision read the same boxes, but for what is written down."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from samrs.core import axis
from samrs.core.records import Quarantine
from tests.conftest import ROOT
from tests.datasets import by_hand

pytestmark = pytest.mark.slow

WANTED = ("ultralytics==8.4.190", "supervision==0.31.2", "pydeprecate==0.14.0")
PAGE = ROOT / "docs" / "other-readers.md"
FILES = ROOT.parent / "shared" / "cases" / "files"
READERS = {"yolo": ("ultralytics",), "coco": ("pycocotools", "supervision")}
Boxes = Counter[tuple[str, tuple[int, ...]]]
"""(class, corners in hundredths of a px) of an image: others read numbers of four bytes."""


def kind(name: str) -> str:
    """The reader of a case, by the words of its name."""
    first, *_ = name.removeprefix("by_hand_").removeprefix("dm_").split("_")
    return {"img": "coco", "cvat": "coco"}.get(first, first)


HANDED = sorted(p.name.removesuffix(".tar.gz") for p in FILES.glob("*.tar.gz"))
BY_HAND: dict[str, Callable[[Path], None]] = {
    "by_hand_yolo": by_hand.yolo,
    "by_hand_coco": by_hand.coco,
}
CASES = [(name, reader) for name in (*HANDED, *BY_HAND) for reader in READERS.get(kind(name), ())]


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a throw-away environment: ours, with the other readers on top."""
    root = tmp_path_factory.mktemp("foreign")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    (site,) = root.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(sysconfig.get_path("purelib"))
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not there, which installs the other readers")
    found = root / "bin" / "python"
    command = [uv, "pip", "install", "-q", "--python", str(found), "--no-deps", *WANTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the other readers cannot be installed: {done.stderr[-300:]}")
    return found


def unpack(name: str, root: Path) -> Path:
    if name in BY_HAND:
        BY_HAND[name](root / "set")
        return root / "set"
    with tarfile.open(FILES / f"{name}.tar.gz") as file:
        file.extractall(root, filter="data")
    (folder,) = root.iterdir()
    return folder


def rounded(boxes: list[tuple[str, list[float]]]) -> Boxes:
    return Counter((name, tuple(round(100 * v) // 2 for v in box)) for name, box in boxes)


def near(a: Boxes, b: Boxes) -> bool:
    """The same classes and, to five hundredths of a px, the same corners."""
    mine, theirs = sorted(a.elements()), sorted(b.elements())
    return len(mine) == len(theirs) and all(
        m[0] == t[0] and all(abs(u - v) <= 2 for u, v in zip(m[1], t[1], strict=True))
        for m, t in zip(mine, theirs, strict=True)
    )


def ours(reader: str, folder: Path) -> dict[str, tuple[str, Boxes]]:
    """Split and boxes by image."""
    module = axis.load("samrs.datasets", reader, "read")
    return {
        scene.image.relative_to(folder).as_posix(): (
            scene.split,
            rounded([(a.category, a.hbb.tolist()) for a in scene.annotations]),
        )
        for scene in module.read_scenes(folder, Quarantine())
    }


def complete(folder: Path) -> bool:
    """Give Ultralytics the whole folder where ``data.yaml`` names no splits; whether it did."""
    path = folder / "data.yaml"
    said: dict[str, Any] = yaml.safe_load(path.read_text()) if path.is_file() else {}
    if {"train", "val"} <= said.keys():
        return True
    names = list(axis.load("samrs.datasets", "yolo", "read").categories(folder))
    images = "images" if (folder / "images").is_dir() else "."
    splits = {"train": images, "val": images}
    path.write_text(yaml.safe_dump({**said, "names": names, "path": str(folder), **splits}))
    return False


def compare(name: str, reader: str, folder: Path, python: Path) -> str | None:
    """What differs, in words; None where nothing does."""
    try:
        mine = ours(kind(name), folder)
    except Exception as error:
        return f"refused by ours: {error}"
    with_splits = complete(folder) if reader == "ultralytics" else False
    script = Path(__file__).with_name("read.py")
    done = subprocess.run(
        [python, script, reader, folder], capture_output=True, text=True, check=True
    )
    theirs = json.loads(done.stdout.splitlines()[-1])
    if isinstance(theirs, str):
        return theirs
    answers = {
        image: (split, rounded(boxes))
        for image, (split, boxes) in (
            (i, (s, [(str(c), b) for c, *b in boxes])) for i, (s, boxes) in theirs.items()
        )
    }
    if reader != "ultralytics":  # images by the end of their path: each file by itself
        told, found = ([b for _, b in a.values()] for a in (mine, answers))
        missing = [b for b in told if not any(near(b, other) for other in found)]
        same = len(told) == len(found) and not missing
        return None if same else f"{len(found)} images for {len(told)}"
    if mine.keys() != answers.keys():
        return f"images {sorted(answers)} for {sorted(mine)}"
    for image, (split, boxes) in mine.items():
        if not near(boxes, answers[image][1]):
            return f"{image}: {answers[image][1]} for {boxes}"
        if with_splits and split != answers[image][0]:
            return f"{image}: {answers[image][0]} for {split}"
    return None


def written_down() -> set[tuple[str, str]]:
    """(case, reader) of the table of differences."""
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if "|" in line]
    return {(r[0].strip(" `"), r[1].strip(" `")) for r in rows if r[0].strip().startswith("`")}


@pytest.mark.parametrize(("name", "reader"), CASES)
def test_others_read_the_same_or_the_difference_is_written_down(
    name: str, reader: str, python: Path, tmp_path: Path
) -> None:
    told = compare(name, reader, unpack(name, tmp_path), python)
    assert (told is not None) == ((name, reader) in written_down()), told


def test_nothing_is_written_down_that_is_not_compared() -> None:
    if not HANDED:
        pytest.skip("small inputs are not at ../shared/cases")
    assert written_down() <= set(CASES)
