"""CVAT's own XML, "CVAT for images 1.1": of a task, a job or a project, with its images.

Format: docs.cvat.ai/docs/dataset_management/formats/format-cvat. Layout read: one or several XML
files in any folders (of jobs, or of parts of a project), and the images anywhere, found by
``name``::

    annotations.xml
    images/a.jpg                 a project's: images/train/a.jpg

A raw file::

    <annotations><version>1.1</version>
      <image id="0" name="a.jpg" subset="Train" width="40" height="30">
        <box label="ship" occluded="0" xtl="4" ytl="4" xbr="14" ybr="10" rotation="30" z_order="0"/>
        <polygon label="ship" points="20,4;30,4;30,10" z_order="0"/>
        <mask label="ship" rle="0, 2, 1, 3" left="5" top="20" width="3" height="2"/>
      </image></annotations>

``box`` is a box, half-open; with a ``rotation`` (degrees, clockwise about its centre) a rotated
one. ``polygon`` is a true mask, and its hull the box; ``mask`` is a true mask, row by row in its
box, the first run background. Shapes of one label and one ``group_id`` are parts of one object, as
CVAT's COCO export takes them. ``polyline``, ``points``, ``ellipse``, ``cuboid``, ``skeleton`` and
shapes marked ``outside`` are set aside; ``tag`` says something of the whole image and is not read.
An attribute ``difficult`` or ``iscrowd`` makes an instance difficult. ``subset`` tells the split,
else the image's folder, else the file's. An image that several files list counts where it has
shapes. "CVAT for video" (``track``) is refused. Categories are all labels of shapes that are read,
sorted.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array, polygon_to_hbb, rotated_box_to_polygon
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.core.rle import Rle
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    SET_ASIDE,
    Place,
    missing_dataset,
    number,
    read_items,
    relative_name,
    says_yes,
)
from samrs.reading.files import files_below
from samrs.reading.groups import join_groups
from samrs.reading.image_names import Images
from samrs.reading.json_file import declared_size
from samrs.reading.scene_image import size_of
from samrs.reading.segmentation import mask_in_box, tell_bad_mask, true_mask
from samrs.reading.splits import split_of, split_of_folders
from samrs.reading.xml import read_xml

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_LAYOUT = "annotations.xml (CVAT for images) with images/"
_SHAPES = ("box", "polygon", "mask")
_NOT_SHAPES = ("tag",)
_CORNERS = ("xtl", "ytl", "xbr", "ybr")
_PLACE = ("left", "top", "width", "height")


@dataclass(frozen=True)
class _Listed:
    """An image that a file lists.

    Args:
        where: relative name of the file.
        position: number of the image in it, from 1.
        shapes: (number in the file from 1, element), tags left out.
        is_told_again: whether other files have shapes of the image, which do not count.
    """

    where: str
    position: int
    element: Any
    image: Path
    split: str
    shapes: list[tuple[int, Any]]
    is_told_again: bool = False

    @cached_property
    def declared_wh(self) -> tuple[int, int] | None:
        told = {key: self.element.get(key) or "" for key in ("width", "height")}
        return declared_size({k: int(v) for k, v in told.items() if v.isdecimal() and len(v) < 9})

    @cached_property
    def size_wh(self) -> tuple[int, int] | None:
        """Of the image, px; None where it does not open."""
        return size_of(self.image)


def categories(root: Path) -> tuple[str, ...]:
    """Labels of all shapes that are read, sorted.

    Raises:
        MissingInputError: there is no XML file below ``root``.
        AnnotationError: a file is none of CVAT's for images.
    """
    labels: set[str] = set()
    for _, tree in _read_files(root):
        for kind in _SHAPES:
            labels |= {(e.get("label") or "").strip() for e in tree.iterfind(f"image/{kind}")}
    return tuple(sorted(labels - {""}))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad entries are quarantined.

    Raises:
        MissingInputError: there is no XML file below ``root``.
        AnnotationError: a file is none of CVAT's for images.
    """
    listed = _find_images(root, quarantine)
    for one in sorted(listed, key=lambda one: (_scene_id(one.image, root), one.where)):
        parse = partial(_parse, one, quarantine)
        shapes = read_items(one.shapes, parse, one.where, quarantine, "shape")
        yield SceneRecord(
            scene_id=_scene_id(one.image, root),
            split=one.split,
            image=one.image,
            annotations=tuple(join_groups(shapes)),
            declared_wh=one.declared_wh,
            uncertain=shapes.uncertain + ([(SET_ASIDE, None)] if one.is_told_again else []),
        )


def _scene_id(image: Path, root: Path) -> str:
    return clean_id(relative_name(image, root).removeprefix("images/").rpartition(".")[0])


def _read_files(root: Path) -> Iterator[tuple[str, Any]]:
    """(relative name, root element) of each file."""
    paths = files_below(root, (".xml",)) if root.is_dir() else []
    if not paths:
        raise missing_dataset(root, "cvat", _LAYOUT)
    for path in paths:
        where = relative_name(path, root)
        tree = read_xml(path, where, "annotations")
        if tree.find("track") is not None:
            raise AnnotationError(
                f"{where}:1: a file of a video, got <track>; CVAT for images is allowed; export "
                "the task in that format"
            )
        yield where, tree


