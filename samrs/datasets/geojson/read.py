"""GeoJSON over GeoTIFF: boxes or outlines on the map, and images that say where they lie.

Format: RFC 7946; coordinates are longitude, latitude (WGS 84). Files of before 2016 may name
another system in ``crs``, as QGIS and GDAL still write: EPSG's numbers and CRS84 are read, always x
before y. Layout read: images and ``*.geojson`` (``*.json`` where there are none) in any folders. A
file that has an image's name belongs to that image alone; another lies over all images of the set::

    images/a.tif
    images/a.geojson             or all.geojson, for several images

A raw file::

    {"type": "FeatureCollection",
     "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}},
     "features": [{"type": "Feature", "properties": {"class": "ship"},
      "geometry": {"type": "Polygon", "coordinates": [[[500002.0, 4999998.0], ...]]}}]}

Corners go from the file's system to the image's and through the image's transform, also a rotated
one, to px. Where all outlines of the set have four corners they are boxes: upright in the image
where they are so to half a px, else rotated. Where one has more or fewer, holes or several parts,
all outlines are true masks and their hulls the boxes. The class is the first of the properties
``class``, ``category``, ``class_name``, ``label``, ``type`` and ``name`` (in any case) that a file
has; without any all are ``object``. ``difficult`` makes an instance difficult. A feature on the
edge of two images is in both. Points and lines are set aside; features of a file over all images
that meet none of them are counted; an image that no such file meets, as one without coordinate
system, is set aside, since nobody says that it is without objects. Folders, or names, tell the
splits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio import Affine

from samrs.core.errors import AnnotationError, ImageError
from samrs.core.geometry import Array, clockwise, hbb_to_polygon, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    files_by_stem,
    missing_dataset,
    read_items,
    relative_name,
    set_aside,
    set_image_aside,
)
from samrs.reading.geojson import FeatureFile, read_features
from samrs.reading.rings import rings_to_rle
from samrs.reading.scene_image import open_scene
from samrs.reading.segmentation import tell_bad_mask
from samrs.reading.splits import split_of, split_of_folders

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

UPRIGHT = 0.5
"""Px by which the corners of an upright box may differ from those of its hull."""

_LAYOUT = "*.geojson with GeoTIFF images"


def categories(root: Path) -> tuple[str, ...]:
    """Classes of all outlines, sorted; files that do not parse bring none.

    Raises:
        MissingInputError: there is no GeoJSON or no image below ``root``.
    """
    names: set[str] = set()
    for path in _places(root)[1].values():
        try:
            features = read_features(path, relative_name(path, root), Quarantine()).features
        except AnnotationError:
            continue  # quarantined by read_scenes
        names |= {feature.category for feature in features}
    return tuple(sorted(names))


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and features are quarantined.

    Raises:
        MissingInputError: there is no GeoJSON or no image below ``root``.
    """
    images, places = _places(root)
    files: dict[str, FeatureFile | None] = {}
    for stem, path in places.items():
        where = relative_name(path, root)
        try:
            files[stem] = read_features(path, where, quarantine)
        except AnnotationError as error:
            files[stem] = None
            if stem in images:
                set_image_aside(images[stem], path, root, error, quarantine)
            else:
                set_aside(where, None, error, quarantine)
    read = [file for file in files.values() if file is not None]
    boxes = all(feature.is_box for file in read for feature in file.features)
    over_all = [file for stem, file in files.items() if file is not None and stem not in images]
    for stem in sorted(images, key=clean_id):
        own = files.get(stem)
        if stem in files and own is None:
            continue
        record = _scene(images[stem], root, own, over_all, boxes, quarantine)
        if record is not None:
            yield replace(record, scene_id=clean_id(stem))
    for file in over_all:
        _tell_outside(file, quarantine)


