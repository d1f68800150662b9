"""labelme's JSON, also as AnyLabeling and X-AnyLabeling write it: one file an image.

Format: github.com/wkentaro/labelme; shape type ``rotation`` and ``difficult``:
github.com/CVHub520/X-AnyLabeling. Layout read: images and JSON files in any folders; an image is
found by ``imagePath`` (seen from its file, else by the end of the path), else by its file's name.
Folders whose name is a split's make splits. A raw file::

    {"version": "5.5.0", "flags": {}, "shapes": [
      {"label": "ship", "points": [[4.0, 4.0], [14.0, 10.0]], "group_id": null,
       "shape_type": "rectangle", "flags": {}}],
     "imagePath": "../images/a.jpg", "imageData": null, "imageHeight": 30, "imageWidth": 40}

``rectangle`` is two opposite corners, or four, and is a box; ``rotation`` is the four corners of a
rotated box; ``polygon`` is a true mask, and its hull the box; ``mask`` is a true mask, a PNG of its
box, whose second corner is its last pixel. Shapes of one label and one ``group_id`` are parts of
one object, as labelme's own exporters take them. ``circle``, ``line``, ``linestrip``, ``point`` and
others are set aside. ``difficult`` may be a key of a shape or one of its flags. Shapes of the label
``__ignore__`` are left out and listed. ``imageData`` is not used: the image file is. An image
without a file was not annotated and is set aside; a file without shapes is an image without
objects. Categories are all labels of shapes that are read, sorted.
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array, clockwise, hbb_to_polygon, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.core.rle import Rle
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    IgnoredRegionError,
    Place,
    missing_dataset,
    number,
    read_items,
    relative_name,
    says_yes,
    set_aside,
    set_image_aside,
)
from samrs.reading.files import files_below
from samrs.reading.groups import join_groups
from samrs.reading.image_names import Images
from samrs.reading.json_file import declared_size, read_lists
from samrs.reading.scene_image import size_of
from samrs.reading.segmentation import mask_in_box, tell_bad_mask, true_mask
from samrs.reading.splits import split_of_folders

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_IGNORE = "__ignore__"
_LAYOUT = "JSON files with shapes, and the images of their imagePath entries"
_SHAPES = ("rectangle", "rotation", "polygon", "mask")


@dataclass(frozen=True)
class _File:
    """One annotation file, its relative name, its content and its image."""

    path: Path
    where: str
    data: Mapping[str, Any]
    image: Path

    @cached_property
    def declared_wh(self) -> tuple[int, int] | None:
        return declared_size(self.data, "imageWidth", "imageHeight")

    @cached_property
    def size_wh(self) -> tuple[int, int] | None:
        """That of the picture the shapes were drawn on."""
        return self.declared_wh or size_of(self.image)


def categories(root: Path) -> tuple[str, ...]:
    """Labels of all shapes that are read, sorted; files that do not parse bring none.

    Raises:
        MissingInputError: there is no labelme set below ``root``.
    """
    labels: set[str] = set()
    for path in _places(root):
        try:
            data = _read(path, relative_name(path, root))
        except AnnotationError:
            continue  # quarantined by read_scenes
        for shape in data["shapes"]:
            if isinstance(shape, dict) and _kind(shape) in _SHAPES:
                labels.add(_label(shape) or _IGNORE)
    return tuple(sorted(labels - {_IGNORE}))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and shapes are quarantined.

    Raises:
        MissingInputError: there is no labelme set below ``root``.
    """
    paths = files_below(root, IMAGE_SUFFIXES)
    files = _find_images(_places(root), paths, root, quarantine)
    for file in sorted(files, key=lambda file: (_scene_id(file.image, root), file.where)):
        parse = partial(_parse, file, quarantine)
        items = enumerate(file.data["shapes"], start=1)
        found = read_items(items, parse, file.where, quarantine, "shape")
        yield SceneRecord(
            scene_id=_scene_id(file.image, root),
            split=split_of_folders(relative_name(file.image, root)) or "all",
            image=file.image,
            annotations=tuple(join_groups(found)),
            uncertain=found.uncertain,
            declared_wh=file.declared_wh,
        )


def _places(root: Path) -> list[Path]:
    found = files_below(root, (".json",)) if root.is_dir() else []
    places = [path for path in found if path != root / "manifest.json"]  # that of ``download``
    if not places:
        raise missing_dataset(root, "labelme", _LAYOUT)
    return places


def _scene_id(image: Path, root: Path) -> str:
    return clean_id(relative_name(image, root).removeprefix("images/").rpartition(".")[0])


