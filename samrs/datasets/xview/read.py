"""xView: 1 km² chips of WorldView-3 with a million boxes, 60 classes, one GeoJSON file.

Source: Lam et al., 2018 (arXiv 1802.07856), xviewdataset.org; CC BY-NC-SA 4.0, registration. 0.3 m
per px, about 3,000 px a side; 846 images with labels, 281 val images whose labels are not
published.

Layout read: one ``*.geojson`` and the images, in any folders::

    xView_train.geojson          or train_labels/xView_train.geojson
    train_images/10.tif

A raw feature::

    {"type": "Feature", "properties": {"bounds_imcoords": "2712,1145,2746,1177",
     "type_id": 73, "image_id": "2355.tif", "feature_id": 374410},
     "geometry": {"type": "Polygon", "coordinates": [[[-90.53, 14.56], ...]]}}

``bounds_imcoords`` is left, top, right, bottom in px of the chip; the geometry is not used. Classes
are those of the publisher's xview_class_labels.txt. The ids 75 and 82 occur without a name there:
their boxes are set aside as of an unknown class. So are boxes of images that are not there (the
file lists 1395.tif, which was not published), and images no box is of, as nobody says that these
are without objects; a folder of these alone (``val_images``) is set aside by name. Several GeoJSON
files are read one after the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    SET_ASIDE,
    Place,
    missing_dataset,
    number,
    placed,
    read_items,
    relative_name,
    set_folder_aside,
)
from samrs.reading.files import files_below
from samrs.reading.image_names import Images
from samrs.reading.json_file import read_lists, whole_number
from samrs.reading.splits import split_of, split_of_folders

_CLASSES = {
    11: "Fixed-wing Aircraft",
    12: "Small Aircraft",
    13: "Passenger/Cargo Plane",
    15: "Helicopter",
    17: "Passenger Vehicle",
    18: "Small Car",
    19: "Bus",
    20: "Pickup Truck",
    21: "Utility Truck",
    23: "Truck",
    24: "Cargo Truck",
    25: "Truck Tractor w/ Box Trailer",
    26: "Truck Tractor",
    27: "Trailer",
    28: "Truck Tractor w/ Flatbed Trailer",
    29: "Truck Tractor w/ Liquid Tank",
    32: "Crane Truck",
    33: "Railway Vehicle",
    34: "Passenger Car",
    35: "Cargo/Container Car",
    36: "Flat Car",
    37: "Tank car",
    38: "Locomotive",
    40: "Maritime Vessel",
    41: "Motorboat",
    42: "Sailboat",
    44: "Tugboat",
    45: "Barge",
    47: "Fishing Vessel",
    49: "Ferry",
    50: "Yacht",
    51: "Container Ship",
    52: "Oil Tanker",
    53: "Engineering Vehicle",
    54: "Tower crane",
    55: "Container Crane",
    56: "Reach Stacker",
    57: "Straddle Carrier",
    59: "Mobile Crane",
    60: "Dump Truck",
    61: "Haul Truck",
    62: "Scraper/Tractor",
    63: "Front loader/Bulldozer",
    64: "Excavator",
    65: "Cement Mixer",
    66: "Ground Grader",
    71: "Hut/Tent",
    72: "Shed",
    73: "Building",
    74: "Aircraft Hangar",
    76: "Damaged Building",
    77: "Facility",
    79: "Construction Site",
    83: "Vehicle Lot",
    84: "Helipad",
    86: "Storage Tank",
    89: "Shipping container lot",
    91: "Shipping Container",
    93: "Pylon",
    94: "Tower",
}
CATEGORIES: tuple[str, ...] = tuple(_CLASSES.values())
SUBSET: str | None = None

GSD = 0.3
_LAYOUT = "xView_train.geojson with train_images/*.tif"
_KEPT = ("type", "features", "properties", "bounds_imcoords", "type_id", "image_id")
_UNNAMED = (75, 82)

Item = tuple[int, dict[str, Any]]


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad features are quarantined.

    Raises:
        MissingInputError: there is no xView below ``root``.
        AnnotationError: a file is no GeoJSON.
    """
    files = files_below(root, (".geojson",)) if root.is_dir() else []
    paths = files_below(root, IMAGE_SUFFIXES)
    if not files or not paths:
        raise missing_dataset(root, "xview", _LAYOUT)
    found: dict[Path, tuple[str, list[Item]]] = {}
    twice: set[Path] = set()
    for file in files:
        where = relative_name(file, root)
        for path, items in _by_image(file, where, Images(paths, root), quarantine).items():
            if path in found:
                twice.add(path)
                quarantine.tell(
                    where,
                    "image in two files",
                    f"image in two files, got {len(items)} boxes of {relative_name(path, root)}, "
                    f"whose boxes {found[path][0]} has; one file an image is allowed; remove "
                    "either",
                )
            else:
                found[path] = (where, items)
    _tell_unlisted([path for path in paths if path not in found], set(found), root, quarantine)
    for path in sorted(found, key=lambda path: (_scene_id(path, root), path)):
        where, items = found[path]
        split = split_of_folders(relative_name(path, root)) or split_of(Path(where).stem)
        boxes = read_items(items, _parse, where, quarantine, "feature")
        yield SceneRecord(
            scene_id=_scene_id(path, root),
            split=split or "all",
            image=path,
            annotations=tuple(boxes),
            gsd=GSD,
            uncertain=boxes.uncertain + ([(SET_ASIDE, None)] if path in twice else []),
        )


