"""DIOR and DIOR-R, the source of SIOR: 23,463 images of 800 x 800 px, 192,518 boxes, 20 classes.

Source: Li et al., ISPRS 2020 (arXiv 1909.00133); rotated boxes: Cheng et al., TGRS 2022 (arXiv
2110.01931). Google Earth, 0.5 to 30 m per px; trainval 11,725 and test 11,738 images.

Layout read (or ``images/{trainval,test}``, ``annotations/{horizontal,oriented}``, ``splits``)::

    JPEGImages-trainval/00001.jpg, JPEGImages-test/11726.jpg
    Annotations/Horizontal Bounding Boxes/00001.xml
    Annotations/Oriented Bounding Boxes/00001.xml       optional; or the only one
    Main/{train,val,test}.txt                           optional: ids by split

A raw object of either file::

    <object><name>golffield</name><bndbox><xmin>133</xmin><ymin>237</ymin>
        <xmax>684</xmax><ymax>672</ymax></bndbox></object>
    <object><type>robndbox</type><name>golffield</name><difficult>0</difficult><robndbox>
        <x_left_top>133</x_left_top><y_left_top>237</y_left_top>...</robndbox>
        <angle>0</angle></object>

Names differ in case and hyphens from the class list ("Expressway-Service-area"). Corners of
``bndbox`` are VOC's, 1-based and inclusive: (xmin - 1, ymin - 1, xmax, ymax) here. Those of
``robndbox`` name the same px, so their centres, half a px back, are the corners here; they may lie
outside the image. Where they name a single row of px (four objects), the row's outer edges are the
corners: a box has an area. ``angle`` is not used. The two files list the same objects in different
orders (a quarter of the images), so boxes are paired by class and overlap; 141 of the 192,518 pairs
contradict each other in place or class and are listed. The public mirror lacks the
test annotations: a test folder without a single one is set aside as a whole.

The size that a horizontal file declares must be the image's; all declare 800 x 800. 33 rotated
files declare heights of 782 to 816 px, though their boxes lie where those of 800 px do (mean IoU
with the horizontal ones 0.82; 0.64 when scaled), so that is not compared.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array, clockwise, hbb_to_polygon
from samrs.core.names import clean_id
from samrs.core.parallel import map_many
from samrs.core.records import Annotation, Outline, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    Place,
    category_of,
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
from samrs.reading.pairing import pair_annotations, unpaired
from samrs.reading.xml import child_text, child_texts, read_objects

CATEGORIES: tuple[str, ...] = (
    "airplane",
    "airport",
    "baseballfield",
    "basketballcourt",
    "bridge",
    "chimney",
    "expressway-service-area",
    "expressway-toll-station",
    "dam",
    "golffield",
    "groundtrackfield",
    "harbor",
    "overpass",
    "ship",
    "stadium",
    "storagetank",
    "tenniscourt",
    "trainstation",
    "vehicle",
    "windmill",
)
SUBSET: str | None = "SIOR"


_HORIZONTAL = ("Annotations/Horizontal Bounding Boxes", "annotations/horizontal", "Annotations")
_ORIENTED = ("Annotations/Oriented Bounding Boxes", "annotations/oriented")
_LAYOUT = "JPEGImages-trainval/*.jpg with Annotations/Horizontal Bounding Boxes/*.xml"
_VOC = ("xmin", "ymin", "xmax", "ymax")
_CORNERS = tuple(
    f"{axis}_{corner}"
    for corner in ("left_top", "right_top", "right_bottom", "left_bottom")
    for axis in "xy"
)


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Raises:
        MissingInputError: there is no DIOR below ``root``.
    """
    horizontal = first_folder(root, _HORIZONTAL)
    oriented = first_folder(root, _ORIENTED)
    apart = {Path(folder).name for folder in (*_HORIZONTAL, *_ORIENTED)}
    images: dict[str, Path] = {}
    splits: dict[str, str] = {}
    hbbs = {} if horizontal is None else files_by_stem(horizontal, (".xml",), apart)
    obbs = {} if oriented is None else files_by_stem(oriented, (".xml",))
    for split in ("trainval", "test"):
        folder = first_folder(root, (f"JPEGImages-{split}", f"images/{split}"))
        found = {} if folder is None else files_by_stem(folder, IMAGE_SUFFIXES)
        if folder is not None and split == "test" and not found.keys() & {*hbbs, *obbs}:
            _set_split_aside(relative_name(folder, root), len(found), quarantine)
            continue
        images.update(found)
        splits.update(dict.fromkeys(found, split))
    if not images or not (hbbs or obbs):
        raise missing_dataset(root, "dior", _LAYOUT)
    splits.update(_listed_splits(root, splits, quarantine))
    labels = obbs | hbbs
    stems = pair_files(images, labels, root, quarantine, obbs)
    stems.sort(key=clean_id)
    files = [(images[stem], labels[stem], obbs.get(stem)) for stem in stems]
    read = map_many(partial(_read_boxes, root), files)
    for stem, (boxes, size_wh, bad, uncertain) in zip(stems, read, strict=True):
        quarantine.rows += bad
        if boxes is not None:
            yield SceneRecord(
                scene_id=clean_id(stem),
                split=splits[stem],
                image=images[stem],
                annotations=boxes,
                declared_wh=size_wh,
                uncertain=uncertain,
            )


