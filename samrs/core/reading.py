"""What every reader of annotation files does alike: find, pair, parse, set bad input aside.

A reader parses one annotation at a time; what does not parse is quarantined with its file and
line and the rest goes on (``read_items``). Nothing here knows a format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import defusedxml.ElementTree as SafeXml
import numpy as np
from defusedxml.common import DefusedXmlException
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from samrs.core.errors import AnnotationError, MissingInputError, SamrsError, UnknownNameError
from samrs.core.geometry import clip_hbb, hbb_area, hbb_iou, polygon_area
from samrs.core.records import Annotation, Quarantine, SceneRecord

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
MIN_PAIR_IOU = 0.1
"""Below this overlap two boxes are not the same object: of DIOR's 192,518 objects all but 145 pair
above it, and those below are visibly other objects."""

LARGEST = 1e9
"""Largest number an annotation may hold: far beyond any image, far below where areas overflow."""

T = TypeVar("T")
R = TypeVar("R")


def first_folder(root: Path, names: Iterable[str]) -> Path | None:
    """The first of several folders below ``root`` that exists, or None."""
    return next((root / name for name in names if (root / name).is_dir()), None)


def missing_dataset(root: Path, dataset: str, layout: str) -> MissingInputError:
    """The error for a dataset that is not where it should be.

    Args:
        layout: the files that are expected, below ``root``.
    """
    got = "no such folder"
    if root.is_dir():
        got = ", ".join(sorted(p.name for p in root.iterdir())[:5]) or "an empty folder"
    return MissingInputError(
        f"{root}: no {dataset} dataset, got {got}; {layout} is needed below it; run the stage "
        f"download@{dataset} or put the official files there"
    )


def files_by_stem(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Files of a folder with one of the (lower-case) suffixes, by name without suffix, sorted."""
    found = (p for p in folder.iterdir() if p.suffix.lower() in suffixes and p.is_file())
    return {path.stem: path for path in sorted(found)}


def relative_name(path: Path, root: Path) -> str:
    """A file's name below the dataset's folder, with forward slashes."""
    return path.relative_to(root).as_posix()


def clean_id(text: str) -> str:
    """A scene id out of any name: characters beyond ``[A-Za-z0-9_.-]`` become ``_``."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", text)


def pair_files(
    images: Mapping[str, Path], labels: Mapping[str, Path], root: Path, quarantine: Quarantine
) -> list[str]:
    """Keys that have both an image and an annotation file, sorted; the others are quarantined."""
    for key in sorted(set(images) - set(labels)):
        where = relative_name(images[key], root)
        quarantine.add(
            where,
            None,
            "image without annotation",
            f"{where}: no annotation file of that name; the format demands one, be it empty; "
            "add it or remove the image",
        )
    for key in sorted(set(labels) - set(images)):
        where = relative_name(labels[key], root)
        quarantine.add(
            where,
            None,
            "annotation without image",
            f"{where}: no image of that name; one is needed; add it or remove the file",
        )
    return sorted(set(images) & set(labels))


def read_text(path: Path, where: str) -> str:
    """A text file, UTF-8 with or without a mark, any line ends.

    Raises:
        AnnotationError: it is not text.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"{where}:1: not UTF-8 text, got {error.reason} at byte {error.start}; a text file is "
            "allowed; replace the file"
        ) from error