def _scene_id(path: Path, root: Path) -> str:
    return clean_id(relative_name(path, root).rpartition(".")[0])


def _by_image(
    file: Path, where: str, images: Images, quarantine: Quarantine
) -> dict[Path, list[Item]]:
    """(number from 1, properties) of the features by image; those of none are quarantined."""
    # a million features: what is not used is dropped as it is parsed
    wanted = "a file of xView's features"
    data = read_lists(
        file, where, wanted, ["features"], lambda o: {k: o[k] for k in _KEPT if k in o}
    )
    found: dict[Path, list[Item]] = defaultdict(list)
    known: dict[str, Path | None] = {}
    for position, feature in enumerate(data["features"], start=1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        told = properties.get("image_id") if isinstance(properties, dict) else None
        name = told if isinstance(told, str) else ""
        if name not in known:
            fitting = images.named(name, where)
            known[name] = fitting[0] if len(fitting) == 1 else None
        path = known[name]
        if path is None:
            quarantine.add(
                where,
                position,
                "annotation without image",
                f"{where}:feature {position}: annotation without image, got image_id "
                f"{str(told)[:100]!r}; the name of one image that is there is allowed; add it or "
                "remove the feature",
            )
            continue
        found[path].append((position, properties or {}))
    return found


def _tell_unlisted(
    paths: list[Path], listed: set[Path], root: Path, quarantine: Quarantine
) -> None:
    """Quarantine the images without features, by folder where all of it are."""
    used = {path.parent for path in listed}
    alone: dict[Path, int] = defaultdict(int)
    for path in paths:
        where = relative_name(path, root)
        if path.parent not in used:
            alone[path.parent] += 1
            continue
        quarantine.tell(
            where,
            "image without annotation",
            "no feature is of it, got none with its name as image_id; nobody says that it is "
            "without objects; add its boxes or remove it",
        )
    for folder, count in sorted(alone.items()):
        set_folder_aside(relative_name(folder, root), count, quarantine)


def _parse(at: Place, properties: dict[str, Any]) -> Annotation:
    told = properties.get("bounds_imcoords")
    corners = told.split(",") if isinstance(told, str) else []
    if len(corners) != 4:
        raise AnnotationError(
            f"{at.where}: bounds_imcoords does not parse, got {str(told)[:100]!r}; "
            '"left,top,right,bottom" is allowed; correct the feature'
        )
    hbb = np.array([number(corner.strip(), at.where) for corner in corners])
    type_id = whole_number(properties, "type_id")
    if type_id not in _CLASSES:
        known = "75 and 82 have no name in the publisher's list, " if type_id in _UNNAMED else ""
        with placed(hbb):
            raise UnknownNameError(
                f"{at.where}: unknown class, got type_id {str(properties.get('type_id'))[:100]}; "
                f"{known}the {len(_CLASSES)} ids of xview_class_labels.txt are allowed; correct "
                "the feature"
            )
    return at.annotation(_CLASSES[type_id], hbb)
