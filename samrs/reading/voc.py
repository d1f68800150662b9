"""Sets in Pascal VOC's layout, with corners of either kind.

Layout read::

    Annotations/a.xml                          or annotations/; folders below are read, too
    JPEGImages/a.jpg                           or images/
    ImageSets/Main/{train,val,test}.txt        optional, or ImageSets/: names of the images by
                                               split; else folders of images that mean one
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
    Place,
    files_by_stem,
    first_folder,
    missing_dataset,
    number,
    pair_files,
    placed,
    read_text,
    relative_name,
    says_yes,
    set_aside,
    set_image_aside,
)
from samrs.reading.files import files_below
from samrs.reading.splits import split_of, split_of_folders
from samrs.reading.xml import XmlItems, child_text, read_objects

ANNOTATIONS = ("Annotations", "annotations")
IMAGES = ("JPEGImages", "images")
LAYOUT = "Annotations/*.xml with JPEGImages/*.jpg"
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def class_names(root: Path) -> tuple[str, ...]:
    """Names of all objects, sorted; files that do not parse bring none.

    Raises:
        MissingInputError: there is no VOC set below ``root``.
    """
    names: set[str] = set()
    for path in _files(root)[0].values():
        objects = XmlItems(path, relative_name(path, root), "annotation", "object")
        try:
            names |= {(element.findtext("name") or "").strip() for _, element in objects}
        except AnnotationError:
            continue  # quarantined by read_scenes
    names.discard("")
    return tuple(sorted(names))


def read_voc(root: Path, quarantine: Quarantine, *, first: int) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Args:
        first: number of the first px of a row. VOC's corners are 1-based and inclusive, so that
            ``xmin`` - 1 to ``xmax`` is the box; 0-based ones are half-open.

    Raises:
        MissingInputError: there is no VOC set below ``root``.
    """
    labels, images = _files(root)
    stems = sorted(pair_files(images, labels, root, quarantine), key=clean_id)
    alone = sorted(
        images.keys() - stems
    )  # told of already; where ends agree, those of a pair count
    names = {stem: relative_name(images[stem], root) for stem in (*alone, *stems)}
    splits = _splits(root, names, quarantine)
    at_zero: list[str] = []
    parse = partial(_parse, first)
    for stem in stems:
        where = relative_name(labels[stem], root)
        try:
            annotations, size_wh = read_objects(labels[stem], where, "object", parse, quarantine)
        except AnnotationError as error:
            set_image_aside(images[stem], labels[stem], root, error, quarantine)
            continue
        if any((a.hbb[:2] < 0).any() for a in annotations):
            at_zero.append(where)
        name = relative_name(images[stem], root)
        found = splits.get(stem) or split_of_folders(name) or "all"
        yield SceneRecord(
            scene_id=clean_id(stem),
            split=found,
            image=images[stem],
            annotations=tuple(annotations),
            declared_wh=size_wh,
            uncertain=annotations.uncertain,
        )
    if first == 1 and at_zero:
        quarantine.tell(
            at_zero[0],
            "corners are not 1-based",
            f"corners are not 1-based, got some at 0 or below in {len(at_zero)} files; 1 is VOC's "
            "first pixel, and boxes were read so; if these are 0-based (as FiftyOne and Datumaro "
            "write them) say format voc_zero_based",
        )


def _files(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Annotation files and images by their names without suffix."""
    labels, images = first_folder(root, ANNOTATIONS), first_folder(root, IMAGES)
    if labels is None or images is None:
        raise missing_dataset(root, "voc", LAYOUT)
    return files_by_stem(labels, (".xml",)), files_by_stem(images, IMAGE_SUFFIXES)


def _splits(root: Path, images: dict[str, str], quarantine: Quarantine) -> dict[str, str]:
    """Split by name of the image, where lists of them are there.

    A line names an image with or without suffix and folders; in lists of one class a number
    follows it. Where an image is in lists of two splits the first counts: the other is told.

    Args:
        images: relative names by name.
    """
    ends: dict[str, str] = {}
    for stem, name in images.items():
        parts = name.rpartition(".")[0].split("/")
        ends |= {"/".join(parts[start:]): stem for start in range(len(parts))}
    found: dict[str, str] = {}
    lists = first_folder(root, ("ImageSets/Main", "ImageSets"))
    for path in [] if lists is None else files_below(lists, (".txt",)):
        split = split_of(path.stem)
        where = relative_name(path, root)
        if split is None or (path.stem == "trainval" and _has_parts(path.parent)):
            continue
        try:
            lines = read_text(path, where).splitlines()
        except AnnotationError as error:
            set_aside(where, None, error, quarantine)
            continue
        missing = []
        for position, line in enumerate(lines, start=1):
            named = _listed(line, ends)
            if named is None and line.strip():
                missing.append((position, line.strip()))
            elif named is not None and found.setdefault(named, split) != split:
                quarantine.tell(
                    where,
                    "image in two splits",
                    f"image in two splits, got {line.strip()!r}, which is of {found[named]} "
                    "already; one split an image is allowed; correct the list",
                    position,
                )
        _tell_missing(where, missing, quarantine)
    return found


def _tell_missing(where: str, missing: list[tuple[int, str]], quarantine: Quarantine) -> None:
    """List, once a list, what it names and is not there: a split may lack the images meant."""
    if missing:
        position, line = missing[0]
        quarantine.tell(
            where,
            "listed image is missing",
            f"listed image is missing, got {line!r} and {len(missing) - 1} others, which are not "
            "there; names of images as their files spell them are allowed; correct the list",
            position,
        )


def _has_parts(lists: Path) -> bool:
    """Whether train and val are listed apart, so that ``trainval`` says nothing new."""
    return (lists / "train.txt").is_file() or (lists / "val.txt").is_file()


def _listed(line: str, ends: dict[str, str]) -> str | None:
    """The image that a line of a list names; None where it names none."""
    text = line.strip().replace("\\", "/")
    first = text.split()[0] if text else ""
    for told in (text, text.rpartition(".")[0], first, first.rpartition(".")[0]):
        parts = [part for part in told.split("/") if part not in ("", ".")]
        for start in range(len(parts)):
            if (stem := ends.get("/".join(parts[start:]))) is not None:
                return stem
    return None


def _parse(first: int, at: Place, element: Any) -> Annotation:
    texts = (child_text(element, f"bndbox/{k}", at.where) for k in _CORNERS)
    x0, y0, x1, y1 = (number(text, at.where) for text in texts)
    hbb = np.array([x0 - first, y0 - first, x1, y1])
    with placed(hbb):
        category = child_text(element, "name", at.where)
    return at.annotation(category, hbb, difficult=says_yes(element.findtext("difficult")))