def _find_images(
    places: list[Path], paths: list[Path], root: Path, quarantine: Quarantine
) -> list[_File]:
    """The files whose image is there; the others, and images without a file, are quarantined."""
    images = Images(paths, root)
    found: list[_File] = []
    listed: set[Path] = set()
    for path in places:
        where = relative_name(path, root)
        try:
            data = _read(path, where)
        except AnnotationError as error:
            beside = images.beside(where)
            if len(beside) == 1:
                set_image_aside(beside[0], path, root, error, quarantine)
                listed.add(beside[0])
            else:
                set_aside(where, None, error, quarantine)
            continue
        told = data.get("imagePath")
        fitting = images.named(told, where) if isinstance(told, str) else []
        if len(fitting) != 1:
            fitting = images.beside(where)
        if len(fitting) == 1:
            found.append(_File(path, where, data, fitting[0]))
            listed.add(fitting[0])
            continue
        quarantine.tell(
            where,
            "annotation without image",
            f"annotation without image, got imagePath {reprlib.repr(told)}, which "
            f"{len(fitting) or 'no'} images are; the name of one image is allowed; add it or "
            "remove the file",
        )
    for image in sorted(set(paths) - listed):
        quarantine.tell(
            relative_name(image, root),
            "image without annotation",
            "no file is of it, got none with its name; labelme writes one for each image that was "
            "looked at; save it there or remove the image",
        )
    return found


def _read(path: Path, where: str) -> dict[str, Any]:
    return read_lists(path, where, "a file of labelme's", ["shapes"])


def _kind(shape: Mapping[str, Any]) -> str:
    return str(shape.get("shape_type") or "polygon")  # as labelme reads files before 4.0


def _label(shape: Mapping[str, Any]) -> str:
    label = shape.get("label")
    known = isinstance(label, str | int | float) and not isinstance(label, bool)
    return str(label).strip() if known else ""


def _parse(
    file: _File, quarantine: Quarantine, at: Place, shape: Any
) -> tuple[Annotation, str | None]:
    """A shape and its group."""
    where = at.where
    if not isinstance(shape, dict) or not _label(shape):
        raise AnnotationError(
            f"{where}: a shape without label, got {reprlib.repr(shape)}; an object with a label is "
            "allowed; correct the file"
        )
    kind = _kind(shape)
    if _label(shape) == _IGNORE:
        raise IgnoredRegionError(_region(shape, kind, where))
    if kind not in _SHAPES:
        raise AnnotationError(
            f"{where}: a shape that is no box, got {kind[:100]}; {', '.join(_SHAPES)} are allowed; "
            "draw one of these"
        )
    points = _points(shape.get("points"), kind, where)
    hbb, truth = polygon_to_hbb(points), None
    if kind == "polygon":
        truth = true_mask([points.ravel().tolist()], file.size_wh, at, quarantine)
    if kind == "mask":
        hbb[2:] += 1  # the second corner is the last px
        truth = _mask(shape.get("mask"), hbb, file.size_wh, at, quarantine)
    flags = shape.get("flags")
    marks = (shape, flags if isinstance(flags, dict) else {})
    obb = clockwise(points) if kind == "rotation" else None
    difficult = any(says_yes(mark.get("difficult")) for mark in marks)
    annotation = at.annotation(_label(shape), hbb, obb, difficult=difficult, truth=truth)
    group = shape.get("group_id")
    return annotation, None if group is None else reprlib.repr(group)


def _region(shape: Mapping[str, Any], kind: str, where: str) -> Array:
    """Corners (K, 2) xy of an ignored region; those of a circle's hull.

    Raises:
        AnnotationError: it has none.
    """
    if kind == "circle":  # its centre and a point of its edge
        told = shape.get("points")
        (x, y), edge = _points(told, "rectangle", where)[:2].tolist()
        radius = math.hypot(edge[0] - x, edge[1] - y)
        return hbb_to_polygon([x - radius, y - radius, x + radius, y + radius])
    points = _points(shape.get("points"), kind if kind in _SHAPES else "polygon", where)
    return hbb_to_polygon(polygon_to_hbb(points)) if len(points) == 2 else points


def _points(told: Any, kind: str, where: str) -> Array:
    """Points (N, 2) xy of a shape, as many as its kind has."""
    fits = {"rectangle": (2, 4), "mask": (2,), "rotation": (4,)}.get(kind)
    pairs = told if isinstance(told, list) else []
    good = all(isinstance(pair, list) and len(pair) == 2 for pair in pairs)
    if not good or not (len(pairs) in fits if fits else len(pairs) >= 3):
        wanted = " or ".join(map(str, fits)) if fits else "three and more"
        raise AnnotationError(
            f"{where}: points of a {kind} do not parse, got {reprlib.repr(told)}; {wanted} points "
            "[x, y] are allowed; correct the shape"
        )
    return np.array([[number(str(v), where) for v in pair] for pair in pairs])


def _mask(
    text: Any,
    hbb: Array,
    size_wh: tuple[int, int] | None,
    at: Place,
    quarantine: Quarantine,
) -> Rle | None:
    """The true mask out of a PNG of its box, as base64 text."""
    try:
        data = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if size_wh is None or picture.width > size_wh[0] or picture.height > size_wh[1]:
                raise ValueError(f"a mask of {picture.size} px in an image of {size_wh} px")
            crop = np.asarray(picture.convert("L")) > 0
        return mask_in_box(crop, hbb, size_wh)
    except (
        binascii.Error,
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ) as error:
        tell_bad_mask(str(error)[:200], at, quarantine)
        return None
