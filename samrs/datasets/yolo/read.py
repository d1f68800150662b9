"""Any set in Ultralytics' YOLO format: boxes, rotated boxes or polygons, as users bring their own.

Format: docs.ultralytics.com/datasets/detect, /obb, /segment and /pose. Layout read::

    data.yaml                    or another *.yaml with ``names``; or classes.txt, a name a line
    images/train/a.jpg           or train/images/a.jpg, as Roboflow exports it; any folders
    labels/train/a.txt           the same path with labels/; or beside the image

Which split an image is of, and where labels are looked for: ``reading/ultralytics.py``.

A raw file, a box and a rotated box::

    7 0.225 0.233 0.25 0.2
    3 0.1 0.133 0.35 0.133 0.35 0.333 0.1 0.333

Class number, then centre, width and height, or the four corners; all of them shares of the image's
width and height. Corners may lie a little outside the image. Where ``data.yaml`` has ``kpt_shape``,
keypoints follow the box, and are left out. Where a line has three points, or five and more, the set
is one of polygons (also those of four points): they are true masks, and the box is their hull.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from pathlib import Path

import numpy as np

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.geometry import Array, clockwise, polygon_to_hbb
from samrs.core.records import Annotation, Boxes, Quarantine, SceneRecord
from samrs.core.rle import polygons_to_rle, rle_area
from samrs.reading.annotations import (
    Items,
    Place,
    number,
    read_items,
    read_text,
    set_image_aside,
)
from samrs.reading.files import read_bytes
from samrs.reading.scene_image import size_of
from samrs.reading.ultralytics import Description, File, Picture, describe, find_pictures

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_BOX, _CORNERS = 5, 9
_NUMERIC, _BLANKS = b"0123456789.+-eE", b"    \n"
"""What numbers are written with, and what remains of a line of a box without it."""

_FILES_AT_ONCE = 256
_LARGEST = 2**21
"""Bytes of a file that is read at once: more take a third of the memory line by line."""

_FARTHEST = 2.0
"""Largest share, either sign: rotated boxes leave the image, px written by mistake go beyond."""


def categories(root: Path) -> tuple[str, ...]:
    """Names of the classes by their number.

    Raises:
        MissingInputError: there is no YOLO set below ``root``.
        AnnotationError: the file of names does not parse, or two classes share a name.
    """
    return describe(root).names


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and lines are quarantined.

    Raises:
        MissingInputError: there is no YOLO set below ``root``.
        AnnotationError: the file of names does not parse, or no image has labels.
    """
    said = describe(root)
    pictures = find_pictures(root, said, quarantine)
    set_ = _Set(root, said, pictures)
    for begin in range(0, len(pictures), _FILES_AT_ONCE):
        some = pictures[begin : begin + _FILES_AT_ONCE]
        boxes = _boxes_alone(some, said.names)
        for picture, found in zip(some, boxes, strict=True):
            lines: Items[Annotation] | None = Items()
            if found is None:
                lines = _line_by_line(picture, set_, quarantine)
            if lines is not None:
                yield SceneRecord(
                    scene_id=picture.scene_id,
                    split=picture.split,
                    image=Path(picture.image.path),
                    annotations=lines if found is None else found,
                    uncertain=lines.uncertain,
                )


@dataclass(frozen=True)
class _Set:
    """What the set says as a whole."""

    root: Path
    said: Description
    pictures: Sequence[Picture]

    @cached_property
    def polygons(self) -> bool:
        """Whether it is one of polygons; asked for where a line holds more than a box."""
        return not self.said.keypoints and any(map(_has_polygons, self.pictures))


def _has_polygons(picture: Picture) -> bool:
    """Whether a line has as many numbers as neither a box nor a rotated box has."""
    if picture.label is None:
        return False
    try:
        data = read_bytes(*picture.label)
    except AnnotationError:
        return False  # quarantined when its lines are read
    counts = {len(line.split()) for line in data.splitlines()}
    return any(count > _BOX and count % 2 == 1 and count != _CORNERS for count in counts)


