"""What holds for every dataset of samrs/datasets."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from samrs.core import axis
from samrs.core.errors import MissingInputError
from samrs.core.records import Quarantine
from samrs.fetch.source import Source
from tests.datasets.by_hand import WRITERS

NAMES = axis.names("samrs.datasets")


@pytest.mark.parametrize("name", NAMES)
def test_module_is_a_dataset_card(name: str) -> None:
    module = axis.load("samrs.datasets", name, "read")
    assert re.search(r"Source:|Format:", module.__doc__)
    assert "::" in module.__doc__, "no raw sample"
    assert module.SUBSET in (None, "SOTA", "SIOR", "FAST")
    assert len(set(module.CATEGORIES)) == len(module.CATEGORIES)


@pytest.mark.parametrize("name", axis.names("samrs.datasets", "sources"))
def test_official_files_have_terms_in_one_line(name: str) -> None:
    module = axis.load("samrs.datasets", name, "sources")
    assert module.TERMS
    assert "\n" not in module.TERMS
    assert all(isinstance(source, Source) for source in module.SOURCES)


@pytest.mark.parametrize("name", NAMES)
def test_scenes_come_sorted_with_ids_that_are_safe_and_unique(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    quarantine = Quarantine()
    scenes = list(axis.load("samrs.datasets", name, "read").read_scenes(tmp_path, quarantine))
    ids = [scene.scene_id for scene in scenes]
    assert len(ids) == 2
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", i) for i in ids)
    assert all(scene.image.is_file() for scene in scenes)
    assert quarantine.rows == []


@pytest.mark.parametrize("name", NAMES)
def test_missing_dataset_says_what_is_expected_where(name: str, tmp_path: Path) -> None:
    read = axis.load("samrs.datasets", name, "read").read_scenes
    kind = name.removesuffix("_zero_based")
    with pytest.raises(MissingInputError, match=rf"nowhere: no {kind} dataset, got no such folder"):
        list(read(tmp_path / "nowhere", Quarantine()))
    with pytest.raises(MissingInputError, match=r"got an empty folder; .+ is needed below it"):
        list(read(tmp_path, Quarantine()))


@pytest.mark.parametrize("name", NAMES)
def test_annotation_files_are_named_relative_to_the_dataset(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    for scene in axis.load("samrs.datasets", name, "read").read_scenes(tmp_path, Quarantine()):
        for annotation in scene.annotations:
            assert (tmp_path / annotation.source_file).is_file()


def test_class_lists_have_the_sizes_samrs_publishes() -> None:
    sizes = {n: len(axis.load("samrs.datasets", n, "read").CATEGORIES) for n in NAMES}
    assert sizes == {
        "coco": 0,
        "cvat": 0,
        "dior": 20,
        "dota": 18,
        "fair1m": 37,
        "geo": 0,
        "geojson": 0,
        "hrsc2016": 1,
        "isaid": 16,
        "labelme": 0,
        "potsdam": 5,
        "soda_a": 0,
        "visdrone": 11,
        "voc": 0,
        "voc_zero_based": 0,
        "xview": 60,
        "yolo": 0,
    }


BROKEN = {
    "dior": ("Annotations/Horizontal Bounding Boxes/00001.xml", "00001"),
    "dota": ("train/labelTxt/P0001.txt", "P0001"),
    "fair1m": ("train/part1/labelXml/0.xml", "train_part1_0"),
    "geo": ("images/a.gpkg", "a"),
    "geojson": ("images/a.geojson", "a"),
    "hrsc2016": ("Test/Annotations/2.xml", "2"),
    "labelme": ("a.json", "a"),
    "soda_a": ("Annotations/train/a.json", "a"),
    "visdrone": ("VisDrone2019-DET-train/annotations/a.txt", "VisDrone2019-DET-train_a"),
    "voc": ("Annotations/a.xml", "a"),
    "voc_zero_based": ("Annotations/a.xml", "a"),
    "yolo": ("labels/train/a.txt", "train_a"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_an_image_whose_annotation_file_does_not_parse_is_no_negative(
    name: str, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path)
    label, scene_id = BROKEN[name]
    (tmp_path / label).write_bytes(b"\xff\xfe<")
    quarantine = Quarantine()
    scenes = list(axis.load("samrs.datasets", name, "read").read_scenes(tmp_path, quarantine))
    assert scene_id not in [scene.scene_id for scene in scenes]
    assert quarantine.counts() == {"does not parse": 1, "image of a bad annotation file": 1}


NESTED = {
    "dota": ("train/images", "train/labelTxt"),
    "dior": ("JPEGImages-trainval", "Annotations/Horizontal Bounding Boxes"),
    "fair1m": ("train/part1/images", "train/part1/labelXml"),
    "hrsc2016": ("Train/AllImages", "Train/Annotations"),
    "soda_a": ("Images", "Annotations/train"),
    "visdrone": ("VisDrone2019-DET-train/images", "VisDrone2019-DET-train/annotations"),
    "voc": ("JPEGImages", "Annotations"),
}


@pytest.mark.parametrize("name", sorted(NESTED))
@pytest.mark.parametrize("both", [False, True], ids=["images", "images and annotations"])
def test_files_in_folders_below_are_read(name: str, both: bool, tmp_path: Path) -> None:
    WRITERS[name](tmp_path)
    read = axis.load("samrs.datasets", name, "read").read_scenes
    flat = [(s.scene_id, len(s.annotations)) for s in read(tmp_path, Quarantine())]
    for folder in NESTED[name][: 2 if both else 1]:
        files = [path for path in (tmp_path / folder).iterdir() if path.is_file()]
        assert files
        (tmp_path / folder / "part1").mkdir()
        for path in files:
            path.rename(path.parent / "part1" / path.name)
    quarantine = Quarantine()
    assert [(s.scene_id, len(s.annotations)) for s in read(tmp_path, quarantine)] == flat
    assert quarantine.rows == []


UNKNOWN = {
    "coco": ("annotations.json", '"category_id": 7', '"category_id": 8'),
    "dior": ("Annotations/Horizontal Bounding Boxes/00001.xml", "Expressway-Service-area", "what"),
    "dota": ("train/labelTxt/P0001.txt", "plane", "what"),
    "fair1m": ("train/part1/labelXml/0.xml", "Cargo Truck", "what"),
    "soda_a": ("Annotations/train/a.json", '"category_id": 0', '"category_id": 5'),
    "visdrone": ("VisDrone2019-DET-train/annotations/a.txt", ",1,4,0,1", ",1,44,0,1"),
    "xview": ("xView_train.geojson", '"type_id": 18', '"type_id": 75'),
}
"""A class that is none of the dataset's: file, what stands there, what is written instead."""

