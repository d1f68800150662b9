"""Any detection set in Ultralytics' YOLO format, boxes or rotated boxes: how users bring their own.

Format: docs.ultralytics.com/datasets/detect and /datasets/obb. Layout read::

    data.yaml                    any *.yaml with ``names``; or classes.txt, a name a line
    images/train/a.jpg           or images/a.jpg without splits
    labels/train/a.txt           the same path with labels/; none: an image without objects

or, as Roboflow exports it, the splits first::

    train/images/a.jpg           any folders with images/; "valid" is the split val
    train/labels/a.txt

A raw file, a box and a rotated box::

    7 0.225 0.233 0.25 0.2
    3 0.1 0.133 0.35 0.133 0.35 0.333 0.1 0.333

Class number, then centre, width and height, or the four corners; all of them shares of the image's
width and height. Corners may lie a little outside the image. Splits are the folders below
``images/``, or those that hold one; where there are several, they are put before the scene's id.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from samrs.core.errors import AnnotationError, ImageError, UnknownNameError
from samrs.core.geometry import clockwise, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    missing_dataset,
    number,
    read_items,
    read_text,
    relative_name,
    set_image_aside,
)
from samrs.reading.scene_image import open_scene

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_LAYOUT = "data.yaml or classes.txt, images/ and labels/*.txt"
_BOX, _CORNERS = 5, 9
_FARTHEST = 2.0
"""Largest share, either sign: rotated boxes leave the image, px written by mistake go beyond."""


def categories(root: Path) -> tuple[str, ...]:
    """Names of the classes by their number.

    Raises:
        MissingInputError: there is no YOLO set below ``root``.
        AnnotationError: the file of names does not parse, or two classes share a name.
    """
    files = sorted(root.glob("*.yaml")) + sorted(root.glob("*.yml"))
    listed = root / "classes.txt"
    if not _bases(root) or not (files or listed.is_file()):
        raise missing_dataset(root, "yolo", _LAYOUT)
    where = relative_name(files[0] if files else listed, root)
    if files:
        names = _yaml_names(read_text(files[0], where), where)
    else:
        lines = read_text(listed, where).split("\n")
        names = [line.strip() for line in lines if line.strip()]
    if len(set(names)) != len(names):
        raise AnnotationError(
            f"{where}:1: two classes share a name, got {names}; distinct names are allowed; "
            "correct the file"
        )
    return tuple(names)


def _yaml_names(text: str, where: str) -> list[str]:
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise AnnotationError(
            f"{where}:{line}: not YAML, got {str(error)[:200]}; a YAML file with names is allowed; "
            "correct the file"
        ) from error
    names = value.get("names") if isinstance(value, dict) else None
    if isinstance(names, dict) and set(names) == set(range(len(names))):
        names = [names[i] for i in range(len(names))]
    # scalars only: nested aliases may be a text of any length
    fits = isinstance(names, list) and all(isinstance(n, str | int | float) for n in names)
    if not fits or not names:
        raise AnnotationError(
            f"{where}:1: no class names, got names: {reprlib.repr(names)}; a list, or a map from "
            "0 on, is allowed; correct the file"
        )
    return [str(name) for name in names]


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and lines are quarantined.

    Raises:
        MissingInputError: there is no YOLO set below ``root``.
        AnnotationError: the file of names does not parse.
    """
    names = categories(root)
    found: list[tuple[str, str, Path, Path]] = []
    labels: dict[Path, Path] = {}
    for base in _bases(root):
        paths = (p for p in (base / "images").rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
        for path in paths:
            below = path.relative_to(base / "images")
            split = _split((base.relative_to(root) / below.parent).as_posix())
            label = (base / "labels" / below).with_suffix(".txt")
            found.append((clean_id(path.stem), split, path, label))
        texts = (p for p in (base / "labels").rglob("*") if p.suffix.lower() == ".txt")
        labels.update({p.with_suffix(".txt"): p for p in texts if p.name != "classes.txt"})
    several = len({path.parent for _, _, path, _ in found}) > 1
    scenes = [(f"{f[1]}_{f[0]}" if several else f[0], *f[1:]) for f in found]
    for scene_id, split, path, label in sorted(scenes):
        annotations = []
        text = labels.pop(label, None)
        if text is not None:
            try:
                annotations = _read_labels(text, path, root, names, quarantine)
            except AnnotationError as error:
                set_image_aside(path, text, root, error, quarantine)
                continue
        yield SceneRecord(scene_id, split, path, tuple(annotations))
    for label in sorted(labels.values()):
        where = relative_name(label, root)
        quarantine.add(
            where,
            None,
            "annotation without image",
            f"{where}: no image of that name, got none in the folder images/ beside it; one is "
            "needed; add it or remove the file",
        )


def _bases(root: Path) -> list[Path]:
    """Folders that hold ``images/``: the set's own, else its splits'."""
    if (root / "images").is_dir():
        return [root]
    return sorted(p for p in root.iterdir() if (p / "images").is_dir()) if root.is_dir() else []


def _split(folder: str) -> str:
    return {".": "all", "valid": "val"}.get(folder) or clean_id(folder)


def _read_labels(
    label: Path, image: Path, root: Path, names: Sequence[str], quarantine: Quarantine
) -> list[Annotation]:
    where = relative_name(label, root)
    text = read_text(label, where)
    lines = [(i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip()]
    size_wh = _size(image)
    if size_wh is None:
        picture = relative_name(image, root)
        for line, _ in lines:
            quarantine.add(
                where,
                line,
                "annotation of a bad image",
                f"{where}:{line}: set aside with its image {picture}, whose size does not read; a "
                "good image is needed; correct it",
            )
        return []
    return read_items(lines, partial(_parse, where, size_wh, names), where, quarantine)


def _size(image: Path) -> tuple[int, int] | None:
    """Width and height of an image; None where it does not open."""
    try:
        with open_scene(image, image.name, stretch=0.0) as scene:
            return scene.size_wh
    except ImageError:
        return None


def _parse(
    source_file: str,
    size_wh: tuple[int, int],
    names: Sequence[str],
    ordinal: int,
    line: int,
    text: str,
) -> Annotation:
    where = f"{source_file}:{line}"
    fields = text.split()
    if len(fields) not in (_BOX, _CORNERS):
        raise AnnotationError(
            f"{where}: does not parse, got {len(fields)} fields; a class with 4 (box) or 8 "
            "numbers (corners) is allowed; correct the line"
        )
    values = np.array([number(field, where) for field in fields[1:]])
    if np.abs(values).max() > _FARTHEST:
        raise AnnotationError(
            f"{where}: not shares of the image, got {' '.join(fields[1:])}; numbers from 0 to 1 "
            "are allowed; divide by the image's width and height"
        )
    category = _category(fields[0], names, where)
    size = np.array(size_wh, np.float64)
    obb: Any = None
    if len(fields) == _BOX:
        centre, half = values[:2] * size, values[2:] * size / 2
        hbb = np.concatenate([centre - half, centre + half])
    else:
        obb = clockwise(values.reshape(4, 2) * size)
        hbb = polygon_to_hbb(obb)
    return Annotation(category, hbb, obb, source_file, ordinal, line)


def _category(text: str, names: Sequence[str], where: str) -> str:
    value = number(text, where)
    if value != int(value) or not 0 <= value < len(names):
        raise UnknownNameError(
            f"{where}: unknown class, got {text}; 0 to {len(names) - 1} are allowed; "
            "correct the line or the list of names"
        )
    return names[int(value)]
