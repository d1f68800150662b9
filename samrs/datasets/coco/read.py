"""Any detection or segmentation set in COCO's format: how users bring their own.

Format: cocodataset.org/#format-data. Layout read: one JSON file (``annotations.json``, else
``annotations/*.json``, else ``*.json``, else those of the folders below, as Roboflow writes them)
and the images anywhere below the folder, found by ``file_name``: below the folder, ``images/`` or
the file's own folder, else by the end of its path. Several JSON files are splits, by the word in
their name or folder (``reading/splits.py``), else the name itself; the split is put before the
scene's id then. Beside ``instances_*.json`` the files of other tasks are not read.

A raw file::

    {"categories": [{"id": 1, "name": "airplane"}],
     "images": [{"id": 88, "file_name": "089.jpg", "height": 706, "width": 1082}],
     "annotations": [{"id": 746, "image_id": 88, "category_id": 1, "iscrowd": 0,
                      "bbox": [488.0, 275.0, 77.0, 82.0],
                      "segmentation": [[535, 275, 546, 281, 552, 287]]}]}

``bbox`` is x, y, width, height. ``segmentation`` may be absent, polygons, or run lengths; where it
is there it is the true mask, and where it does not parse the box stays without. Category ids are
those of their file; categories are numbered in their order. Images without annotations stay, as
negatives; ``iscrowd`` makes an instance difficult. Annotations are numbered by their place in the
file, per image.
"""

from __future__ import annotations

import logging
import re
import reprlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    Place,
    missing_dataset,
    number,
    placed,
    read_items,
    relative_name,
    says_yes,
    taken,
)
from samrs.reading.files import files_below
from samrs.reading.image_names import Images
from samrs.reading.json_file import declared_size, read_lists
from samrs.reading.scene_image import size_of
from samrs.reading.segmentation import true_mask
from samrs.reading.splits import split_of, split_of_folders

log = logging.getLogger("samrs")

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_LAYOUT = "annotations.json (COCO's format) with the images of its file_name entries"
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")
_KEYS = ("images", "annotations", "categories")
_OTHER_TASKS = ("image_info", "stuff", "person_keypoints", "captions", "panoptic", "labels")
"""Beginnings of the files that a set has beside its ``instances_*.json``, of the same images."""


@dataclass(frozen=True, kw_only=True)
class _File:
    """One COCO file: where it is, its split (None: its name says none), what it holds."""

    path: Path
    name: str
    split: str | None
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: dict[int, str]


@dataclass(frozen=True, kw_only=True)
class _Scene:
    """An image that was found, and its entry."""

    scene_id: str
    split: str
    file: _File
    position: int
    entry: dict[str, Any]
    path: Path


