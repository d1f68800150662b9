"""What is no file where a dataset has one: links to nowhere, pipes, folders, names of no letters.

Every reader sets it aside or refuses it in a sentence, and no image loses its boxes for it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from samrs.core import axis
from samrs.core.errors import SamrsError
from samrs.core.records import Quarantine
from samrs.core.shards import iter_rows, verify_product
from samrs.download.inbox import copy_layout, describe_extra
from samrs.normalize.normalize import normalize
from tests.datasets import by_hand
from tests.datasets.by_hand import WRITERS, write_text

DATASETS = axis.names("samrs.datasets", "read")
PARAMETERS: dict[str, Any] = {
    "tile": None, "overlap": 0, "min_visible": 0.7, "clip": True, "pad": False,
    "keep_difficult": True, "stretch": 2.0, "max_quarantined": 1.0, "workers": 1,
}  # fmt: skip


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def link(path: Path) -> None:
    path.symlink_to("gone.jpg")


def full_folder(path: Path) -> None:
    write_text(path / "notes.md", "none of the dataset's")


ODD: dict[str, Callable[[Path], object]] = {
    "link": link,
    "loop": loop,
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "folder with notes": full_folder,
}


def scenes(source: Path, out: Path, dataset: str) -> tuple[Counter[str], list[dict[str, Any]]]:
    """Instances by scene, and the quarantine's rows."""
    normalize(dataset, source, out, **PARAMETERS)
    assert verify_product(out) > 0
    found = Counter({row["scene_id"]: 0 for row in iter_rows(out, "tiles")})
    for row in iter_rows(out, "instances"):
        found[row["instance_id"].rpartition("#")[0]] += 1
    return found, list(iter_rows(out, "quarantine"))


