"""Any detection set in Pascal VOC's format: how users bring their own.

Format: host.robots.ox.ac.uk/pascal/VOC, Everingham et al., IJCV 2010. Layout read::

    Annotations/a.xml                    or annotations/
    JPEGImages/a.jpg                     or images/
    ImageSets/Main/{train,val,test}.txt  optional: names of the images by split

A raw file::

    <annotation>
        <filename>a.jpg</filename>
        <object><name>ship</name><difficult>0</difficult>
            <bndbox><xmin>5</xmin><ymin>5</ymin><xmax>14</xmax><ymax>10</ymax></bndbox></object>
    </annotation>

Corners are 1-based and inclusive: (xmin - 1, ymin - 1, xmax, ymax) here. Image and file belong
together by their names, as ``filename`` is often left over from another tool. Categories are all
names that occur, sorted. An image without objects has a file without objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    files_by_stem,
    first_folder,
    missing_dataset,
    number,
    pair_files,
    read_items,
    read_text,
    relative_name,
    set_aside,
    set_image_aside,
)
from samrs.reading.xml import child_text, read_xml

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

_ANNOTATIONS = ("Annotations", "annotations")
_IMAGES = ("JPEGImages", "images")
_LAYOUT = "Annotations/*.xml with JPEGImages/*.jpg"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_SPLITS = ("train", "val", "test")


def categories(root: Path) -> tuple[str, ...]:
    """Names of all objects, sorted; files that do not parse bring none.

    Raises:
        MissingInputError: there is no VOC set below ``root``.
    """
    names: set[str] = set()
    for path in _files(root)[0].values():
        try:
            tree = read_xml(path, relative_name(path, root), "annotation")
        except AnnotationError:
            continue  # quarantined by read_scenes
        texts = ((element.findtext("name") or "").strip() for element in tree.iterfind("object"))
        names.update(text for text in texts if text)
    return tuple(sorted(names))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Raises:
        MissingInputError: there is no VOC set below ``root``.
    """
    labels, images = _files(root)
    splits = _splits(root, quarantine)
    stems = pair_files(images, labels, root, quarantine)
    for stem in sorted(stems, key=clean_id):
        where = relative_name(labels[stem], root)
        try:
            tree = read_xml(labels[stem], where, "annotation")
        except AnnotationError as error:
            set_image_aside(images[stem], labels[stem], root, error, quarantine)
            continue
        objects = list(enumerate(tree.iterfind("object"), start=1))
        annotations = read_items(objects, partial(_parse, where), where, quarantine)
        split = splits.get(stem, "all")
        yield SceneRecord(clean_id(stem), split, images[stem], tuple(annotations))


def _files(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Annotation files and images by their names without suffix."""
    labels, images = first_folder(root, _ANNOTATIONS), first_folder(root, _IMAGES)
    if labels is None or images is None:
        raise missing_dataset(root, "voc", _LAYOUT)
    return files_by_stem(labels, (".xml",)), files_by_stem(images, IMAGE_SUFFIXES)


def _splits(root: Path, quarantine: Quarantine) -> dict[str, str]:
    """Split by image name, where lists of them are there."""
    whole: dict[str, str] = {}
    words: dict[str, str] = {}
    for split in _SPLITS:
        path = root / "ImageSets" / "Main" / f"{split}.txt"
        if path.is_file():
            try:
                lines = read_text(path, relative_name(path, root)).split("\n")
            except AnnotationError as error:
                set_aside(relative_name(path, root), None, error, quarantine)
                continue
            whole.update((line.strip(), split) for line in lines if line.strip())
            # lists of one class hold "name 1" or "name -1"
            words.update((line.split()[0], split) for line in lines if line.strip())
    return words | whole


def _parse(source_file: str, ordinal: int, line: int, element: Any) -> Annotation:
    where = f"{source_file}:object {line}"
    category = child_text(element, "name", where)
    x0, y0, x1, y1 = (number(child_text(element, f"bndbox/{k}", where), where) for k in _CORNERS)
    difficult = (element.findtext("difficult") or "0").strip() not in ("", "0")
    hbb = np.array([x0 - 1, y0 - 1, x1, y1])
    return Annotation(category, hbb, None, source_file, ordinal, line, difficult)
