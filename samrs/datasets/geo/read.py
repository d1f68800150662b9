"""Rasters and layers on the map: boxes or outlines of any vector format over any raster.

Format: rasters that GDAL opens by window (GeoTIFF, COG, JPEG 2000, Erdas HFA, VRT), and layers of
polygons: GeoJSON, GeoPackage, Shapefile, FlatGeobuf, GeoParquet. Layout read: both in any folders.
A layer file that has a raster's name belongs to that raster alone; another lies over all rasters::

    images/a.tif
    images/a.gpkg                or buildings.gpkg, for several rasters

A raw feature (as GeoJSON; other formats have columns)::

    {"type": "Feature", "properties": {"class": "ship"},
     "geometry": {"type": "Polygon", "coordinates": [[[17.00002, 45.09998], ...]]}}

Corners go from the layer's coordinate system to the raster's (pyproj), and through its transform,
also a rotated, sheared or south-up one, to px. Where all outlines of the set have four corners they
are boxes: upright in the raster where they are so to half a px, else rotated. Where one has more or
fewer, holes or several parts, all outlines are true masks and their hulls the boxes. Options say
otherwise, and which column is the class, which bands are shown and how, and what is no measurement
(docs/maps.md). Px that are none, by the raster's nodata value, mask or alpha, do not count where
more than 8 bits are stretched; tiles of nothing are left out and counted.

What the folder says is not trusted: a virtual raster shows files in the folder only, and nothing
is fetched. Of the web only what the option ``urls`` names is read, by range. Rasters that a virtual
raster shows are no scenes of their own. Folders, or names, tell the splits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from samrs.core.errors import AnnotationError, ParameterError, SamrsError
from samrs.core.records import Opening, Quarantine, SceneRecord
from samrs.reading.annotations import (
    IMAGE_SUFFIXES,
    files_by_stem,
    missing_dataset,
    relative_name,
    set_aside,
    set_image_aside,
)
from samrs.reading.geojson import ClassRule, FeatureFile, read_features
from samrs.reading.layers import BEGINNINGS, read_layer
from samrs.reading.map_scenes import MapImage, scenes_on_map
from samrs.reading.projection import known_system, move
from samrs.reading.virtual_raster import shown_files

CATEGORIES: tuple[str, ...] = ()
"""Empty: see ``categories``."""

SUBSET: str | None = None

MOST_PX = 2**36
"""Px that a raster may have unless the option ``most_px`` says more: 262,144 x 262,144."""

_RASTERS = (*IMAGE_SUFFIXES, ".vrt", ".img")
_LAYOUT = "rasters (*.tif, *.vrt, *.jp2) with layers (*.geojson, *.gpkg, *.shp, *.fgb, *.parquet)"
_SHAPES = {"auto": None, "boxes": True, "masks": False}


@dataclass(frozen=True)
class Options:
    """What a user says of a dataset.

    Args:
        class_column: column or property that is the class; None: the first of class, category,
            class_name, label, type and name that there is.
        class_name: class of all features, whatever their columns say.
        layer: of files that have several.
        crs: coordinate system of layers that tell none, e.g. ``EPSG:32633``.
        shapes: auto, boxes (corners are boxes) or masks (outlines are true masks).
        negatives: whether rasters that no layer meets are images without objects.
        bands: numbers from 1 of one band, or of those shown as red, green and blue.
        ranges: value shown as 0 and value shown as 255, of all bands or for each: ``[[0, 3000]]``.
        nodata: a value that is no measurement, beside the raster's own.
        urls: addresses of GeoTIFFs on the web.
        vrt_folders: further folders whose files a virtual raster may show.
        most_px: px that a raster may have; None: ``MOST_PX``.
    """

    class_column: str | None = None
    class_name: str | None = None
    layer: str | None = None
    crs: str | None = None
    shapes: str = "auto"
    negatives: bool = False
    bands: Sequence[int] | None = None
    ranges: Sequence[Sequence[float]] | None = None
    nodata: float | None = None
    urls: Sequence[str] = ()
    vrt_folders: Sequence[str] = ()
    most_px: int | None = None

    def __post_init__(self) -> None:
        if self.shapes not in _SHAPES:
            raise _wrong("shapes", self.shapes, f"{', '.join(_SHAPES)} are")
        if self.bands is not None and (len(self.bands) not in (1, 3) or min(self.bands) < 1):
            raise _wrong("bands", self.bands, "one number from 1, or three, are")
        if self.ranges is not None:
            count = 3 if self.bands is None else len(self.bands)
            pairs = all(len(pair) == 2 and -inf < pair[0] < pair[1] < inf for pair in self.ranges)
            if len(self.ranges) not in (1, count) or not pairs:
                raise _wrong("ranges", self.ranges, "[low, high] of all bands, or for each, are")
        if self.most_px is not None and self.most_px < 1:
            raise _wrong("most_px", self.most_px, "numbers from 1 are")
        for url in self.urls:
            if urlsplit(url).scheme not in ("http", "https") or not _name(url):
                raise _wrong("urls", url, "http and https addresses of GeoTIFFs are")
        if self.class_name is not None and not self.class_name.strip():
            raise _wrong("class_name", self.class_name, "a name is")
        if self.crs is not None:
            try:
                known_system(self.crs, "options")
            except AnnotationError:
                raise _wrong("crs", self.crs, "EPSG numbers and WKT are") from None

    def rule(self) -> ClassRule:
        """What tells the class of a feature."""
        return ClassRule(column=self.class_column, name=self.class_name)

    def opening(self, root: Path, url: str | None = None) -> Opening:
        """How a raster is opened and shown.

        Args:
            root: the dataset's folder.
            url: of one on the web.
        """
        return Opening(
            url=url,
            bands=None if self.bands is None else tuple(self.bands),
            ranges=None if self.ranges is None else tuple((a, b) for a, b in self.ranges),
            nodata=self.nodata,
            within=(root, *map(Path, self.vrt_folders)),
            most_px=MOST_PX if self.most_px is None else self.most_px,
        )


NO_OPTIONS = Options()


def categories(root: Path, options: Options = NO_OPTIONS) -> tuple[str, ...]:
    """Classes of all outlines, sorted; files that do not parse bring none.

    Args:
        root: the dataset's folder.
        options: what the user says of it.

    Raises:
        MissingInputError: there is no layer or no raster.
    """
    names: set[str] = set()
    for path in _layers(root, options, Quarantine()).values():
        try:
            file = _read(path, relative_name(path, root), Quarantine(), options)
        except AnnotationError:
            continue  # quarantined by read_scenes
        names |= {feature.category for feature in file.features}
    return tuple(sorted(names))


def read_scenes(
    root: Path, quarantine: Quarantine, options: Options = NO_OPTIONS
) -> Iterator[SceneRecord]:
    """Scenes with their annotations, sorted by scene_id; bad files and features are quarantined.

    Args:
        root: the dataset's folder.
        quarantine: takes what is bad.
        options: what the user says of it.

    Raises:
        MissingInputError: there is no layer or no raster.
        SourceError: a raster on the web cannot be read.
    """
    places = _layers(root, options, quarantine)
    images = _images(root, options)
    files: dict[str, FeatureFile | None] = {}
    for stem, path in places.items():
        where = relative_name(path, root)
        try:
            files[stem] = _read(path, where, quarantine, options)
        except AnnotationError as error:
            files[stem] = None
            if stem in images:
                set_image_aside(images[stem].path, path, root, error, quarantine)
            else:
                set_aside(where, None, error, quarantine)
    boxes = _SHAPES[options.shapes]
    yield from scenes_on_map(images, files, quarantine, boxes=boxes, negatives=options.negatives)


def _layers(root: Path, options: Options, quarantine: Quarantine) -> Mapping[str, Path]:
    """Files of layers by their names; the second of a name is quarantined: it would count twice."""
    suffixes = (".geojson", *BEGINNINGS)
    found = files_by_stem(root, suffixes) if root.is_dir() else {}
    if not found and root.is_dir():
        found = files_by_stem(root, (".json",))
    found = {stem: path for stem, path in found.items() if path != root / "manifest.json"}
    if not found or not (options.urls or files_by_stem(root, _RASTERS)):
        raise missing_dataset(root, "geo", _LAYOUT)
    twins = [stem for stem in found if stem.endswith(suffixes)]
    for stem in twins:
        where = relative_name(found.pop(stem), root)
        quarantine.tell(
            where,
            "second layer of a name",
            f"another file has its name, got the suffix {Path(where).suffix}; one layer of a name "
            "is allowed; remove or rename one",
        )
    return found


def _images(root: Path, options: Options) -> dict[str, MapImage]:
    """The rasters by their names, without those that a virtual raster shows."""
    opening = options.opening(root)
    found = files_by_stem(root, _RASTERS)
    shown: set[Path] = set()
    for path in found.values():
        if path.suffix.lower() == ".vrt":
            try:
                shown |= shown_files(path, path.name, opening.within)
            except (SamrsError, OSError):
                continue  # quarantined when it is opened
    images = {
        stem: MapImage(path=path, where=relative_name(path, root), opening=opening)
        for stem, path in found.items()
        if Path(os.path.realpath(path)) not in shown  # which follows no loop
    }
    for url in options.urls:
        stem = PurePosixPath(_name(url)).stem
        if stem in images:
            raise _wrong("urls", url, "names that differ from those of other rasters are")
        images[stem] = MapImage(
            path=Path(_name(url)), where=url, opening=options.opening(root, url)
        )
    return images


def _read(path: Path, where: str, quarantine: Quarantine, options: Options) -> FeatureFile:
    if path.suffix.lower() in BEGINNINGS:
        return read_layer(
            path,
            where,
            quarantine,
            rule=options.rule(),
            layer=options.layer,
            crs=options.crs,
        )
    file = read_features(path, where, quarantine, options.rule())
    file.crs, file.move = known_system(file.crs, where), move
    return file


def _name(url: str) -> str:
    """The name of a file on the web."""
    return PurePosixPath(unquote(urlsplit(url).path)).name


def _wrong(name: str, got: object, allowed: str) -> ParameterError:
    return ParameterError(
        f"options of geo: not allowed, got {name} = {got!r}; {allowed} allowed; correct it"
    )
