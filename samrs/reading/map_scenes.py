"""Scenes on a map: features of files beside or over georeferenced images, as boxes in their px.

A file that has an image's name belongs to that image alone; another lies over all images. Corners
go from the file's system to the image's and through the image's transform, be it rotated, sheared
or south up, to px.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from samrs.core.errors import AnnotationError, ImageError
from samrs.core.geometry import Array, clockwise, hbb_to_polygon, polygon_to_hbb
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Georeference, Opening, Quarantine, SceneRecord
from samrs.reading.annotations import SET_ASIDE, Items, Place, read_items
from samrs.reading.geojson import FeatureFile
from samrs.reading.rings import rings_to_rle
from samrs.reading.scene_image import open_scene
from samrs.reading.segmentation import tell_bad_mask
from samrs.reading.splits import split_of, split_of_folders

UPRIGHT = 0.5
"""Px by which the corners of an upright box may differ from those of its hull."""

DIGITS = 4
"""Decimals of px that corners keep: a transform's rounding must not move a box over an edge."""


@dataclass(frozen=True, kw_only=True)
class MapImage:
    """An image that may lie on the map.

    Args:
        path: of its file.
        where: what errors name it.
        opening: how it is opened; None: as any image.
    """

    path: Path
    where: str
    opening: Opening | None = None


