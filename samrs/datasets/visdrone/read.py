"""VisDrone-DET: 10,209 images from drones with boxes of pedestrians and vehicles, 10 classes.

Source: Zhu et al., TPAMI 2021 (arXiv 2001.06303), github.com/VisDrone/VisDrone-Dataset; academic
use. 14 cities of China, up to 2,000 x 1,500 px; 6,471 images train, 548 val, 1,610 test-dev, whose
annotations are published, and 1,580 test-challenge, whose are not.

Layout read, one or several such folders, also below another, or their content alone::

    VisDrone2019-DET-train/images/0000002_00005_d_0000014.jpg
    VisDrone2019-DET-train/annotations/0000002_00005_d_0000014.txt

A raw file::

    684,8,273,116,0,0,0,0
    406,119,265,70,1,4,0,1

Left, top, width and height in px from 0, score, class, truncation (0, 1), occlusion (0, 1, 2); some
lines end in a comma. Class 0 are ignored regions: crowds and far places whose objects have no boxes
of their own. They are no objects, are left out and listed once a file. Score 0 says that a box
does not count in evaluation, as all of class 11 (others) do not: these are difficult here. A folder
of images without annotations is set aside by name. A set converted to YOLO's layout is a ``yolo``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.geometry import hbb_to_polygon
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    IgnoredRegionError,
    Items,
    Place,
    files_by_stem,
    missing_dataset,
    number,
    pair_files,
    placed,
    read_items,
    read_text,
    relative_name,
    set_folder_aside,
    set_image_aside,
)
from samrs.reading.files import files_below
from samrs.reading.splits import split_of_folders

CATEGORIES: tuple[str, ...] = (
    "pedestrian",
    "people",
    "bicycle",
    "car",
    "van",
    "truck",
    "tricycle",
    "awning-tricycle",
    "bus",
    "motor",
    "others",
)
SUBSET: str | None = None

_LAYOUT = "images/*.jpg with annotations/*.txt, or folders VisDrone2019-DET-<split> of these"
_FIELDS = 8
_IGNORED = 0


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and lines are quarantined.

    Raises:
        MissingInputError: there is no VisDrone-DET below ``root``.
    """
    found: list[tuple[str, str, Path, Path]] = []
    for part in _parts(root):
        images = files_by_stem(part / "images", IMAGE_SUFFIXES)
        labels = files_by_stem(part / "annotations", (".txt",))
        if images and not labels:
            set_folder_aside(relative_name(part / "images", root), len(images), quarantine)
            continue
        below = "" if part == root else relative_name(part, root)
        split = split_of_folders(f"{below}/")
        for stem in pair_files(images, labels, root, quarantine):
            scene_id = clean_id(f"{below}_{stem}" if below else stem)
            found.append((scene_id, split or "all", images[stem], labels[stem]))
    for scene_id, split, image, label in sorted(found):
        try:
            annotations = _read_labels(label, root, quarantine)
        except AnnotationError as error:
            set_image_aside(image, label, root, error, quarantine)
            continue
        yield SceneRecord(
            scene_id=scene_id,
            split=split,
            image=image,
            annotations=tuple(annotations),
            uncertain=annotations.uncertain,
        )


def _parts(root: Path) -> list[Path]:
    """Folders with images in ``images``, sorted, of which one has ``annotations`` at least."""
    names = (relative_name(path, root) for path in files_below(root, IMAGE_SUFFIXES))
    befores = {
        before for before, found, _ in (f"/{n}".partition("/images/") for n in names) if found
    }
    parts = sorted(root / before.lstrip("/") for before in befores)
    if not any((part / "annotations").is_dir() for part in parts):
        raise missing_dataset(root, "visdrone", _LAYOUT)
    return parts


def _read_labels(path: Path, root: Path, quarantine: Quarantine) -> Items[Annotation]:
    where = relative_name(path, root)
    lines = enumerate(read_text(path, where).splitlines(), start=1)
    told = [(line, text) for line, text in lines if text.strip()]
    return read_items(told, _parse, where, quarantine)


def _parse(at: Place, text: str) -> Annotation:
    fields = text.strip().removesuffix(",").split(",")
    if len(fields) != _FIELDS:
        raise AnnotationError(
            f"{at.where}: does not parse, got {len(fields)} fields; left, top, width, height, "
            "score, class, truncation, occlusion are allowed; correct the line"
        )
    left, top, width, height, score, category = (number(f.strip(), at.where) for f in fields[:6])
    if score not in (0, 1):
        raise AnnotationError(
            f"{at.where}: not an annotation, got score {score}; 0 or 1 is allowed, others are of "
            "detections; bring the annotations"
        )
    hbb = np.array([left, top, left + width, top + height])
    if category == _IGNORED:
        raise IgnoredRegionError(hbb_to_polygon(hbb))
    if category not in range(1, len(CATEGORIES) + 1):
        with placed(hbb):
            raise UnknownNameError(
                f"{at.where}: unknown class, got {fields[5].strip()}; 0 to {len(CATEGORIES)} are "
                "allowed; correct the line"
            )
    return at.annotation(CATEGORIES[int(category) - 1], hbb, difficult=score == 0)