def files(dataset: str) -> list[str]:
    """Files that a dataset written by hand has, relative."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        WRITERS[dataset](root)
        return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


CASES = [(dataset, name) for dataset in DATASETS for name in files(dataset)]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("dataset", "name"), CASES)
def test_what_is_no_file_is_told_and_costs_no_other_image_its_boxes(
    dataset: str, name: str, odd: str, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    WRITERS[dataset](source)
    before, _ = scenes(source, tmp_path / "before", dataset)
    (source / name).unlink()
    ODD[odd](source / name)
    after, told, refused = Counter[str](), list[dict[str, Any]](), ""
    try:
        after, told = scenes(source, tmp_path / "after", dataset)
    except SamrsError as error:
        refused = str(error)
    assert refused.count("; ") >= 2 or name in " ".join(row["detail"] for row in told)
    for scene_id, count in after.items():
        assert count == before[scene_id], "an image whose boxes were lost became a negative"


@pytest.mark.parametrize("dataset", DATASETS)
def test_names_that_are_not_utf_8_are_told(dataset: str, tmp_path: Path) -> None:
    source = tmp_path / "in"
    WRITERS[dataset](source)
    scene = next(
        iter(axis.load("samrs.datasets", dataset, "read").read_scenes(source, Quarantine()))
    )
    key = scene.image.stem.removesuffix("_RGB")
    for path in list(source.rglob(f"{key}*")):
        if path.is_file():
            path.rename(path.with_name(os.fsdecode(b"\xe9") + path.name))
    after, told = scenes(source, tmp_path / "out", dataset)
    assert scene.scene_id not in after
    assert "\\udce9" in " ".join(row["detail"] for row in told)


def test_lone_surrogates_in_class_names_are_refused(tmp_path: Path) -> None:
    WRITERS["coco"](tmp_path / "in")
    path = tmp_path / "in/annotations.json"
    path.write_text(path.read_text().replace('"ship"', '"sh\\ud800p"'))
    with pytest.raises(SamrsError, match=r"class names are not text, got 'sh\\ud800p'; Unicode"):
        scenes(tmp_path / "in", tmp_path / "out", "coco")


def test_lone_surrogates_in_file_names_are_told(tmp_path: Path) -> None:
    WRITERS["coco"](tmp_path / "in")
    path = tmp_path / "in/annotations.json"
    path.write_text(path.read_text().replace('"a.jpg"', '"\\ud800.jpg"'))
    after, told = scenes(tmp_path / "in", tmp_path / "out", "coco")
    assert after == {"b": 0}
    assert Counter(row["reason"] for row in told) == {
        "annotation without image": 2,
        "image without annotation": 1,
    }


def test_a_folder_that_is_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    WRITERS["dota"](tmp_path / "in")
    shutil.rmtree(tmp_path / "in/train")
    (tmp_path / "in/train").symlink_to(tmp_path / "gone")
    _, told = scenes(tmp_path / "in", tmp_path / "out", "dota")
    assert [(row["source_file"], row["reason"]) for row in told] == [
        ("train", "link that leads nowhere")
    ]


@pytest.mark.parametrize("odd", ["link", "loop", "pipe"])
def test_what_is_no_file_in_the_inbox_is_refused(odd: str, tmp_path: Path) -> None:
    write_text(tmp_path / "in/images/b.txt", "")
    ODD[odd](tmp_path / "in/images/a.jpg")
    with pytest.raises(SamrsError, match=r"a\.jpg: cannot be taken, got .+; mend or remove it"):
        copy_layout(tmp_path / "in", tmp_path / "out")


def test_links_to_folders_in_the_inbox_are_followed_once(tmp_path: Path) -> None:
    write_text(tmp_path / "store/a.txt", "1")
    (tmp_path / "in/extra").mkdir(parents=True)
    (tmp_path / "in/images").symlink_to(tmp_path / "store")
    (tmp_path / "store/again").symlink_to(tmp_path / "store")
    (tmp_path / "in/extra" / os.fsdecode(b"\xe9.txt")).write_text("2")
    copy_layout(tmp_path / "in", tmp_path / "out")
    assert [
        p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")
    ] == ["images/a.txt"]
    described = describe_extra(tmp_path / "in")
    assert described is not None
    assert described["files"] == 1


SIZE = "<size><width>{}</width><height>{}</height></size>"
HRSC_SIZE = "<Img_SizeWidth>{}</Img_SizeWidth><Img_SizeHeight>{}</Img_SizeHeight>"
DECLARED = {
    "dior": ("Horizontal Bounding Boxes/00001.xml", "<annotation>", SIZE),
    "fair1m": ("train/part1/labelXml/0.xml", "<annotation>", SIZE),
    "hrsc2016": ("Test/Annotations/2.xml", "<HRSC_Image>", HRSC_SIZE),
    "voc": ("Annotations/a.xml", "<annotation>", SIZE),
}
"""Of formats whose XML declares a size: a file with an object, its outermost element, the size."""


def reasons(format: str, source: Path, out: Path) -> dict[str, int]:
    """Counts of what is set aside."""
    found: dict[str, int] = normalize(format, source, out, **PARAMETERS)["quarantined"]["by_reason"]
    return found


@pytest.mark.parametrize("format", DECLARED)
@pytest.mark.parametrize(("width", "kept"), [(by_hand.WIDTH, 1), (2 * by_hand.WIDTH, 0), (0, 1)])
def test_boxes_of_an_image_of_another_size_than_declared_are_set_aside(
    format: str, width: int, kept: int, tmp_path: Path
) -> None:
    root = tmp_path / "in"
    getattr(by_hand, format)(root)
    name, tag, size = DECLARED[format]
    (path,) = (p for p in root.rglob("*.xml") if p.as_posix().endswith(name))
    text = path.read_text().replace(tag, tag + size.format(width, by_hand.HEIGHT), 1)
    assert size.format(width, by_hand.HEIGHT) in text
    path.write_text(text)
    quarantined = reasons(format, root, tmp_path / "out")
    aside = quarantined.get("image of another size than declared", 0)
    assert (aside, quarantined.get("annotation of a bad image", 0)) == (1 - kept, 1 - kept)


def test_the_size_that_a_rotated_file_of_dior_declares_is_not_compared(tmp_path: Path) -> None:
    root = tmp_path / "in"
    by_hand.dior(root)
    (path,) = root.rglob("Oriented Bounding Boxes/00001.xml")
    text = path.read_text()
    path.write_text(text.replace("<annotation>", "<annotation>" + SIZE.format(999, 7), 1))
    assert "image of another size than declared" not in reasons("dior", root, tmp_path / "out")
