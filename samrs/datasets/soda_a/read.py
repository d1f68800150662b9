"""SODA-A: 2,513 Google Earth images with 872,069 rotated boxes of small objects, 9 classes.

Source: Cheng et al., TPAMI 2023 (arXiv 2207.14096), shaunyuan22.github.io/SODA; academic use. About
4,800 x 2,700 px an image; train, val and test have annotations. Any set in its form is read, with
the classes its files name: one JSON file an image, each object a polygon as DOTA's lines have them.

Layout read: files and images of one name, in any folders; the split is the word in theirs::

    Images/00001.jpg             or Images/train/, train/Images/
    Annotations/train/00001.json or train/Annotations/

A raw file::

    {"images": {"file_name": "00001.jpg", "height": 2710, "width": 4775, "id": 1},
     "annotations": [{"poly": [204, 35, 214, 35, 214, 41, 204, 41], "area": 60.0,
                      "category_id": 0, "image_id": 1, "id": 0}],
     "categories": [{"id": 0, "name": "airplane"}, {"id": 9, "name": "ignore"}]}

Eight numbers are the corners of a rotated box, px. Objects of more corners, which the publisher's
loader leaves out of the evaluation, are horizontal boxes here: their hulls. ``ignore`` (9) are
regions, no objects: they are left out and listed once a file. Patches cut by the publisher's tool
(``cat_id``, ``width`` beside it) are read, too, but not ``divData`` beside ``rawData``: the objects
would be there twice; nor ``AnnsWithIgnore`` beside ``Annotations``. Where files name no classes,
SODA-A's nine are meant.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.geometry import clockwise, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    IgnoredRegionError,
    Place,
    files_by_stem,
    missing_dataset,
    number,
    pair_files,
    placed,
    read_items,
    relative_name,
    says_yes,
    set_image_aside,
)
from samrs.reading.files import files_below
from samrs.reading.json_file import declared_size, read_lists, whole_number
from samrs.reading.splits import split_of_folders

SODA_A = (
    "airplane",
    "helicopter",
    "small-vehicle",
    "large-vehicle",
    "ship",
    "container",
    "storage-tank",
    "swimming-pool",
    "windmill",
)
CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_IGNORE = "ignore"
_LAYOUT = "Images/*.jpg with Annotations/*.json of the same names"


def categories(root: Path) -> tuple[str, ...]:
    """Names of all classes in the order of their ids; files that do not parse bring none.

    Raises:
        MissingInputError: there is no such set below ``root``.
    """
    first: dict[str, int] = {}
    for path in _files(root)[1].values():
        try:
            names = _names(_read(path, relative_name(path, root)), relative_name(path, root))
        except AnnotationError:
            continue  # quarantined by read_scenes
        for category_id, name in names.items():
            if name != _IGNORE:
                first[name] = min(category_id, first.get(name, category_id))
    return tuple(sorted(first, key=lambda name: (first[name], name)))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Raises:
        MissingInputError: there is no such set below ``root``.
    """
    images, labels = _files(root)
    for stem in sorted(pair_files(images, labels, root, quarantine), key=clean_id):
        where = relative_name(labels[stem], root)
        try:
            data = _read(labels[stem], where)
            names = _names(data, where)
        except AnnotationError as error:
            set_image_aside(images[stem], labels[stem], root, error, quarantine)
            continue
        items = enumerate(data["annotations"], start=1)
        found = read_items(items, partial(_parse, names), where, quarantine, "annotation")
        split = split_of_folders(where) or split_of_folders(relative_name(images[stem], root))
        yield SceneRecord(
            scene_id=clean_id(stem),
            split=split or "all",
            image=images[stem],
            annotations=tuple(found),
            uncertain=found.uncertain,
            declared_wh=_declared(data),
        )


def _files(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and annotation files by their names without suffix."""
    folders = {path.parent for path in files_below(root, (".json",))} if root.is_dir() else set()
    names = {part for folder in folders for part in folder.relative_to(root).parts}
    twice = {"rawData": "divData", "Annotations": "AnnsWithIgnore"}
    apart = {other for name, other in twice.items() if name in names}
    images = files_by_stem(root, IMAGE_SUFFIXES, apart)
    labels = files_by_stem(root, (".json",), apart)
    labels = {stem: path for stem, path in labels.items() if path != root / "manifest.json"}
    if not images or not labels:
        raise missing_dataset(root, "soda_a", _LAYOUT)
    return images, labels


def _read(path: Path, where: str) -> dict[str, Any]:
    return read_lists(path, where, "a file of one image's annotations", ["annotations"])


def _names(data: Mapping[str, Any], where: str) -> dict[int, str]:
    """Names of classes by id."""
    entries = data.get("categories")
    if not entries:
        return {**dict(enumerate(SODA_A)), len(SODA_A): _IGNORE}
    names: dict[int, str] = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        found = whole_number(entry, "id")
        name = entry.get("name") if isinstance(entry, dict) else None
        if found is None or not isinstance(name, str) or not name.strip() or found in names:
            raise AnnotationError(
                f"{where}:1: a category does not parse, got {reprlib.repr(entry)}; a name and a "
                "whole number as id, each id once, are allowed; correct the file"
            )
        names[found] = name.strip()
    return names


def _declared(data: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height that a file says of its image; None where it says none."""
    entry = data.get("images", data)
    return declared_size(entry[0] if isinstance(entry, list) and len(entry) == 1 else entry)


def _parse(names: Mapping[int, str], at: Place, entry: Any) -> Annotation:
    poly = entry.get("poly") if isinstance(entry, dict) else None
    if not isinstance(poly, list) or len(poly) < 8 or len(poly) % 2:
        raise AnnotationError(
            f"{at.where}: poly does not parse, got {reprlib.repr(poly)}; [x1, y1, ..., x4, y4] is "
            "allowed; correct the entry"
        )
    points = clockwise(np.reshape([number(str(v), at.where) for v in poly], (-1, 2)))
    key = "category_id" if "category_id" in entry else "cat_id"
    found = whole_number(entry, key)
    category = None if found is None else names.get(found)
    if category is None:
        with placed(points):
            raise UnknownNameError(
                f"{at.where}: unknown class, got {key} {reprlib.repr(entry.get(key))}; allowed are "
                f"{sorted(names)}; correct the entry"
            )
    if category == _IGNORE:
        raise IgnoredRegionError(points)
    obb = points if len(points) == 4 else None
    difficult = says_yes(entry.get("difficult"))
    return at.annotation(category, polygon_to_hbb(points), obb, difficult=difficult)
