"""Any detection or segmentation set in COCO's format: how users bring their own.

Format: cocodataset.org/#format-data. Layout read: one JSON file (``annotations.json``, else
``annotations/*.json``, else ``*.json``) and the images anywhere below the folder, found by
``file_name`` or by its last part. Several JSON files are splits: train, val or test by the word in
their name, else the name itself; the split is put before the scene's id then.

A raw file::

    {"categories": [{"id": 1, "name": "airplane"}],
     "images": [{"id": 88, "file_name": "089.jpg", "height": 706, "width": 1082}],
     "annotations": [{"id": 746, "image_id": 88, "category_id": 1, "iscrowd": 0,
                      "bbox": [488.0, 275.0, 77.0, 82.0],
                      "segmentation": [[535, 275, 546, 281, 552, 287]]}]}

``bbox`` is x, y, width, height. ``segmentation`` may be absent, polygons, or run lengths; where it
is there it is the true mask. Categories are numbered in the order of their ids. Images without
annotations stay, as negatives; ``iscrowd`` makes an instance difficult. Annotations are numbered by
their place in the file, per image.
"""

from __future__ import annotations

import json
import reprlib
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.core.rle import Rle, polygons_to_rle, rle_area, run_lengths
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    missing_dataset,
    number,
    read_items,
    read_text,
    relative_name,
)

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_LAYOUT = "annotations.json (COCO's format) with the images of its file_name entries"
_LARGEST_SIDE = 65_535
"""Largest width, height or place of a segmentation's point, px."""
_KEYS = ("images", "annotations", "categories")


@dataclass(frozen=True)
class _File:
    """One COCO file: where it is, its split, what it holds."""

    name: str
    split: str
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: dict[int, str]


def categories(root: Path) -> tuple[str, ...]:
    """Names of all categories in the order of their ids.

    Raises:
        MissingInputError: there is no COCO file below ``root``.
        AnnotationError: a file is no COCO file, or two ids or names clash.
    """
    names: dict[int, str] = {}
    for file in _read_files(root):
        for category_id, name in file.categories.items():
            if names.setdefault(category_id, name) != name:
                raise AnnotationError(
                    f"{file.name}:1: category id {category_id} has two names, got {name!r} beside "
                    f"{names[category_id]!r}; one name an id is allowed; correct the files"
                )
    if len(set(names.values())) != len(names):
        raise AnnotationError(
            f"{root}: two categories share a name, got {sorted(names.values())}; distinct names "
            "are allowed; correct the file"
        )
    return tuple(names[category_id] for category_id in sorted(names))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad entries are quarantined.

    Raises:
        MissingInputError: there is no COCO file below ``root``.
        AnnotationError: a file is no COCO file.
    """
    files = _read_files(root)
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    by_name = {_composed(relative_name(p, root)): p for p in paths}
    by_last: dict[str, list[Path]] = {}
    for path in paths:
        by_last.setdefault(_composed(path.name), []).append(path)
    scenes: list[tuple[str, _File, int, dict[str, Any], Path]] = []
    for file in files:
        ids: set[int | str | None] = set()
        for position, image in enumerate(file.images, start=1):
            image_id = _id(image, "id")
            if image_id is not None and image_id in ids:
                told = f"id {image_id!r} for a second time, its annotations are those of the first"
                _add(quarantine, file, position, "image id used twice", told)
                continue
            ids.add(image_id)
            name = _id(image, "file_name")
            if not isinstance(name, str):
                got = reprlib.repr(image)
                _add(quarantine, file, position, "annotation without image", f"no file_name: {got}")
                continue
            name = _composed(name)
            exact = by_name.get(name) or by_name.get(f"images/{name}")
            found = [exact] if exact else by_last.get(_last(name), [])
            if len(found) != 1:
                told = f"{len(found) or 'no'} files {name!r}"
                _add(quarantine, file, position, "annotation without image", told)
                continue
            stem = clean_id(name.rsplit(".", 1)[0])
            scene_id = f"{file.split}_{stem}" if len(files) > 1 else stem
            scenes.append((scene_id, file, position, image, found[0]))
    listed = {scene[4] for scene in scenes}
    for path in paths:
        if path not in listed:
            where = relative_name(path, root)
            quarantine.add(
                where,
                None,
                "image without annotation",
                f"{where}: not in the COCO file; every image is listed, be it without boxes; "
                "list it or remove it",
            )
    found_ids: dict[str, set[Any]] = {file.name: set() for file in files}
    for _, file, _, image, _ in scenes:
        found_ids[file.name].add(_id(image, "id"))
    grouped = {file.name: _by_image(file, found_ids[file.name], quarantine) for file in files}
    for scene_id, file, _, image, path in sorted(scenes, key=lambda scene: (scene[0], scene[2])):
        items = grouped[file.name].get(_id(image, "id"), [])
        parse = partial(_parse, file, image)
        annotations = tuple(read_items(items, parse, file.name, quarantine))
        declared = (image.get("width"), image.get("height"))
        size_wh = declared if all(map(_is_side, declared)) else None
        yield SceneRecord(scene_id, file.split, path, annotations, declared_wh=size_wh)


def _composed(name: str) -> str:
    """A name in Unicode's composed form: some systems write é as one letter, some as two."""
    return unicodedata.normalize("NFC", name)


