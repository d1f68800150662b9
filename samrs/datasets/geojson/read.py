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
splits. The format ``geo`` reads more rasters and layers, with the extra ``samrs[geo]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from samrs.core.errors import AnnotationError
from samrs.core.records import Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    files_by_stem,
    missing_dataset,
    relative_name,
    set_aside,
    set_image_aside,
)
from samrs.reading.geojson import FeatureFile, read_features
from samrs.reading.map_scenes import MapImage, scenes_on_map

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

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
    shown = {
        stem: MapImage(path=path, where=relative_name(path, root)) for stem, path in images.items()
    }
    yield from scenes_on_map(shown, files, quarantine)


def _places(root: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and GeoJSON files by their names without suffix."""
    images = files_by_stem(root, IMAGE_SUFFIXES) if root.is_dir() else {}
    files = files_by_stem(root, (".geojson",)) or files_by_stem(root, (".json",))
    files = {stem: path for stem, path in files.items() if path != root / "manifest.json"}
    if not images or not files:
        raise missing_dataset(root, "geojson", _LAYOUT)
    return images, files