def categories(root: Path) -> tuple[str, ...]:
    """Names of all categories in the order of their ids, which each file has for itself.

    Raises:
        MissingInputError: there is no COCO file below ``root``.
        AnnotationError: a file is no COCO file.
    """
    first: dict[str, int] = {}
    for file in _read_files(root):
        for category_id, name in file.categories.items():
            first[name] = min(category_id, first.get(name, category_id))
    return tuple(sorted(first, key=lambda name: (first[name], name)))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad entries are quarantined.

    Raises:
        MissingInputError: there is no COCO file below ``root``.
        AnnotationError: a file is no COCO file.
    """
    files = _read_files(root)
    paths = files_below(root, IMAGE_SUFFIXES)
    scenes = _find_images(files, paths, root, quarantine)
    listed = {scene.path for scene in scenes}
    for path in paths:
        if path not in listed:
            quarantine.tell(
                relative_name(path, root),
                "image without annotation",
                "no COCO file lists it, got none with its name; every image is listed, be it "
                "without boxes; list it or remove it",
            )
    ids: dict[str, set[Any]] = {file.name: set() for file in files}
    for scene in scenes:
        ids[scene.file.name].add(_id(scene.entry, "id"))
    grouped = {file.name: _by_image(file, ids[file.name], quarantine) for file in files}
    for scene in sorted(scenes, key=lambda scene: (scene.scene_id, scene.position)):
        items = grouped[scene.file.name].pop(_id(scene.entry, "id"), [])
        parse = partial(_parse, scene, quarantine)
        annotations = read_items(taken(items), parse, scene.file.name, quarantine, "annotation")
        declared = declared_size(scene.entry)
        yield SceneRecord(
            scene_id=scene.scene_id,
            split=scene.split,
            image=scene.path,
            annotations=tuple(annotations),
            declared_wh=declared,
            uncertain=annotations.uncertain,
        )


def _find_images(
    files: Sequence[_File], paths: Sequence[Path], root: Path, quarantine: Quarantine
) -> list[_Scene]:
    """The entries whose image is there; the others are quarantined."""
    images = Images(paths, root)
    found: list[tuple[_File, int, dict[str, Any], str, Path]] = []
    split_by_path: dict[Path, _File] = {}
    for file in files:
        ids: set[int | str | None] = set()
        for position, entry in enumerate(file.images, start=1):
            image_id = _id(entry, "id")
            if image_id is not None and image_id in ids:
                told = f"id {image_id!r} for a second time, its annotations are those of the first"
                _add(quarantine, file, position, "image id used twice", told)
                continue
            ids.add(image_id)
            name = _id(entry, "file_name")
            if not isinstance(name, str):
                got = reprlib.repr(entry)
                _add(quarantine, file, position, "annotation without image", f"no file_name: {got}")
                continue
            fitting = images.named(name, file.name, file.split)
            if len(fitting) != 1:
                told = f"{len(fitting) or 'no'} files {name!r}"
                _add(quarantine, file, position, "annotation without image", told)
                continue
            path = fitting[0]
            other = split_by_path.setdefault(path, file)
            if other.split != file.split:
                told = f"{name!r}, which {other.name} lists for the split {other.split}"
                _add(quarantine, file, position, "image in two splits", told)
                continue
            found.append((file, position, entry, images.stem(name, path), path))
    folders = {split_of_folders(relative_name(path, root)) for *_, path in found}
    scenes = []
    for file, position, entry, stem, path in found:
        split = file.split
        if split is None and len(files) == 1 and None not in folders:
            split = split_of_folders(relative_name(path, root))
        if split is None:
            split = "all" if len(files) == 1 else clean_id(file.path.stem)
        scene_id = f"{split}_{stem}" if len(files) > 1 else stem
        scenes.append(
            _Scene(
                scene_id=scene_id, split=split, file=file, position=position, entry=entry, path=path
            )
        )
    return scenes


def _places(root: Path) -> list[Path]:
    """The COCO files: of the folder, else of ``annotations/``, else of the splits' folders."""
    if (root / "annotations.json").is_file():
        return [root / "annotations.json"]
    # the folder's own but for the one that ``download`` writes
    beside = [p for p in files_below(root, (".json",)) if p.name != "manifest.json"]
    folders = (root / "annotations", root)
    for folder in folders:
        if found := [p for p in beside if p.parent == folder]:
            break
    else:
        found = [p for p in beside if p.parent.parent == root]
    instances = [p for p in found if p.stem.startswith("instances")]
    left_out = [p for p in found if instances and p.stem.startswith(_OTHER_TASKS)]
    for path in left_out:
        log.info("coco: %s is not read, instances stand beside it", relative_name(path, root))
    found = [p for p in found if p not in left_out]
    both = [p for p in found if "trainval" in p.stem.lower()]
    parts = {split_of(p.stem) for p in found if p not in both} & {"train", "val"}
    for path in both if parts else []:
        log.info("coco: %s is not read, its parts stand beside it", relative_name(path, root))
    return [p for p in found if not (parts and p in both)]


def _read_files(root: Path) -> list[_File]:
    places = _places(root) if root.is_dir() else []
    if not places:
        raise missing_dataset(root, "coco", _LAYOUT)
    return [_read_file(path, root) for path in places]