def _places(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and GeoJSON files by their names without suffix."""
    images = files_by_stem(root, IMAGE_SUFFIXES) if root.is_dir() else {}
    files = files_by_stem(root, (".geojson",)) or files_by_stem(root, (".json",))
    files = {stem: path for stem, path in files.items() if path != root / "manifest.json"}
    if not images or not files:
        raise missing_dataset(root, "geojson", _LAYOUT)
    return images, files


def _scene(
    image: Path,
    root: Path,
    own: FeatureFile | None,
    over_all: Sequence[FeatureFile],
    boxes: bool,
    quarantine: Quarantine,
) -> SceneRecord | None:
    """The record of an image, without id; None where it is set aside.

    Args:
        own: the file of its name, which then is the only one that counts.
        over_all: the files of no image's name.
        boxes: whether outlines are boxes.
    """
    where = relative_name(image, root)
    try:
        with open_scene(image, where, stretch=0.0) as scene:
            georeference, size_wh = scene.georeference, scene.size_wh
    except ImageError as error:
        quarantine.add(where, None, error.reason, str(error))
        return None
    if georeference is None:
        quarantine.add(
            where,
            None,
            "image without coordinate system",
            f"{where}: image without coordinate system, got no place on the map; a GeoTIFF is "
            "needed; write one, or bring boxes in px",
        )
        return None
    annotations: list[Annotation] = []
    first = 0
    for file in [own] if own is not None else over_all:
        px = _applied(~Affine(*georeference.transform), file.points_in(georeference.crs))
        inside = range(len(file.features)) if own is not None else _meeting(file, px, size_wh)
        file.met.update(inside)
        annotations += _annotations(file, px, inside, size_wh, boxes, first, quarantine)
        first += file.count
    if own is None and not annotations:
        quarantine.add(
            where,
            None,
            "image without annotation",
            f"{where}: no feature meets it, got none in {len(over_all)} files; nobody says that it "
            "is without objects; give it a file of its own name, be it without features",
        )
        return None
    found = split_of_folders(where) or split_of(image.stem) or "all"
    return SceneRecord(scene_id="", split=found, image=image, annotations=tuple(annotations))


def _meeting(file: FeatureFile, px: Array, size_wh: tuple[int, int]) -> list[int]:
    """Indices of the features whose hull meets an image.

    Args:
        px: points (N, 2) of the file in the image's px.
        size_wh: of the image.
    """
    if not len(px):
        return []
    rings = np.array(list(file.rings()))
    low = np.minimum.reduceat(px, rings[:, 1])
    high = np.maximum.reduceat(px, rings[:, 1])
    meets = ((low < size_wh) & (high > 0)).all(axis=1)
    return [int(index) for index in np.unique(rings[meets, 0])]


def _annotations(
    file: FeatureFile,
    px: Array,
    indices: Sequence[int],
    size_wh: tuple[int, int],
    boxes: bool,
    first: int,
    quarantine: Quarantine,
) -> list[Annotation]:
    """Annotations of some features of a file in an image.

    Args:
        first: ordinal of the file's first feature.
    """
    rings: dict[int, list[Array]] = defaultdict(list)
    for index, start, end in file.rings():
        rings[index].append(px[start:end])

    def parse(_: int, line: int, index: int) -> Annotation:
        feature, found = file.features[index], rings[index]
        points = np.concatenate(found)
        if not np.isfinite(points).all():
            raise AnnotationError(
                f"{file.where}:feature {line}: a corner without a place in the image's coordinate "
                f"system, got {file.crs}; places where that is known are allowed; correct the file"
            )
        hbb = polygon_to_hbb(points)
        obb, truth = None, None
        if boxes:
            corners = clockwise(found[0])
            upright = np.abs(hbb_to_polygon(hbb)[:, None] - corners).max(axis=2).min(axis=0)
            obb = corners if upright.max() > UPRIGHT else None
        else:
            parts, at = [], 0
            for part in feature.parts:
                parts.append(found[at : at + len(part)])
                at += len(part)
            try:
                truth = rings_to_rle(parts, size_wh)
            except ValueError as error:
                at_line = (file.where, line, f"{file.where}:feature {line}")
                tell_bad_mask(str(error), at_line, quarantine)
        return Annotation(
            category=feature.category,
            hbb=hbb,
            obb=obb,
            source_file=file.where,
            ordinal=first + line - 1,
            source_line=line,
            difficult=feature.difficult,
            truth=truth,
        )

    items = [(file.features[index].line, index) for index in indices]
    return read_items(items, parse, file.where, quarantine)


def _tell_outside(file: FeatureFile, quarantine: Quarantine) -> None:
    outside = [f.line for index, f in enumerate(file.features) if index not in file.met]
    if outside:
        quarantine.add(
            file.where,
            outside[0],
            "features outside the images",
            f"{file.where}:{outside[0]}: features meet no image, got {len(outside)} of "
            f"{len(file.features)}; places in an image, longitude before latitude, are allowed; "
            "remove them, or bring the images",
        )


def _applied(to_px: Affine, points: Array) -> Array:
    """Points (N, 2) of an image's coordinate system in its px."""
    x, y = points.T
    return np.stack(
        [to_px.a * x + to_px.b * y + to_px.c, to_px.d * x + to_px.e * y + to_px.f], axis=1
    )