def _last(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _beside(root: Path) -> list[Path]:
    """JSON files of the folder itself, but for the one that ``download`` writes."""
    return sorted(path for path in root.glob("*.json") if path.name != "manifest.json")


def _read_files(root: Path) -> list[_File]:
    places = [root / "annotations.json"] if (root / "annotations.json").is_file() else []
    places = places or sorted((root / "annotations").glob("*.json")) or _beside(root)
    if not places:
        raise missing_dataset(root, "coco", _LAYOUT)
    return [_read_file(path, root, alone=len(places) == 1) for path in places]


def _read_file(path: Path, root: Path, *, alone: bool) -> _File:
    where = relative_name(path, root)
    try:
        data = json.loads(read_text(path, where))
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        line = getattr(error, "lineno", 1)
        raise AnnotationError(
            f"{where}:{line}: not JSON, got {getattr(error, 'msg', error)}; a COCO file is "
            "allowed; correct the file"
        ) from error
    if not isinstance(data, Mapping) or any(not isinstance(data.get(k), list) for k in _KEYS):
        got = sorted(data) if isinstance(data, Mapping) else type(data).__name__
        raise AnnotationError(
            f"{where}:1: not a COCO file, got {got}; lists {', '.join(_KEYS)} are needed; "
            "correct the file or move it away"
        )
    words = [word for word in ("train", "val", "test") if word in path.stem]
    split = "all" if alone else (words[0] if words else clean_id(path.stem))
    names = _category_names(data["categories"], where)
    return _File(where, split, data["images"], data["annotations"], names)


def _category_names(entries: list[Any], where: str) -> dict[int, str]:
    names: dict[int, str] = {}
    for position, entry in enumerate(entries, start=1):
        is_map = isinstance(entry, Mapping)
        number, name = (entry.get("id"), entry.get("name")) if is_map else (None, None)
        if not isinstance(number, int) or not isinstance(name, str) or number in names:
            raise AnnotationError(
                f"{where}:category {position}: does not parse, got {reprlib.repr(entry)}; a name "
                "and a whole number as id, each id once, are allowed; correct the file"
            )
        names[number] = name
    return names


def _by_image(
    file: _File, ids: Set[Any], quarantine: Quarantine
) -> dict[Any, list[tuple[int, dict[str, Any]]]]:
    """(number in the file from 1, annotation) by image id; those of no image are quarantined.

    Args:
        ids: of the images that were found.
    """
    grouped: dict[Any, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for position, annotation in enumerate(file.annotations, start=1):
        image_id = _id(annotation, "image_id")
        if image_id is not None and image_id in ids:
            grouped[image_id].append((position, annotation))
        else:
            detail = f"image_id {image_id!r}, which no image that was found has"
            _add(quarantine, file, position, "annotation without image", detail)
    return grouped


def _id(entry: Any, key: str) -> int | str | None:
    """An entry's number or name; None where it has none."""
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, int | str) else None


def _add(quarantine: Quarantine, file: _File, position: int, reason: str, got: str) -> None:
    quarantine.add(
        file.name,
        position,
        reason,
        f"{file.name}:{position}: {reason}, got {got}; each entry has its image; correct the file",
    )


def _parse(
    file: _File, image: Mapping[str, Any], ordinal: int, position: int, entry: dict[str, Any]
) -> Annotation:
    where = f"{file.name}:annotation {position}"
    box = entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise AnnotationError(
            f"{where}: bbox does not parse, got {reprlib.repr(box)}; [x, y, width, height] is "
            "allowed; correct the entry"
        )
    number_of = _id(entry, "category_id")
    category = file.categories.get(number_of) if isinstance(number_of, int) else None
    if category is None:
        raise UnknownNameError(
            f"{where}: unknown class, got category_id {reprlib.repr(entry.get('category_id'))}; "
            "allowed are "
            f"{sorted(file.categories)}; correct the entry"
        )
    x, y, w, h = (number(str(v), where) for v in box)
    hbb = np.array([x, y, x + w, y + h])
    truth = _truth(entry.get("segmentation"), image, where)
    difficult = bool(entry.get("iscrowd", 0)) or bool(entry.get("difficult", 0))
    return Annotation(category, hbb, None, file.name, ordinal, position, difficult, truth)


def _truth(segmentation: Any, image: Mapping[str, Any], where: str) -> Rle | None:
    """The true mask of an entry; None where it has none or paints no px.

    Raises:
        AnnotationError: it is neither polygons nor run lengths of the image's size.
    """
    if not segmentation:
        return None
    height: Any = image.get("height")
    width: Any = image.get("width")
    if not (_is_side(height) and _is_side(width)):
        raise AnnotationError(
            f"{where}: image size unknown, got height {reprlib.repr(height)} and width "
            f"{reprlib.repr(width)}; whole numbers from 1 to {_LARGEST_SIDE} are needed to paint a "
            "segmentation; correct the images entry"
        )
    try:
        if isinstance(segmentation, Mapping):
            rle = _run_lengths(segmentation, height, width)
        else:
            points = [np.array(p, dtype=np.float64).reshape(-1, 2) for p in segmentation]
            if any(len(p) < 3 for p in points):
                raise ValueError("a polygon of fewer than three points")
            if any(not (np.abs(p) <= _LARGEST_SIDE).all() for p in points):
                raise ValueError("a point far outside any image")
            rle = polygons_to_rle(points, (height, width))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise AnnotationError(
            f"{where}: segmentation does not parse, got {error}; polygons [x1, y1, ...] or run "
            f"lengths of {height} x {width} px are allowed; correct the entry"
        ) from error
    return rle if rle_area(rle) > 0 else None


def _is_side(value: Any) -> bool:
    return isinstance(value, int) and 0 < value <= _LARGEST_SIDE


def _run_lengths(segmentation: Mapping[str, Any], height: int, width: int) -> Rle:
    size, counts = [int(v) for v in segmentation["size"]], segmentation["counts"]
    if size != [height, width]:
        raise ValueError(f"run lengths of {reprlib.repr(size)} px")
    if isinstance(counts, str):
        rle: Rle = {"size": size, "counts": counts}
        runs = run_lengths(rle) if counts else np.zeros(0, np.int64)
    else:
        runs = np.array(counts, dtype=np.int64).reshape(-1)
    if (runs < 0).any() or runs.sum() != height * width:  # pycocotools would write beyond the mask
        raise ValueError(f"run lengths that add up to {runs.sum()} px")
    if isinstance(counts, str):
        return rle
    packed = coco_mask.frPyObjects({"size": size, "counts": runs.tolist()}, height, width)
    return {"size": size, "counts": packed["counts"].decode("ascii")}