def read_xml(path: Path, where: str) -> Any:
    """Root element of an XML file (``xml.etree`` interface; entities and DTD tricks refused).

    Raises:
        AnnotationError: it is not well-formed.
    """
    try:
        return SafeXml.parse(path).getroot()
    except (SafeXml.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        line = getattr(error, "position", (1, 0))[0]
        raise AnnotationError(
            f"{where}:{line}: not well-formed XML, got {error}; a whole XML file is allowed; "
            "replace the file"
        ) from error


def child_text(element: Any, path: str, where: str) -> str:
    """Text of a descendant of an XML element, stripped.

    Raises:
        AnnotationError: there is none, or it is empty.
    """
    text = (element.findtext(path) or "").strip()
    if not text:
        raise AnnotationError(
            f"{where}: a field is missing, got no text in <{path}>; the format demands it; "
            "correct the file"
        )
    return text


def number(text: str, where: str) -> float:
    """A number of at most ``LARGEST``, either sign.

    Raises:
        AnnotationError: the text is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise AnnotationError(
            f"{where}: not a number, got {text!r}; decimal numbers up to {LARGEST:.0e} are "
            "allowed; correct the file"
        )
    return value


def category_of(name: str, categories: Sequence[str], where: str) -> str:
    """The category that a name in an annotation file means.

    Case, spaces, hyphens and underscores do not count: datasets spell their own names variously.

    Raises:
        UnknownNameError: it is none of the dataset's.
    """
    wanted = re.sub(r"[\s_-]", "", name).lower()
    for category in categories:
        if re.sub(r"[\s_-]", "", category).lower() == wanted:
            return category
    raise UnknownNameError(
        f"{where}: unknown class, got {name!r}; allowed are {', '.join(categories)}; "
        "correct the annotation"
    )


def read_items(
    items: Iterable[tuple[int, T]],
    parse: Callable[[int, int, T], R],
    source_file: str,
    quarantine: Quarantine,
) -> list[R]:
    """Parse the annotations of a file one by one; those that fail are quarantined.

    Args:
        items: (line or object number, raw annotation) in the file's order.
        parse: called with ordinal, number, raw annotation. The ordinal counts bad annotations
            too, so that correcting one leaves the ids of the others as they were.
    """
    parsed: list[R] = []
    for ordinal, (line, item) in enumerate(items):
        try:
            parsed.append(parse(ordinal, line, item))
        except (AnnotationError, UnknownNameError) as error:
            set_aside(source_file, line, error, quarantine)
    return parsed


def set_aside(source_file: str, line: int | None, error: SamrsError, q: Quarantine) -> None:
    """Quarantine what an error tells of, under the reason its class stands for."""
    unknown = isinstance(error, UnknownNameError)
    q.add(source_file, line, "unknown class" if unknown else "does not parse", str(error))


def pair_annotations(
    kept: Sequence[Annotation], others: Sequence[Annotation], quarantine: Quarantine
) -> list[Annotation | None]:
    """For each annotation, the one of another file that means the same object, or None.

    Boxes pair one to one within a category so that the sum of IoUs is largest: the two files of
    DIOR list the same objects in another order. Pairs below ``MIN_PAIR_IOU`` are not made, and
    boxes of the other file that are left over are quarantined.
    """
    pairs: list[Annotation | None] = [None] * len(kept)
    left = {a.ordinal: a for a in others}
    for category in sorted({a.category for a in kept}):
        mine = [i for i, a in enumerate(kept) if a.category == category]
        theirs = [a for a in others if a.category == category]
        if not theirs:
            continue
        iou = hbb_iou(_hbbs([kept[i] for i in mine]), _hbbs(theirs))
        for row, column in zip(*linear_sum_assignment(-iou), strict=True):
            if iou[row, column] >= MIN_PAIR_IOU:
                pairs[mine[row]] = left.pop(theirs[column].ordinal)
    for box in left.values():
        quarantine.add(
            box.source_file,
            box.source_line,
            "box without its pair",
            f"{_place(box)}: no box of the other file means this object, "
            f"got {box.category} at {box.hbb.tolist()}; the horizontal and the rotated file list "
            "the same objects; correct either file",
        )
    return pairs


def _hbbs(annotations: Sequence[Annotation]) -> NDArray[np.float64]:
    return np.array([a.hbb for a in annotations]).reshape(-1, 4)


def sound_annotations(
    annotations: Iterable[Annotation], size_wh: tuple[int, int], quarantine: Quarantine
) -> list[Annotation]:
    """The annotations whose boxes have an area and meet their image; others are quarantined."""
    sound = []
    for annotation in annotations:
        rotated = annotation.obb is not None and polygon_area(annotation.obb) <= 0
        if hbb_area(annotation.hbb) <= 0 or rotated:
            reason, allowed = "box without area", "boxes of positive width and height"
        elif hbb_area(clip_hbb(annotation.hbb, size_wh)) <= 0:
            reason, allowed = "box outside its image", f"boxes that meet its {size_wh} px"
        else:
            sound.append(annotation)
            continue
        box = annotation.hbb if annotation.obb is None else annotation.obb.ravel()
        quarantine.add(
            annotation.source_file,
            annotation.source_line,
            reason,
            f"{_place(annotation)}: {reason}, got {annotation.category} at {box.tolist()}; "
            f"{allowed} are allowed; correct the annotation",
        )
    return sound


def set_scene_aside(
    record: SceneRecord, where: str, reason: str, detail: str, quarantine: Quarantine
) -> None:
    """Quarantine an image and, so that no annotation is lost in silence, each of its boxes."""
    quarantine.add(where, None, reason, detail)
    for annotation in record.annotations:
        quarantine.add(
            annotation.source_file,
            annotation.source_line,
            "annotation of a bad image",
            f"{_place(annotation)}: set aside with its image {where}, got {reason} there; a good "
            "image is needed; correct it",
        )


def _place(annotation: Annotation) -> str:
    if annotation.source_line is None:
        return annotation.source_file
    return f"{annotation.source_file}:{annotation.source_line}"