class _Read(NamedTuple):
    """The boxes of an image (None: set aside), the size that its horizontal file declares, the
    quarantine's rows, and the uncertain places."""

    boxes: tuple[Annotation, ...] | None
    size_wh: tuple[int, int] | None
    bad: list[dict[str, object]]
    uncertain: Sequence[tuple[str, Outline]]


def _read_boxes(root: Path, files: tuple[Path, Path, Path | None]) -> _Read:
    """What an image's horizontal and rotated file say.

    Where only the rotated file is there, the horizontal boxes are its hulls.

    Args:
        files: the image, the file that says which objects there are, the rotated one or None.

    Returns:
        No boxes, but None, where the first of the files does not parse.
    """
    image, label, oriented = files
    quarantine = Quarantine()
    parse = _parse_obb if label == oriented else _parse_hbb
    try:
        where = relative_name(label, root)
        boxes, size_wh = read_objects(label, where, "object", parse, quarantine)
    except AnnotationError as error:
        set_image_aside(image, label, root, error, quarantine)
        return _Read(None, None, quarantine.rows, [])
    if label == oriented:
        return _Read(tuple(boxes), None, quarantine.rows, boxes.uncertain)
    uncertain = boxes.uncertain
    told: Sequence[Annotation] = boxes
    if oriented is not None:
        try:
            where = relative_name(oriented, root)
            rotated, _ = read_objects(oriented, where, "object", _parse_obb, quarantine)
        except AnnotationError as error:
            set_aside(where, None, error, quarantine)
            return _Read(tuple(boxes), size_wh, quarantine.rows, uncertain)
        pairs = pair_annotations(boxes, rotated, quarantine, same_objects=True)
        uncertain = uncertain + rotated.uncertain + unpaired(rotated, pairs)
        told = [
            a if pair is None else _with_obb(a, pair) for a, pair in zip(boxes, pairs, strict=True)
        ]
    return _Read(tuple(told), size_wh, quarantine.rows, uncertain)


def _with_obb(box: Annotation, pair: Annotation) -> Annotation:
    """A horizontal box with the rotated one of its pair, sooner than by dataclasses.replace."""
    return Annotation(
        category=box.category,
        hbb=box.hbb,
        obb=pair.obb,
        source_file=box.source_file,
        ordinal=box.ordinal,
        source_line=box.source_line,
        difficult=pair.difficult,
    )


def _set_split_aside(folder: str, num_images: int, quarantine: Quarantine) -> None:
    if num_images:
        quarantine.tell(
            folder,
            "split without annotations",
            f"none of its images is annotated, got {num_images} images; one XML file an image is "
            "needed; add the test annotations or remove the folder",
        )


def _listed_splits(root: Path, splits: Mapping[str, str], quarantine: Quarantine) -> dict[str, str]:
    """Split of each image by ``Main/*.txt``; only of images that are there.

    The first of two lists counts, and an image of the folder for tests is of no other split: the
    other is told.

    Args:
        splits: of each image by its folder, ``trainval`` or ``test``.
    """
    folder = first_folder(root, ("Main", "ImageSets/Main", "splits"))
    listed: dict[str, str] = {}
    for split in ("train", "val", "test"):
        path = None if folder is None else folder / f"{split}.txt"
        if path is not None and os.path.lexists(path):
            where = relative_name(path, root)
            try:
                lines = read_text(path, where).split("\n")
            except AnnotationError as error:
                set_aside(where, None, error, quarantine)
                continue
            for number, line in enumerate(lines, start=1):
                stem = re.sub(r"\.(jpe?g|png|tiff?|bmp)$", "", line.strip(), flags=re.IGNORECASE)
                if stem not in splits:
                    continue
                known = listed.setdefault(stem, "test" if splits[stem] == "test" else split)
                if known != split:
                    quarantine.tell(
                        where,
                        "image in two splits",
                        f"image in two splits, got {stem!r}, which is of {known} already; one "
                        "split an image is allowed; correct the list",
                        number,
                    )
    return listed


def _parse_hbb(at: Place, element: Any) -> Annotation:
    x0, y0, x1, y1 = _numbers(element, "bndbox", _VOC, at.where)
    return _annotation(at, element, np.array([x0 - 1, y0 - 1, x1, y1]), None)


def _numbers(element: Any, parent: str, names: Sequence[str], where: str) -> list[float]:
    texts = child_texts(element, parent, where)
    missing = [name for name in names if not texts.get(name)]
    if missing:
        raise AnnotationError(
            f"{where}: a field is missing, got no text in <{parent}/{missing[0]}>; the format "
            "demands it; correct the file"
        )
    return [number(texts[name], where) for name in names]


def _parse_obb(at: Place, element: Any) -> Annotation:
    places = [px - 0.5 for px in _numbers(element, "robndbox", _CORNERS, at.where)]
    xs, ys = places[::2], places[1::2]  # plain numbers: numpy costs more than it saves on four
    hull = np.array([min(xs), min(ys), max(xs), max(ys)])
    corners = clockwise(np.array(places).reshape(4, 2))
    if (hull[2:] == hull[:2]).any():
        hull += [-0.5, -0.5, 0.5, 0.5]
        corners = hbb_to_polygon(hull)
    return _annotation(at, element, hull, corners)


def _annotation(at: Place, element: Any, hbb: Array, obb: Array | None) -> Annotation:
    with placed(hbb):
        category = category_of(child_text(element, "name", at.where), CATEGORIES, at.where)
    return at.annotation(category, hbb, obb, difficult=says_yes(element.findtext("difficult")))