NOWHERE = {
    "coco": ("annotations.json", "[4, 4, 10, 6]", '["x", 4, 10, 6]'),
    "cvat": ("annotations.xml", 'xtl="4"', 'xtl="x"'),
    "dior": ("Annotations/Horizontal Bounding Boxes/00001.xml", "<xmin>5", "<xmin>x"),
    "dota": ("train/labelTxt/P0001.txt", "4 4 14", "4 x 14"),
    "fair1m": ("train/part1/labelXml/0.xml", "<point>4.5,4<", "<point>4.5<"),
    "geojson": ("images/a.geojson", "[[[500002.0", '[[["x"'),
    "hrsc2016": ("Test/Annotations/2.xml", "<box_xmin>4", "<box_xmin>x"),
    "labelme": ("a.json", "[14, 10]", '["x", 10]'),
    "soda_a": ("Annotations/train/a.json", "[4, 4, 14", '["x", 4, 14'),
    "visdrone": ("VisDrone2019-DET-train/annotations/a.txt", "4,4,10", "4,x,10"),
    "voc": ("Annotations/a.xml", "<xmin>5", "<xmin>x"),
    "voc_zero_based": ("Annotations/a.xml", "<xmin>4", "<xmin>x"),
    "xview": ("xView_train.geojson", '"4,4,14,10", "type_id": 18', '"4,4", "type_id": 18'),
}
"""A box whose numbers are none; YOLO has tests of its own."""


def uncertain_after(name: str, root: Path, change: tuple[str, str, str]) -> list[Any]:
    """Outlines of the uncertain places of all scenes, of which one is expected."""
    WRITERS[name](root)
    file, old, new = change
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    quarantine = Quarantine()
    scenes = list(axis.load("samrs.datasets", name, "read").read_scenes(root, quarantine))
    assert quarantine.rows
    return [outline for scene in scenes for _, outline in scene.uncertain]


@pytest.mark.parametrize("name", sorted(UNKNOWN))
def test_a_box_of_an_unknown_class_leaves_its_place_uncertain(name: str, tmp_path: Path) -> None:
    outline, *others = uncertain_after(name, tmp_path, UNKNOWN[name])
    assert len(others) == (name == "dior")  # its rotated file has the object, too
    hull = [*outline.min(axis=0), *outline.max(axis=0)]
    assert hull == pytest.approx([4, 4, 14, 10], abs=0.5)


@pytest.mark.parametrize("name", sorted(NOWHERE))
def test_a_box_that_does_not_parse_may_be_anywhere(name: str, tmp_path: Path) -> None:
    assert uncertain_after(name, tmp_path, NOWHERE[name])[0] is None


def test_yolo_s_box_that_does_not_parse_may_be_anywhere(tmp_path: Path) -> None:
    WRITERS["yolo"](tmp_path)
    label = next((tmp_path / "labels").rglob("*.txt"))
    label.write_text("1 x 0.5 0.1 0.1\n", encoding="utf-8")
    scenes = axis.load("samrs.datasets", "yolo", "read").read_scenes(tmp_path, Quarantine())
    assert [o for scene in scenes for _, o in scene.uncertain] == [None]