def scenes_on_map(
    images: Mapping[str, MapImage],
    files: Mapping[str, FeatureFile | None],
    quarantine: Quarantine,
    *,
    boxes: bool | None = None,
    negatives: bool = False,
) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id.

    Args:
        images: by their names without suffix.
        files: of features, by their names; None: one that does not parse, whose image is left out.
        quarantine: takes images without a place, features that are none, and those of no image.
        boxes: whether outlines are boxes, and not true masks; None: where all of them have four
            corners.
        negatives: whether an image that no file over all images meets is one without objects.
    """
    read = [file for file in files.values() if file is not None]
    if boxes is None:
        boxes = all(feature.is_box for file in read for feature in file.features)
    over_all = [file for stem, file in files.items() if file is not None and stem not in images]
    for stem in sorted(images, key=clean_id):
        own = files.get(stem)
        if stem in files and own is None:
            continue
        record = _scene(images[stem], own, over_all, boxes, negatives, quarantine)
        if record is not None:
            yield replace(record, scene_id=clean_id(stem))
    for file in over_all:
        _tell_outside(file, quarantine)


def _scene(
    image: MapImage,
    own: FeatureFile | None,
    over_all: Sequence[FeatureFile],
    boxes: bool,
    negatives: bool,
    quarantine: Quarantine,
) -> SceneRecord | None:
    """The record of an image, without id; None where it is set aside.

    Args:
        own: the file of its name, which then is the only one that counts.
        over_all: the files of no image's name.
        boxes: whether outlines are boxes.
        negatives: whether an image that no file meets is kept.
    """
    where = image.where
    try:
        with open_scene(image.path, where, stretch=0.0, opening=image.opening) as scene:
            place, size_wh = scene.georeference, scene.size_wh
    except ImageError as error:
        quarantine.add(where, None, error.reason, str(error))
        return None
    if place is None:
        quarantine.tell(
            where,
            "image without coordinate system",
            "image without coordinate system, got no place on the map; a GeoTIFF is needed; write "
            "one, or bring boxes in px",
        )
        return None
    annotations: Items[Annotation] = Items()
    first = 0
    for file in [own] if own is not None else over_all:
        try:
            inside = _meeting(file, place, size_wh)
            if own is not None:
                inside = list(range(len(file.features)))
        except AnnotationError as error:  # nobody knows how the two systems relate
            quarantine.add(where, None, "image in a strange coordinate system", str(error))
            return None
        file.met.update(inside)
        found = _annotations(file, place, inside, size_wh, boxes, first, quarantine)
        annotations += found
        annotations.uncertain += found.uncertain
        if file.is_partly_bad:
            annotations.uncertain.append((SET_ASIDE, None))
        first += file.count
    if own is None and not annotations and not negatives:
        quarantine.tell(
            where,
            "image without annotation",
            f"no feature meets it, got none in {len(over_all)} files; nobody says that it is "
            "without objects; give it a file of its own name, be it without features",
        )
        return None
    return SceneRecord(
        scene_id="",
        split=split_of_folders(where) or split_of(image.path.stem) or "all",
        image=image.path,
        annotations=tuple(annotations),
        declared_wh=None if image.opening is None else size_wh,
        opening=image.opening,
        uncertain=annotations.uncertain,
    )


def _meeting(file: FeatureFile, place: Georeference, size_wh: tuple[int, int]) -> list[int]:
    """Indices of the features whose hull meets an image."""
    if not file.features:
        return []
    low, high = file.hulls_in(place.crs)
    width, height = size_wh
    a, b, c, d, e, f = place.transform
    corners = np.array([(x, y) for x in (0, width) for y in (0, height)], dtype=np.float64)
    corners = np.stack([corners @ (a, b) + c, corners @ (d, e) + f], axis=1)
    near = ((low <= corners.max(axis=0)) & (high >= corners.min(axis=0))).all(axis=1)
    found = []
    for index in np.flatnonzero(near).tolist():
        px = to_px(file.points_of(index, place.crs), place.transform)
        if ((px.min(axis=0) < size_wh) & (px.max(axis=0) > 0)).all():
            found.append(index)
    return found


def _annotations(
    file: FeatureFile,
    place: Georeference,
    indices: Sequence[int],
    size_wh: tuple[int, int],
    boxes: bool,
    first: int,
    quarantine: Quarantine,
) -> Items[Annotation]:
    """Annotations of some features of a file in an image.

    Args:
        first: ordinal of the file's first feature.
    """

    def parse(at: Place, index: int) -> Annotation:
        feature = file.features[index]
        points = to_px(file.points_of(index, place.crs), place.transform)
        if not np.isfinite(points).all():
            raise AnnotationError(
                f"{at.where}: a corner without a place in the image's coordinate "
                f"system, got {file.crs[:40]}; places where that is known are allowed; correct "
                "the file"
            )
        hbb = polygon_to_hbb(points)
        obb, truth = None, None
        parts = feature.split(points)
        if boxes and feature.is_box:
            corners = clockwise(points)
            upright = np.abs(hbb_to_polygon(hbb)[:, None] - corners).max(axis=2).min(axis=0)
            obb = corners if upright.max() > UPRIGHT else None
        elif not boxes:
            try:
                truth = rings_to_rle(parts, size_wh)
            except ValueError as error:
                tell_bad_mask(str(error), at, quarantine)
        at = at._replace(ordinal=first + feature.place - 1)
        return at.annotation(feature.category, hbb, obb, difficult=feature.difficult, truth=truth)

    items = [(file.features[index].line, index) for index in indices]
    return read_items(items, parse, file.where, quarantine, "feature")


def _tell_outside(file: FeatureFile, quarantine: Quarantine) -> None:
    outside = [f.line for index, f in enumerate(file.features) if index not in file.met]
    if outside:
        quarantine.tell(
            file.where,
            "features outside the images",
            f"features meet no image, got {len(outside)} of {len(file.features)}; places in an "
            "image, longitude before latitude, are allowed; remove them, or bring the images",
            outside[0],
        )


def to_px(points: Array, transform: Sequence[float]) -> Array:
    """Points (N, 2) of an image's coordinate system in its px, rounded to ``DIGITS``.

    Args:
        points: x before y.
        transform: a b c d e f of the image.
    """
    a, b, c, d, e, f = transform
    x, y = (points - (c, f)).T  # near the image: the small numbers that are left are exact
    det = a * e - b * d
    with np.errstate(invalid="ignore"):
        px = np.stack([(e * x - b * y) / det, (a * y - d * x) / det], axis=1)
    return np.asarray(np.round(px, DIGITS) + 0.0)
