"""FAIR1M-2.0, the source of FAST: fine-grained objects in Gaofen and Google Earth images.

Source: Sun et al., ISPRS 2022 (arXiv 2103.05569), registration at gaofen-challenge.com. 0.3 to
0.8 m per px, GeoTIFF of 600 to 10,000 px a side, 37 classes, rotated boxes only.

Layout read (``part1`` and ``part2`` of the official archives, or one folder a split)::

    train/part1/images/0.tif         train/part1/labelXml/0.xml
    train/part2/images/8288.tif      train/part2/labelXmls/8288.xml
    validation/images/0.tif          validation/labelXmls/0.xml
    <split>/images/*.tif             <split>/labelXml/*.xml

A raw object::

    <annotation><source><filename>0.tif</filename></source>
    <size><width>1000</width><height>1000</height><depth>3</depth></size><objects><object>
      <coordinate>pixel</coordinate><possibleresult><name>Cargo Truck</name></possibleresult>
      <points><point>10.0,20.0</point><point>30.0,20.0</point><point>30.0,28.0</point>
              <point>10.0,28.0</point><point>10.0,20.0</point></points>
    </object></objects></annotation>

The fifth point closes the polygon. Class names hold spaces, which SAMRS writes "-". Train and
validation reuse file names, so the split (and part) is put before the scene's id. The horizontal
box is the hull of the rotated one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError
from samrs.core.geometry import clockwise, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
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
    relative_name,
    set_image_aside,
)
from samrs.reading.xml import child_text, read_objects

CATEGORIES: tuple[str, ...] = (
    "A220",
    "A321",
    "A330",
    "A350",
    "ARJ21",
    "Baseball-Field",
    "Basketball-Court",
    "Boeing737",
    "Boeing747",
    "Boeing777",
    "Boeing787",
    "Bridge",
    "Bus",
    "C919",
    "Cargo-Truck",
    "Dry-Cargo-Ship",
    "Dump-Truck",
    "Engineering-Ship",
    "Excavator",
    "Fishing-Boat",
    "Football-Field",
    "Intersection",
    "Liquid-Cargo-Ship",
    "Motorboat",
    "other-airplane",
    "other-ship",
    "other-vehicle",
    "Passenger-Ship",
    "Roundabout",
    "Small-Car",
    "Tennis-Court",
    "Tractor",
    "Trailer",
    "Truck-Tractor",
    "Tugboat",
    "Van",
    "Warship",
)
SUBSET: str | None = "FAST"


_FOLDERS = (
    ("train", "train"),
    ("train", "train/part1"),
    ("train", "train/part2"),
    ("val", "val"),
    ("val", "validation"),
)
_LAYOUT = "<split>/images/*.tif with <split>/labelXml/*.xml (split: train, validation)"


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and objects are quarantined.

    Raises:
        MissingInputError: there is no FAIR1M below ``root``.
    """
    found: list[tuple[str, str, Path, Path]] = []
    folders = [(s, root / f) for s, f in _FOLDERS if (root / f / "images").is_dir()]
    if not folders:
        raise missing_dataset(root, "fair1m", _LAYOUT)
    for split, folder in folders:
        labelled = first_folder(folder, ("labelXml", "labelXmls"))
        images = files_by_stem(folder / "images", IMAGE_SUFFIXES)
        labels = {} if labelled is None else files_by_stem(labelled, (".xml",))
        prefix = relative_name(folder, root).replace("/", "_")
        for stem in pair_files(images, labels, root, quarantine):
            found.append((clean_id(f"{prefix}_{stem}"), split, images[stem], labels[stem]))
    for scene_id, split, image, label in sorted(found, key=lambda scene: scene[0]):
        where = relative_name(label, root)
        try:
            annotations, size_wh = read_objects(
                label, where, "objects/object", _parse_object, quarantine
            )
        except AnnotationError as error:
            set_image_aside(image, label, root, error, quarantine)
            continue
        yield SceneRecord(
            scene_id=scene_id,
            split=split,
            image=image,
            annotations=tuple(annotations),
            uncertain=annotations.uncertain,
            declared_wh=size_wh,
        )


def _parse_object(at: Place, element: Any) -> Annotation:
    texts = [(point.text or "").strip() for point in element.findall("points/point")]
    points = [[number(v, at.where) for v in text.split(",")] for text in texts]
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()
    if len(points) != 4 or any(len(p) != 2 for p in points):
        raise AnnotationError(
            f"{at.where}: polygon does not parse, got {texts}; four points x,y, the first one "
            "repeated, are allowed; correct the object"
        )
    corners = clockwise(np.array(points))
    with placed(corners):
        name = child_text(element, "possibleresult/name", at.where)
        category = category_of(name, CATEGORIES, at.where)
    return at.annotation(category, polygon_to_hbb(corners), corners)