def _boxes_alone(
    pictures: Sequence[Picture], names: Sequence[str]
) -> list[Sequence[Annotation] | None]:
    """The annotations of files that hold good boxes and nothing else; None for any other file.

    As line by line, but of many files at once: most are so.
    """
    tokens: list[list[bytes]] = []
    sizes: list[tuple[int, int]] = []
    found: list[Sequence[Annotation] | None] = [None] * len(pictures)
    plain: list[int] = []
    for index, picture in enumerate(pictures):
        if picture.label is None:
            found[index] = ()
        elif fields := _fields(picture.label):
            size_wh = size_of(picture.image.path)
            if size_wh is not None:
                plain.append(index)
                tokens.append(fields)
                sizes.append(size_wh)
    try:
        values = np.array([*chain.from_iterable(tokens)], np.float64).reshape(-1, _BOX)
    except ValueError:  # one is no number: each file by itself tells which
        if len(pictures) == 1:
            return found
        return [boxes for picture in pictures for boxes in _boxes_alone([picture], names)]
    numbers, places = values[:, 0], values[:, 1:]
    good = (numbers >= 0) & (numbers < len(names)) & (numbers == np.floor(numbers))
    good &= (np.abs(places) <= _FARTHEST).all(axis=1)
    counts = [len(fields) // _BOX for fields in tokens]
    size = np.repeat(np.array(sizes, np.float64).reshape(-1, 2), counts, axis=0)
    centres, halves = places[:, :2] * size, places[:, 2:] * size / 2
    hbbs = np.concatenate([centres - halves, centres + halves], axis=1)
    ends = np.cumsum(counts).tolist()
    for index, end, count in zip(plain, ends, counts, strict=True):
        rows = slice(end - count, end)
        label = pictures[index].label
        if label is not None and good[rows].all():
            found[index] = Boxes(names, numbers[rows], hbbs[rows], label.name)
    return found


def _fields(label: File) -> list[bytes] | None:
    """The fields of a file all of whose lines have those of a box, parted by blanks; else None."""
    try:
        data = read_bytes(*label)
    except AnnotationError:
        return None  # quarantined when its lines are read
    if len(data) > _LARGEST:
        return None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    if not data.endswith(b"\n"):
        data += b"\n"
    lines = data.count(b"\n")
    if data.translate(None, _NUMERIC) != _BLANKS * lines:
        return None
    fields = data.split()
    return fields if len(fields) == _BOX * lines else None


def _line_by_line(picture: Picture, set_: _Set, quarantine: Quarantine) -> Items[Annotation] | None:
    """The annotations of any file; None where it is set aside with its image."""
    assert picture.label is not None
    where = picture.label.name
    image, path = Path(picture.image.path), Path(picture.label.path)
    try:
        text = read_text(path, where)
    except AnnotationError as error:
        set_image_aside(image, path, set_.root, error, quarantine)
        return None
    if not text.strip():
        return Items()
    numbered = ((i, line) for i, line in enumerate(text.split("\n"), start=1) if line.strip())
    size_wh = size_of(image)
    if size_wh is not None:
        return read_items(numbered, partial(_parse, set_, size_wh), where, quarantine)
    for line, _ in numbered:
        quarantine.tell(
            where,
            "annotation of a bad image",
            f"set aside with its image {picture.image.name}, got a size that does not read; a good "
            "image is needed; correct it",
            line,
        )
    return Items()


def _parse(set_: _Set, size_wh: tuple[int, int], at: Place, text: str) -> Annotation:
    where, said = at.where, set_.said
    fields = text.split()
    if said.keypoints and len(fields) == _BOX + said.keypoints:
        fields = fields[:_BOX]
    is_box = len(fields) == _BOX
    is_polygon = len(fields) > _BOX and len(fields) % 2 == 1 and set_.polygons
    if not (is_box or is_polygon or len(fields) == _CORNERS):
        raise AnnotationError(
            f"{where}: does not parse, got {len(fields)} fields; a class with 4 (box), 8 (corners) "
            "or, in a set of polygons, 6 and more numbers is allowed; correct the line"
        )
    values = np.array([number(field, where) for field in fields[1:]])
    if np.abs(values).max() > _FARTHEST:
        raise AnnotationError(
            f"{where}: not shares of the image, got {' '.join(fields[1:])}; numbers from 0 to 1 "
            "are allowed; divide by the image's width and height"
        )
    category = _category(fields[0], said.names, where)
    size = np.array(size_wh, np.float64)
    if is_box:
        centre, half = values[:2] * size, values[2:] * size / 2
        hbb = np.concatenate([centre - half, centre + half])
        return at.annotation(category, hbb)
    points: Array = values.reshape(-1, 2) * size
    if is_polygon:
        truth = polygons_to_rle([points], size_wh[::-1])
        kept = truth if rle_area(truth) else None
        return at.annotation(category, polygon_to_hbb(points), truth=kept)
    obb = clockwise(points)
    return at.annotation(category, polygon_to_hbb(obb), obb)


def _category(text: str, names: tuple[str, ...], where: str) -> str:
    value = number(text, where)
    if value != int(value) or not 0 <= value < len(names):
        raise UnknownNameError(
            f"{where}: unknown class, got {text}; 0 to {len(names) - 1} are allowed; "
            "correct the line or the list of names"
        )
    return names[int(value)]
