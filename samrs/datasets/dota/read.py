"""DOTA-v2.0, the source of SOTA: 2,423 labelled aerial scenes, rotated and horizontal boxes.

Source: https://captain-whu.github.io/DOTA, Ding et al., TPAMI 2021 (arXiv 2102.12219). Scenes
of Google Earth, GF-2, JL-1 and CycloMedia, 300 to 20,000 px a side; 18 classes; train 1,830 and
val 593 scenes carry labels.

Layout read (the first of each that exists)::

    <split>/images/P0003.png
    <split>/labelTxt/P0003.txt          rotated; or labelTxt-v2.0/DOTA-v2.0_<split>/,
                                        or annotations/version2.0/ (or version1.0/)
    <split>/labelTxt-hbb/P0003.txt      horizontal, optional; or
                                        labelTxt-v2.0/DOTA-v2.0_<split>_hbb/

or the same folders without a split ("all"). A raw file::

    imagesource:GoogleEarth
    gsd:0.115726939386
    937 913 921 912 923 874 940 875 small-vehicle 0

Eight coordinates (any start, either turn, possibly floats or outside the image), class, difficult;
both header lines are optional, ``gsd:null`` occurs, ``difficult`` may be missing, an empty file is
an image without objects. The horizontal version has eight coordinates too. A scene's horizontal
boxes are those of that version where it is there, else the hulls of the rotated ones; where only
that version is there, there are no rotated boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from samrs.core.errors import AnnotationError
from samrs.core.geometry import clockwise, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    Items,
    Place,
    category_of,
    files_by_stem,
    first_folder,
    missing_dataset,
    number,
    pair_files,
    placed,
    read_items,
    read_text,
    relative_name,
    says_yes,
    set_aside,
    set_image_aside,
)
from samrs.reading.pairing import pair_annotations, unpaired

CATEGORIES: tuple[str, ...] = (
    "large-vehicle",
    "swimming-pool",
    "helicopter",
    "bridge",
    "plane",
    "ship",
    "soccer-ball-field",
    "basketball-court",
    "ground-track-field",
    "small-vehicle",
    "baseball-diamond",
    "tennis-court",
    "roundabout",
    "storage-tank",
    "harbor",
    "container-crane",
    "airport",
    "helipad",
)
SUBSET: str | None = "SOTA"

# Version 2.0 adds scenes to those of version 1.0, so both image archives are needed.


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and lines are quarantined.

    Raises:
        MissingInputError: there is no DOTA below ``root``.
    """
    found: list[tuple[str, str, Path, Path, Path | None]] = []
    splits = [s for s in ("train", "val") if (root / s / "images").is_dir()]
    if not splits and not (root / "images").is_dir():
        raise missing_dataset(root, "dota", "<split>/images/*.png with <split>/labelTxt/*.txt")
    if splits and (root / "test" / "images").is_dir():
        splits += _tests(root, quarantine)
    for split in splits or ["all"]:
        base = root / split if splits else root
        rotated, horizontal = _label_folders(base, split)
        images = files_by_stem(base / "images", IMAGE_SUFFIXES)
        labels = {} if rotated is None else files_by_stem(rotated, (".txt",))
        hbbs = {} if horizontal is None else files_by_stem(horizontal, (".txt",))
        labels = hbbs | labels
        for stem in pair_files(images, labels, root, quarantine, hbbs):
            found.append((clean_id(stem), split, images[stem], labels[stem], hbbs.get(stem)))
    for scene_id, split, image, label, hbb in sorted(found, key=lambda scene: scene[:2]):
        try:
            found_boxes, gsd = _read_labels(label, root, quarantine)
        except AnnotationError as error:
            set_image_aside(image, label, root, error, quarantine)
            continue
        annotations, uncertain = list(found_boxes), found_boxes.uncertain
        if hbb == label:
            annotations = [replace(a, obb=None) for a in annotations]
        elif hbb is not None:
            horizontal_boxes = _read_horizontal(hbb, root, quarantine)
            pairs = pair_annotations(annotations, horizontal_boxes, quarantine)
            uncertain = uncertain + horizontal_boxes.uncertain + unpaired(horizontal_boxes, pairs)
            annotations = [
                a if pair is None else replace(a, hbb=pair.hbb)
                for a, pair in zip(annotations, pairs, strict=True)
            ]
        yield SceneRecord(
            scene_id=scene_id,
            split=split,
            image=image,
            annotations=tuple(annotations),
            gsd=gsd,
            uncertain=uncertain,
        )


def _tests(root: Path, quarantine: Quarantine) -> list[str]:
    """The split test where it has labels, which DOTA keeps for itself; else it is listed."""
    if any(_label_folders(root / "test", "test")):
        return ["test"]
    quarantine.add(
        "test/images",
        None,
        "split without annotations",
        "test/images: none of its images is annotated, got no labelTxt beside them; one file an "
        "image is needed; add them or remove the folder",
    )
    return []


def _label_folders(base: Path, split: str) -> tuple[Path | None, Path | None]:
    # annotations/version*: as the mirror's archives unpack (torchgeo's DOTA reads them likewise)
    mirror = ("annotations/version2.0", "annotations/version1.0")
    rotated = (f"labelTxt-v2.0/DOTA-v2.0_{split}", *mirror, "labelTxt")
    horizontal = (f"labelTxt-v2.0/DOTA-v2.0_{split}_hbb", "labelTxt-hbb")
    return first_folder(base, rotated), first_folder(base, horizontal)


def _read_labels(
    path: Path, root: Path, quarantine: Quarantine
) -> tuple[Items[Annotation], float | None]:
    where = relative_name(path, root)
    lines = read_text(path, where).splitlines()
    gsds: list[float | None] = []

    def boxes() -> Iterator[tuple[int, str]]:
        for line, text in enumerate(lines, start=1):
            key, colon, value = text.partition(":")
            if colon and key.strip().lower() == "gsd":
                gsds.append(_gsd(value, where, line, quarantine))
            elif text.strip() and not (colon and key.strip().lower() == "imagesource"):
                yield line, text

    parsed = read_items(boxes(), _parse_line, where, quarantine)
    return parsed, gsds[-1] if gsds else None


def _read_horizontal(path: Path, root: Path, quarantine: Quarantine) -> Items[Annotation]:
    """Horizontal boxes of a scene that has rotated ones, too; none where the file is no text."""
    try:
        return _read_labels(path, root, quarantine)[0]
    except AnnotationError as error:
        set_aside(relative_name(path, root), None, error, quarantine)
        return Items()


def _gsd(value: str, where: str, line: int, quarantine: Quarantine) -> float | None:
    if value.strip().lower() in ("", "null", "none"):
        return None
    try:
        gsd = number(value.strip(), f"{where}:{line}")
    except AnnotationError as error:
        set_aside(where, line, error, quarantine)
        return None
    return gsd if gsd > 0 else None


def _parse_line(at: Place, text: str) -> Annotation:
    tokens = text.split()
    if len(tokens) not in (9, 10):
        raise AnnotationError(
            f"{at.where}: line does not parse, got {len(tokens)} fields in {text.strip()!r}; "
            "x1 y1 x2 y2 x3 y3 x4 y4 class [difficult] is allowed; correct the line"
        )
    places = [number(token, at.where) for token in tokens[:8]]
    corners = clockwise(np.array([places[0:2], places[2:4], places[4:6], places[6:8]]))
    with placed(corners):
        category = category_of(tokens[8], CATEGORIES, at.where)
    difficult = len(tokens) == 10 and says_yes(tokens[9])
    return at.annotation(category, polygon_to_hbb(corners), corners, difficult=difficult)
