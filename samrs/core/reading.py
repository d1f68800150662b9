"""What every reader of annotation files does alike: find, pair, parse, set bad input aside.

A reader parses one annotation at a time; what does not parse is quarantined with its file and
line and the rest goes on (``read_items``). Nothing here knows a format.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import defusedxml.ElementTree as SafeXml
import numpy as np
from defusedxml.common import DefusedXmlException
from scipy.optimize import linear_sum_assignment

from samrs.core.errors import AnnotationError, MissingInputError, SamrsError, UnknownNameError
from samrs.core.geometry import hbb_iou, polygon_areas
from samrs.core.records import Annotation, Quarantine, SceneRecord

IMAGE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
MIN_PAIR_IOU = 0.1
"""Below this overlap two boxes are not the same object: of DIOR's 192,518 objects all but 141 pair
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


def child_texts(element: Any, path: str, where: str) -> dict[str, str]:
    """Text of each child of a descendant of an XML element, stripped, by tag.

    Quicker than ``child_text`` for each. Of several children of one tag the first counts.

    Raises:
        AnnotationError: there is no such descendant.
    """
    parent = element.find(path)
    if parent is None:
        raise AnnotationError(
            f"{where}: a field is missing, got no <{path}>; the format demands it; correct the file"
        )
    return {child.tag: (child.text or "").strip() for child in reversed(parent)}


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


@lru_cache(maxsize=4096)
def _spelling(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


@lru_cache(maxsize=16)
def _by_spelling(categories: tuple[str, ...]) -> dict[str, str]:
    return {_spelling(category): category for category in reversed(categories)}


def category_of(name: str, categories: Sequence[str], where: str) -> str:
    """The category that a name in an annotation file means.

    Case, spaces, hyphens and underscores do not count: datasets spell their own names variously.

    Raises:
        UnknownNameError: it is none of the dataset's.
    """
    category = _by_spelling(tuple(categories)).get(_spelling(name))
    if category is not None:
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
    kept: Sequence[Annotation],
    others: Sequence[Annotation],
    quarantine: Quarantine,
    *,
    same_objects: bool = False,
) -> list[Annotation | None]:
    """For each annotation, the one of another file that means the same object, or None.

    Boxes pair one to one within a category so that the sum of IoUs is largest: the two files of
    DIOR list the same objects in another order. Pairs below ``MIN_PAIR_IOU`` are not made, and
    boxes of the other file that are left over are quarantined.

    Args:
        same_objects: the files are known to list the same objects. Where each holds as many of
            every category, what is left over is paired as well: best by place, else by category,
            the last by exclusion. Such pairs are listed in the quarantine, as the files contradict
            each other, but both boxes stay.
    """
    pairs: list[Annotation | None] = [None] * len(kept)
    left = {a.ordinal: a for a in others}
    by_category: dict[str, tuple[list[int], list[Annotation]]] = {}
    for i, annotation in enumerate(kept):
        by_category.setdefault(annotation.category, ([], []))[0].append(i)
    for annotation in others:
        by_category.setdefault(annotation.category, ([], []))[1].append(annotation)
    for mine, theirs in by_category.values():
        for i, other in _assigned(kept, mine, theirs):
            pairs[i] = left.pop(other.ordinal)
    if left and same_objects and all(len(m) == len(t) for m, t in by_category.values()):
        _pair_contradicting(kept, pairs, left, quarantine)
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


def _assigned(
    kept: Sequence[Annotation], mine: Sequence[int], theirs: Sequence[Annotation]
) -> Iterator[tuple[int, Annotation]]:
    """Pairs (index in kept, other) of the largest sum of IoUs, each at least MIN_PAIR_IOU."""
    if not mine or not theirs:
        return
    iou = hbb_iou([kept[i].hbb for i in mine], [a.hbb for a in theirs])
    if len(mine) == len(theirs) == 1:
        rows, columns = [0], [0]
    else:
        rows, columns = linear_sum_assignment(-iou)
    for row, column in zip(rows, columns, strict=True):
        if iou[row, column] >= MIN_PAIR_IOU:
            yield mine[row], theirs[column]


def _pair_contradicting(
    kept: Sequence[Annotation],
    pairs: list[Annotation | None],
    left: dict[int, Annotation],
    quarantine: Quarantine,
) -> None:
    """Pair all that is left over of two files that list the same objects; see pair_annotations."""
    alone = [i for i, pair in enumerate(pairs) if pair is None]
    others = list(left.values())
    mine, theirs = np.array([kept[i].hbb for i in alone]), np.array([a.hbb for a in others])
    iou = hbb_iou(mine, theirs)
    other_name = [[kept[i].category != a.category for a in others] for i in alone]
    apart = np.abs(mine[:, None] - theirs).sum(axis=2)
    cost = np.where(iou >= MIN_PAIR_IOU, -iou, 1 + np.array(other_name) + apart / (4 * LARGEST))
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        pairs[alone[row]] = left.pop(others[column].ordinal)
    for i in alone:
        pair = pairs[i]
        if pair is not None:
            quarantine.add(
                pair.source_file,
                pair.source_line,
                "boxes contradict each other",
                f"{_place(pair)}: another place or category than in the other file, got "
                f"{pair.category} at {pair.hbb.tolist()} against {kept[i].category} at "
                f"{kept[i].hbb.tolist()} of {_place(kept[i])}; one object has one of each; both "
                "boxes stay, correct either file",
            )


def sound_annotations(
    annotations: Iterable[Annotation], size_wh: tuple[int, int], quarantine: Quarantine
) -> list[Annotation]:
    """The annotations whose boxes have an area and meet their image; others are quarantined."""
    given = list(annotations)
    hbbs = np.array([a.hbb for a in given], dtype=np.float64).reshape(-1, 4)
    inside = hbbs.clip(0, [*size_wh, *size_wh])
    empty = np.asarray(((hbbs[:, 2:] - hbbs[:, :2]) <= 0).any(axis=1))
    outside = np.asarray(((inside[:, 2:] - inside[:, :2]) <= 0).any(axis=1))
    rotated = {i: a.obb for i, a in enumerate(given) if a.obb is not None}
    if rotated:
        empty[list(rotated)] |= polygon_areas(np.stack(list(rotated.values()))) <= 0
    sound = []
    for annotation, is_empty, is_outside in zip(given, empty, outside, strict=True):
        if is_empty:
            reason, allowed = "box without area", "boxes of positive width and height"
        elif is_outside:
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