def _read_file(path: Path, root: Path) -> _File:
    where = relative_name(path, root)
    data = read_lists(path, where, "a COCO file", _KEYS)
    split = split_of(path.stem) or split_of_folders(relative_name(path, root))
    used = {_id(annotation, "category_id") for annotation in data["annotations"]}
    names = _category_names(data["categories"], used, where)
    return _File(
        path=path,
        name=where,
        split=split,
        images=data["images"],
        annotations=data["annotations"],
        categories=names,
    )


def _category_names(entries: list[Any], used: Set[Any], where: str) -> dict[int, str]:
    """Names by id. One that nothing has, and that is but the group of others, is none of them."""
    names: dict[int, str] = {}
    groups = {e.get("supercategory") for e in entries if isinstance(e, Mapping)} - {None, ""}
    for position, entry in enumerate(entries, start=1):
        found, name = _id(entry, "id"), entry.get("name") if isinstance(entry, Mapping) else None
        if isinstance(name, int | float) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(found, int) or not isinstance(name, str) or found in names:
            raise AnnotationError(
                f"{where}:category {position}: does not parse, got {reprlib.repr(entry)}; a name "
                "and a whole number as id, each id once, are allowed; correct the file"
            )
        if found in used or name not in groups:
            names[found] = name
    clashing = sorted({n for n in names.values() if list(names.values()).count(n) > 1})
    if clashing:
        raise AnnotationError(
            f"{where}: two categories share a name, got {clashing}; distinct names are allowed; "
            "correct the file"
        )
    return names


def _by_image(
    file: _File, ids: Set[Any], quarantine: Quarantine
) -> dict[Any, list[tuple[int, dict[str, Any]]]]:
    """(number in the file from 1, annotation) by image id; those of no image are quarantined.

    The file's own list is empty afterwards, so that an entry goes when its annotation is made.

    Args:
        ids: of the images that were found.
    """
    grouped: dict[Any, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for position, annotation in enumerate(taken(file.annotations), start=1):
        image_id = _id(annotation, "image_id")
        if image_id is not None and image_id in ids:
            grouped[image_id].append((position, annotation))
        else:
            detail = f"image_id {image_id!r}, which no image that was found has"
            _add(quarantine, file, position, "annotation without image", detail)
    return grouped


def _id(entry: Any, key: str) -> int | str | None:
    """An entry's number or name; None where it has none. Some tools write 1 as 1.0 or "1"."""
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if key != "file_name" and isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value)
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _add(quarantine: Quarantine, file: _File, position: int, reason: str, got: str) -> None:
    quarantine.tell(
        file.name,
        reason,
        f"{reason}, got {got}; each entry has its image; correct the file",
        position,
    )


def _parse(scene: _Scene, quarantine: Quarantine, at: Place, entry: dict[str, Any]) -> Annotation:
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise AnnotationError(
            f"{at.where}: bbox does not parse, got {reprlib.repr(box)}; [x, y, width, height] is "
            "allowed; correct the entry"
        )
    x, y, w, h = (number(str(v), at.where) for v in box)
    hbb = np.array([x, y, x + w, y + h])
    number_of, names = _id(entry, "category_id"), scene.file.categories
    category = names.get(number_of) if isinstance(number_of, int) else None
    if category is None:
        with placed(hbb):
            raise UnknownNameError(
                f"{at.where}: unknown class, got category_id "
                f"{reprlib.repr(entry.get('category_id'))}; allowed are {sorted(names)}; correct "
                "the entry"
            )
    segmentation = entry.get("segmentation")
    size_wh = (declared_size(scene.entry) or size_of(scene.path)) if segmentation else None
    truth = true_mask(segmentation, size_wh, at, quarantine)
    difficult = says_yes(entry.get("iscrowd")) or says_yes(entry.get("difficult"))
    return at.annotation(category, hbb, difficult=difficult, truth=truth)
