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
from functools import partial
from pathlib import Path

import numpy as np

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.geometry import Array, clockwise, polygon_to_hbb
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.core.rle import polygons_to_rle, rle_area
from samrs.reading.annotations import (
    number,
    read_items,
    read_text,
    relative_name,
    set_image_aside,
)
from samrs.reading.files import read_bytes
from samrs.reading.scene_image import size_of
from samrs.reading.ultralytics import Description, Picture, describe, find_pictures

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_BOX, _CORNERS = 5, 9
_AT_ONCE = 2**16
"""Lines of a file that are read at once; more take a third of the memory one by one."""

_FARTHEST = 2.0
"""Largest share, either sign: rotated boxes leave the image, px written by mistake go beyond."""


@dataclass(frozen=True)
class _Labels:
    """How lines are read.

    Args:
        source_file: relative name of the file of labels.
        size_wh: of its image, px.
        polygons: whether the set is one of polygons.
    """

    source_file: str
    size_wh: tuple[int, int]
    said: Description
    polygons: bool


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
    polygons = not said.keypoints and any(map(_has_polygons, pictures))
    for picture in pictures:
        annotations: list[Annotation] = []
        if picture.label is not None:
            try:
                annotations = _read_labels(picture, root, said, polygons, quarantine)
            except AnnotationError as error:
                set_image_aside(picture.image, picture.label, root, error, quarantine)
                continue
        yield SceneRecord(
            scene_id=picture.scene_id,
            split=picture.split,
            image=picture.image,
            annotations=tuple(annotations),
        )


def _has_polygons(picture: Picture) -> bool:
    """Whether a line has as many numbers as neither a box nor a rotated box has."""
    if picture.label is None:
        return False
    try:
        data = read_bytes(picture.label, picture.label.name)
    except AnnotationError:
        return False  # quarantined when its lines are read
    counts = {len(line.split()) for line in data.splitlines()}
    return any(count > _BOX and count % 2 == 1 and count != _CORNERS for count in counts)


def _read_labels(
    picture: Picture, root: Path, said: Description, polygons: bool, quarantine: Quarantine
) -> list[Annotation]:
    assert picture.label is not None
    where = relative_name(picture.label, root)
    text = read_text(picture.label, where)
    lines = text.split("\n")
    numbered = ((i, line) for i, line in enumerate(lines, start=1) if line.strip())
    size_wh = size_of(picture.image) if text.strip() else None
    if text.strip() and size_wh is None:
        name = relative_name(picture.image, root)
        for line, _ in numbered:
            quarantine.add(
                where,
                line,
                "annotation of a bad image",
                f"{where}:{line}: set aside with its image {name}, got a size that does not read; "
                "a good image is needed; correct it",
            )
    if size_wh is None:
        return []
    labels = _Labels(where, size_wh, said, polygons)
    found = _boxes_alone(labels, lines) if len(lines) <= _AT_ONCE else None
    if found is not None:
        return found
    return read_items(numbered, partial(_parse, labels), where, quarantine)


def _boxes_alone(labels: _Labels, lines: Sequence[str]) -> list[Annotation] | None:
    """The annotations of a file that holds good boxes and nothing else; None of any other file.

    As line by line, but all at once: most files are so.
    """
    fields = [(line, text.split()) for line, text in enumerate(lines, start=1)]
    fields = [(line, found) for line, found in fields if found]
    if any(len(found) != _BOX or "_" in "".join(found) for _, found in fields):
        return None
    try:
        rows = [[float(field) for field in found] for _, found in fields]
    except ValueError:
        return None
    values = np.array(rows, np.float64).reshape(-1, _BOX)
    numbers, places = values[:, 0], values[:, 1:]
    names = labels.said.names
    good = (numbers >= 0) & (numbers < len(names)) & (numbers == np.floor(numbers))
    if not (good.all() and (np.abs(places) <= _FARTHEST).all()):
        return None
    size = np.array(labels.size_wh, np.float64)
    centres, halves = places[:, :2] * size, places[:, 2:] * size / 2
    hbbs = np.concatenate([centres - halves, centres + halves], axis=1)
    return [
        Annotation(
            category=names[int(number)],
            hbb=hbb,
            obb=None,
            source_file=labels.source_file,
            ordinal=ordinal,
            source_line=line,
        )
        for ordinal, ((line, _), number, hbb) in enumerate(
            zip(fields, numbers.tolist(), hbbs, strict=True)
        )
    ]


def _parse(labels: _Labels, ordinal: int, line: int, text: str) -> Annotation:
    where = f"{labels.source_file}:{line}"
    fields = text.split()
    if labels.said.keypoints and len(fields) == _BOX + labels.said.keypoints:
        fields = fields[:_BOX]
    is_box = len(fields) == _BOX
    is_polygon = labels.polygons and len(fields) > _BOX and len(fields) % 2 == 1
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
    category = _category(fields[0], labels.said.names, where)
    size = np.array(labels.size_wh, np.float64)
    found = partial(
        Annotation,
        category=category,
        source_file=labels.source_file,
        ordinal=ordinal,
        source_line=line,
    )
    if is_box:
        centre, half = values[:2] * size, values[2:] * size / 2
        hbb = np.concatenate([centre - half, centre + half])
        return found(hbb=hbb, obb=None)
    points: Array = values.reshape(-1, 2) * size
    if is_polygon:
        truth = polygons_to_rle([points], labels.size_wh[::-1])
        hbb = polygon_to_hbb(points)
        kept = truth if rle_area(truth) else None
        return found(hbb=hbb, obb=None, truth=kept)
    obb = clockwise(points)
    return found(hbb=polygon_to_hbb(obb), obb=obb)


def _category(text: str, names: tuple[str, ...], where: str) -> str:
    value = number(text, where)
    if value != int(value) or not 0 <= value < len(names):
        raise UnknownNameError(
            f"{where}: unknown class, got {text}; 0 to {len(names) - 1} are allowed; "
            "correct the line or the list of names"
        )
    return names[int(value)]