def _find_images(root: Path, quarantine: Quarantine) -> list[_Listed]:
    """The entries whose image is there, one an image where only one of them has shapes."""
    paths = files_below(root, IMAGE_SUFFIXES)
    images = Images(paths, root)
    found: dict[Path, list[_Listed]] = {}
    for where, tree in _read_files(root):
        shapes = 0
        for position, element in enumerate(tree.iterfind("image"), start=1):
            drawn = [e for e in element if isinstance(e.tag, str) and e.tag not in _NOT_SHAPES]
            numbered = list(enumerate(drawn, start=shapes + 1))
            shapes += len(drawn)
            name, subset = element.get("name") or "", element.get("subset") or ""
            fitting = images.named(f"{subset}/{name}", where) if subset else []
            fitting = fitting if len(fitting) == 1 else images.named(name, where)
            if len(fitting) == 1:
                image = fitting[0]
                split = split_of(subset) or split_of_folders(relative_name(image, root))
                split = split or split_of_folders(where) or split_of(Path(where).stem) or "all"
                one = _Listed(where, position, element, image, split, numbered)
                found.setdefault(image, []).append(one)
                continue
            quarantine.add(
                where,
                position,
                "annotation without image",
                f"{where}:image {position}: annotation without image, got "
                f"{reprlib.repr(name)} with {len(drawn)} shapes, which {len(fitting) or 'no'} "
                "images are; the name of one image is allowed; add it or correct the file",
            )
    for path in paths:
        if path not in found:
            quarantine.tell(
                relative_name(path, root),
                "image without annotation",
                "no file lists it, got none with its name; every image is listed, be it without "
                "shapes; list it or remove it",
            )
    with_shapes = ([one for one in entries if one.shapes] for entries in found.values())
    return [
        replace(one, is_told_again=len(drawn) > 1)
        for entries, drawn in zip(found.values(), with_shapes, strict=True)
        for one in (drawn or entries[:1])
    ]


def _parse(
    one: _Listed, quarantine: Quarantine, at: Place, element: Any
) -> tuple[Annotation, str | None]:
    """A shape and its group."""
    where = at.where
    kind, label = element.tag, (element.get("label") or "").strip()
    if kind not in _SHAPES:
        raise AnnotationError(
            f"{where}: a shape that is no box, got <{kind[:100]}>; {', '.join(_SHAPES)} are "
            "allowed; draw one of these"
        )
    if not label:
        raise AnnotationError(
            f"{where}: a shape without label, got <{kind}>; a label is needed; correct the file"
        )
    if says_yes(element.get("outside")):
        raise AnnotationError(
            f"{where}: a shape marked outside, got {label}; objects that are in the image are "
            "allowed; nothing is to be done"
        )
    obb, truth = None, None
    if kind == "box":
        hbb, obb = _box(element, where)
    elif kind == "polygon":
        points = _points(element.get("points") or "", where)
        hbb = polygon_to_hbb(points)
        truth = true_mask([points.ravel().tolist()], one.size_wh, at, quarantine)
    else:
        x, y, width, height = _numbers(element, _PLACE, where)
        hbb = np.array([x, y, x + width, y + height])
        truth = _mask(element.get("rle") or "", hbb, one.size_wh, at, quarantine)
    marks = {a.get("name"): (a.text or "") for a in element.iterfind("attribute")}
    difficult = any(says_yes(marks.get(name)) for name in ("difficult", "iscrowd"))
    annotation = at.annotation(label, hbb, obb, difficult=difficult, truth=truth)
    group = element.get("group_id")
    return annotation, None if group in (None, "", "0") else group


def _numbers(element: Any, names: tuple[str, ...], where: str) -> list[float]:
    return [number(element.get(name) or "", f"{where}, {name}") for name in names]


def _box(element: Any, where: str) -> tuple[Array, Array | None]:
    """The upright box (4,) and, of a turned one, its corners (4, 2)."""
    x0, y0, x1, y1 = _numbers(element, _CORNERS, where)
    degrees = number(element.get("rotation") or "0", where)
    if degrees % 360 == 0:
        return np.array([x0, y0, x1, y1]), None
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    obb = rotated_box_to_polygon(*centre, x1 - x0, y1 - y0, math.radians(degrees % 360))
    return polygon_to_hbb(obb), obb


def _points(text: str, where: str) -> Array:
    """Points (N, 2) xy out of "x,y;x,y;..."."""
    pairs = [pair.split(",") for pair in text.split(";")]
    if len(pairs) < 3 or any(len(pair) != 2 for pair in pairs):
        raise AnnotationError(
            f"{where}: points do not parse, got {reprlib.repr(text)}; three and more x,y with ; "
            "between them are allowed; correct the file"
        )
    return np.array([[number(value.strip(), where) for value in pair] for pair in pairs])


def _mask(
    text: str,
    hbb: Array,
    size_wh: tuple[int, int] | None,
    at: Place,
    quarantine: Quarantine,
) -> Rle | None:
    """The true mask out of runs, row by row in its box, the first one background."""
    try:
        runs = np.array([int(run) for run in text.split(",")], dtype=np.int64)
        width, height = (int(side) for side in hbb[2:] - hbb[:2])
        if size_wh is None or not (0 < width <= size_wh[0] and 0 < height <= size_wh[1]):
            raise ValueError(f"a mask of {width} x {height} px in an image of {size_wh} px")
        if (runs < 0).any() or runs.max() > width * height or runs.sum() != width * height:
            raise ValueError(f"run lengths that do not add up to {width} x {height} px")
        values = np.arange(len(runs)) % 2 == 1
        return mask_in_box(np.repeat(values, runs).reshape(height, width), hbb, size_wh)
    except (ValueError, OverflowError) as error:
        tell_bad_mask(str(error)[:200], at, quarantine)
        return None
