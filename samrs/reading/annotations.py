"""What every reader of annotation files does alike: find, parse, set bad input aside.

A reader parses one annotation at a time; what does not parse is quarantined with its file and
line and the rest goes on (``read_items``). Nothing here knows a format.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from samrs.core.errors import AnnotationError, MissingInputError, SamrsError, UnknownNameError
from samrs.core.geometry import Array, hbb_to_polygon, polygon_areas
from samrs.core.records import Annotation, Outline, Quarantine, SceneRecord
from samrs.core.rle import Rle
from samrs.reading.files import files_below, lost_links, printable, read_bytes

IMAGE_SUFFIXES = (
    *(".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"),
    *(".avif", ".gif", ".heic", ".jp2", ".webp"),  # not read, but found, and so set aside by name
)
LARGEST = 1e9
"""Largest number an annotation may hold: far beyond any image, far below where areas overflow."""

_AT_ONCE = 2**16
"""Rotated boxes whose areas are computed at once."""

IGNORED, SET_ASIDE = "ignored region", "set aside"
"""Why a place of a scene is uncertain."""

T = TypeVar("T")
R = TypeVar("R")


class IgnoredRegionError(Exception):
    """What was to be parsed is no object: its annotators left the objects of this region out.

    Args:
        outline: corners (K, 2) xy in scene px.
    """

    def __init__(self, outline: ArrayLike) -> None:
        super().__init__()
        self.outline = np.asarray(outline, dtype=np.float64)


class Items(list[R]):
    """The good annotations of a file.

    Args:
        items: the first of them.

    Attributes:
        uncertain: places of what is none of them, as of ``SceneRecord``.
    """

    def __init__(self, items: Iterable[R] = ()) -> None:
        super().__init__(items)
        self.uncertain: list[tuple[str, Outline]] = []


class Place(NamedTuple):
    """Where an annotation stands.

    Attributes:
        source_file: relative name of its file.
        ordinal: its number among those of its scene, from 0, bad ones too.
        line: its line or number in the file.
        where: the file and the line, as errors name them.
    """

    source_file: str
    ordinal: int
    line: int
    where: str

    def annotation(
        self,
        category: str,
        hbb: Array,
        obb: Array | None = None,
        *,
        difficult: bool = False,
        truth: Rle | None = None,
    ) -> Annotation:
        """What stands there; ``truth``, ``difficult`` and the others are as of ``Annotation``."""
        return Annotation(
            category=category,
            hbb=hbb,
            obb=obb,
            source_file=self.source_file,
            ordinal=self.ordinal,
            source_line=self.line,
            difficult=difficult,
            truth=truth,
        )


@contextmanager
def placed(outline: ArrayLike) -> Iterator[None]:
    """What the body refuses lies here: the rest of its scene is known all the same.

    Args:
        outline: a box (4,) xyxy, or corners (K, 2) xy, in scene px.
    """
    try:
        yield
    except (AnnotationError, UnknownNameError) as error:
        corners = np.asarray(outline, dtype=np.float64)
        error.outline = hbb_to_polygon(corners) if corners.shape == (4,) else corners
        raise


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
        f"{root}: no {dataset} dataset, got {got}; {layout} is needed below it; correct the "
        "path, or put the files there"
    )


def files_by_stem(
    folder: Path, suffixes: Sequence[str], apart: Collection[str] = ()
) -> dict[str, Path]:
    """Files of a folder and all below it with one of the (lower-case) suffixes, by name.

    The name is without suffix, and of files in folders below without those: annotations may lie
    flat where images do not. Files that share it have their path below ``folder`` instead; of two
    that differ in their suffixes alone the second keeps its whole name, so that it is seen to have
    no partner.

    Args:
        apart: names of folders that are not part of this one, though they lie in it.
    """
    found = files_below(folder, suffixes, apart)
    # strings, as a Path costs ten times as much to make or to compare
    names = [relative_name(path, folder) for path in found]
    bare = [name.rpartition(".")[0] for name in names]
    stems = Counter(name.rpartition("/")[2] for name in bare)
    named: dict[str, Path] = {}
    for index in sorted(range(len(found)), key=lambda index: "/" in names[index]):
        stem = bare[index].rpartition("/")[2]
        stem = stem if stems[stem] == 1 else bare[index]
        named[names[index] if stem in named else stem] = found[index]
    return dict(sorted(named.items()))


def relative_name(path: Path, root: Path) -> str:
    """A file's name below the dataset's folder, with forward slashes; see ``printable``."""
    # quicker by far than path.relative_to, which splits both
    return printable(path.as_posix().removeprefix(f"{root.as_posix()}/"))


def image_name(record: SceneRecord, root: Path) -> str:
    """What errors name the image of a scene: its address, or its file's name below the folder.

    Args:
        record: of the scene.
        root: the dataset's folder.
    """
    url = None if record.opening is None else record.opening.url
    return relative_name(record.image, root) if url is None else url


def set_lost_links_aside(root: Path, quarantine: Quarantine) -> None:
    """List the folders of a dataset that are missing: links that lead nowhere.

    Args:
        root: the dataset's folder.
    """
    for path, why in lost_links(root):
        where = relative_name(path, root)
        quarantine.tell(
            where,
            "link that leads nowhere",
            f"link to a folder that is missing, got {why}; links to what is there are allowed; "
            "mend or remove it",
        )


def pair_files(
    images: Mapping[str, Path],
    labels: Mapping[str, Path],
    root: Path,
    quarantine: Quarantine,
    *more_labels: Mapping[str, Path],
) -> list[str]:
    """Keys that have both an image and an annotation file, sorted; the others are quarantined.

    Args:
        more_labels: annotation files beside ``labels``, which an image may have or not.
    """
    for key in sorted(set(images) - set(labels)):
        quarantine.tell(
            relative_name(images[key], root),
            "image without annotation",
            "no annotation file, got none of that name; the format demands one, be it empty; add "
            "it or remove the image",
        )
    alone = [path for key, path in labels.items() if key not in images]
    alone += [path for more in more_labels for key, path in more.items() if key not in images]
    for path in sorted(set(alone)):
        quarantine.tell(
            relative_name(path, root),
            "annotation without image",
            "no image, got none of that name; one is needed; add it or remove the file",
        )
    return sorted(set(images) & set(labels))


def read_text(path: Path, where: str) -> str:
    """A text file, UTF-8 with or without a mark, any line ends.

    Raises:
        AnnotationError: it is not text, or no file that can be read.
    """
    try:
        return read_bytes(path, where).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(
            f"{where}:1: not UTF-8 text, got {error.reason} at byte {error.start}; a text file is "
            "allowed; replace the file"
        ) from error


def number(text: str, where: str) -> float:
    """A number of at most ``LARGEST``, either sign.

    Raises:
        AnnotationError: the text is none.
    """
    try:
        value = math.nan if "_" in text else float(text)  # Python reads 1_0 as 10
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST:
        raise AnnotationError(
            f"{where}: not a number, got {text!r}; decimal numbers up to {LARGEST:.0e} are "
            "allowed; correct the file"
        )
    return value


def says_yes(value: object) -> bool:
    """Whether a flag (``difficult``, ``iscrowd``) is set: any number but 0, or a word for yes.

    Other words (``Unspecified``, an empty text) set nothing.
    """
    if isinstance(value, str):
        text = value.strip().lower()
        try:
            return float(text) != 0
        except ValueError:
            return text in ("true", "yes", "y", "t")
    return bool(value)


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
    parse: Callable[[Place, T], R],
    source_file: str,
    quarantine: Quarantine,
    noun: str = "",
) -> Items[R]:
    """Parse the annotations of a scene one by one; those that fail are quarantined.

    Args:
        items: (line or object number, raw annotation) in the file's order.
        parse: called with place and raw annotation. The ordinal of a place counts bad annotations
            too, so that correcting one leaves the ids of the others as they were.
        noun: what errors call an annotation that has a number; empty: it has a line.

    Returns:
        The good ones, with the places of the others: ignored regions, which are listed once, and
        what was quarantined, which may be anywhere but for ``placed``.
    """
    parsed: Items[R] = Items()
    regions = 0
    before = f"{source_file}:{noun} " if noun else f"{source_file}:"
    for ordinal, (line, item) in enumerate(items):
        try:
            parsed.append(parse(Place(source_file, ordinal, line, f"{before}{line}"), item))
        except IgnoredRegionError as region:
            parsed.uncertain.append((IGNORED, region.outline))
            regions += 1
        except (AnnotationError, UnknownNameError) as error:
            parsed.uncertain.append((SET_ASIDE, error.outline))
            set_aside(source_file, line, error, quarantine)
    leave_out_regions(source_file, regions, quarantine)
    return parsed


def taken(items: list[T]) -> Iterator[T]:
    """The items of a list in their order, each taken out of it, so that memory is free at once."""
    items.reverse()
    while items:
        yield items.pop()


def set_aside(source_file: str, line: int | None, error: SamrsError, q: Quarantine) -> None:
    """Quarantine what an error tells of, under the reason its class stands for.

    Args:
        line: of the annotation in its file; None where the whole file is meant.
        q: the table it is written to.
    """
    unknown = isinstance(error, UnknownNameError)
    q.add(source_file, line, "unknown class" if unknown else "does not parse", str(error))


def set_image_aside(
    image: Path, label: Path, root: Path, error: AnnotationError, quarantine: Quarantine
) -> None:
    """Quarantine an annotation file that does not parse, and its image: it is no negative.

    Args:
        label: the annotation file.
    """
    where, told = relative_name(image, root), relative_name(label, root)
    set_aside(told, None, error, quarantine)
    quarantine.tell(
        where,
        "image of a bad annotation file",
        f"set aside with its annotations, got {told} that does not parse; a good file is needed; "
        "correct it",
    )


def leave_out_regions(where: str, count: int, quarantine: Quarantine) -> None:
    """List, once a file, the regions whose objects its annotators left out: they are no objects.

    Args:
        where: relative name of the annotation file.
        count: of its regions.
    """
    if count:
        quarantine.tell(
            where,
            "ignored regions",
            f"regions are left out, got {count} that the annotators ignored; objects are allowed; "
            "nothing is to be done, but objects without boxes lie there",
        )


def set_folder_aside(where: str, count: int, quarantine: Quarantine) -> None:
    """Quarantine a folder of images of which none has annotations: none of them is a negative.

    Args:
        where: relative name of the folder.
        count: of its images.
    """
    quarantine.tell(
        where,
        "folder without labels",
        f"none of its {count} images has labels, got no file of them; labels are needed, an empty "
        "file for an image without objects; put them there",
    )


def sound_annotations(
    annotations: Iterable[Annotation], size_wh: tuple[int, int], quarantine: Quarantine
) -> Items[Annotation]:
    """The annotations whose boxes have an area and meet their image; others are quarantined.

    Those without an area are uncertain where they are, and a px around.
    """
    given = list(annotations)
    hbbs = np.array([a.hbb for a in given], dtype=np.float64).reshape(-1, 4)
    inside = np.minimum(np.maximum(hbbs, 0), [*size_wh, *size_wh])
    sides = hbbs[:, 2:] - hbbs[:, :2]
    empty = np.asarray((sides <= 0).any(axis=1) | (sides.prod(axis=1) <= 0))  # or underflow
    outside = np.asarray(((inside[:, 2:] - inside[:, :2]) <= 0).any(axis=1))
    rotated = np.flatnonzero([a.obb is not None for a in given])
    for begin in range(0, len(rotated), _AT_ONCE):
        some = rotated[begin : begin + _AT_ONCE]
        empty[some] |= polygon_areas(np.array([given[i].obb for i in some])) <= 0
    sound: Items[Annotation] = Items()
    for annotation, is_empty, is_outside in zip(given, empty, outside, strict=True):
        if is_empty:
            reason, allowed = "box without area", "boxes of positive width and height"
            sound.uncertain.append((SET_ASIDE, _around(annotation)))
        elif is_outside:
            reason, allowed = "box outside its image", f"boxes that meet its {size_wh} px"
        else:
            sound.append(annotation)
            continue
        box = annotation.hbb if annotation.obb is None else annotation.obb.ravel()
        quarantine.tell(
            annotation.source_file,
            reason,
            f"{reason}, got {annotation.category} at {box.tolist()}; {allowed} are allowed; "
            "correct the annotation",
            annotation.source_line,
        )
    return sound


def _around(annotation: Annotation) -> Outline:
    """The hull of all corners of an annotation, grown by a px."""
    corners = [annotation.hbb.reshape(2, 2), *([] if annotation.obb is None else [annotation.obb])]
    points = np.concatenate(corners)
    return hbb_to_polygon(np.concatenate([points.min(axis=0) - 1, points.max(axis=0) + 1]))


def where_of(annotation: Annotation) -> str:
    """Where an annotation stands: its file, and line where that is known."""
    if annotation.source_line is None:
        return annotation.source_file
    return f"{annotation.source_file}:{annotation.source_line}"


def set_scene_aside(
    record: SceneRecord, where: str, reason: str, detail: str, quarantine: Quarantine
) -> None:
    """Quarantine an image and, so that no annotation is lost in silence, each of its boxes.

    Args:
        reason: the word it is counted under.
    """
    quarantine.add(where, None, reason, detail)
    for annotation in record.annotations:
        quarantine.tell(
            annotation.source_file,
            "annotation of a bad image",
            f"set aside with its image {where}, got {reason} there; a good image is needed; "
            "correct it",
            annotation.source_line,
        )
