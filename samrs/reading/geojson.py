"""GeoJSON's features: outlines with a class, in a coordinate system that is known.

Coordinates are longitude and latitude (RFC 7946), or x and y of the system that the member ``crs``
of older files names by its number.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array
from samrs.core.records import Quarantine
from samrs.reading.annotations import number, read_items, says_yes
from samrs.reading.ground import move_points
from samrs.reading.json_file import read_lists

WGS84 = "EPSG:4326"
CLASS_KEYS = ("class", "category", "class_name", "label", "type", "name")
WITHOUT_CLASS = "object"
_EPSG = re.compile(
    r"(?:EPSG:|urn:ogc:def:crs:EPSG:[\w.]*:|https?://www\.opengis\.net/def/crs/EPSG/[\w.]+/)(\d{1,6})",
    re.IGNORECASE,
)
_CRS84 = re.compile(
    r"(?:urn:ogc:def:crs:)?(?:OGC:[\w.]*:?|https?://www\.opengis\.net/def/crs/OGC/[\w.]+/)?CRS84",
    re.IGNORECASE,
)
_LATITUDES = 90.0


@dataclass(frozen=True)
class Feature:
    """One outline: its number in the file from 1, its rings in the file's system.

    Args:
        parts: each a ring (N, 2) xy and the rings of its holes.
    """

    line: int
    category: str
    difficult: bool
    parts: list[list[Array]]

    @property
    def is_box(self) -> bool:
        return len(self.parts) == 1 and len(self.parts[0]) == 1 and len(self.parts[0][0]) == 4


@dataclass
class FeatureFile:
    """One file.

    Args:
        where: its relative name.
        crs: its coordinate system.
        count: of all its features.
        features: the good ones.
        met: indices of those that some image has.
    """

    where: str
    crs: str
    count: int
    features: list[Feature]
    met: set[int] = field(default_factory=set)
    _points: dict[str, Array] = field(default_factory=dict)

    def rings(self) -> Iterator[tuple[int, int, int]]:
        """(feature's index, start, end) of each ring in the points of the file."""
        at = 0
        for index, feature in enumerate(self.features):
            for part in feature.parts:
                for ring in part:
                    yield index, at, at + len(ring)
                    at += len(ring)

    def points_in(self, crs: str) -> Array:
        """All points (N, 2) xy of all features in another system; inf where they have no place.

        Args:
            crs: the other system, as rasterio takes it.
        """
        if crs not in self._points:
            told = [ring for f in self.features for part in f.parts for ring in part]
            points = np.concatenate(told) if told else np.zeros((0, 2))
            self._points[crs] = points if crs == self.crs else move_points(points, self.crs, crs)
        return self._points[crs]


def read_features(path: Path, where: str, quarantine: Quarantine) -> FeatureFile:
    """The outlines of a file; bad features are quarantined.

    Args:
        where: what to name in errors.

    Raises:
        AnnotationError: it is no FeatureCollection, or of an unknown coordinate system.
    """
    data = read_lists(path, where, "a FeatureCollection", ["features"])
    features = data["features"]
    crs = _crs(data.get("crs"), where)
    key = _class_key(features)

    def parse(_: int, line: int, feature: Any) -> Feature:
        return _parse(feature, line, f"{where}:feature {line}", key, crs)

    good = read_items(enumerate(features, start=1), parse, where, quarantine)
    return FeatureFile(where, crs, len(features), good)


def _crs(told: Any, where: str) -> str:
    """The coordinate system of a file's member ``crs``, by number: no name is looked up."""
    if told is None:
        return WGS84
    properties = told.get("properties") if isinstance(told, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(name, str):
        if _CRS84.fullmatch(name.strip()):
            return WGS84
        if found := _EPSG.fullmatch(name.strip()):
            try:  # within Env what GDAL says is logged, not printed
                with rasterio.Env():
                    return str(CRS.from_epsg(int(found[1])).to_string())
            except CRSError:
                pass
    raise AnnotationError(
        f"{where}:1: unknown coordinate system, got crs {reprlib.repr(told)}; EPSG numbers and "
        "CRS84 are allowed; convert the file (ogr2ogr -lco RFC7946=YES)"
    )


def _class_key(features: list[Any]) -> str | None:
    """The first of ``CLASS_KEYS`` that a feature has."""
    used = {
        str(key).lower()
        for feature in features
        if isinstance(feature, dict) and isinstance(feature.get("properties"), dict)
        for key in feature["properties"]
    }
    return next((key for key in CLASS_KEYS if key in used), None)


def _parse(entry: Any, line: int, where: str, key: str | None, crs: str) -> Feature:
    geometry = entry.get("geometry") if isinstance(entry, dict) else None
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    told = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind not in ("Polygon", "MultiPolygon"):
        raise AnnotationError(
            f"{where}: a shape that is no box, got {reprlib.repr(kind)}; Polygon and MultiPolygon "
            "are allowed; draw one of these"
        )
    polygons = [told] if kind == "Polygon" else told
    if not isinstance(polygons, list) or not polygons:
        raise AnnotationError(
            f"{where}: coordinates do not parse, got {reprlib.repr(told)}; rings of [x, y] are "
            "allowed; correct the feature"
        )
    parts = [_part(polygon, where, crs) for polygon in polygons]
    told = entry.get("properties")
    properties = {str(k).lower(): v for k, v in told.items()} if isinstance(told, dict) else {}
    return Feature(
        line, _category(properties, key, where), says_yes(properties.get("difficult")), parts
    )


def _category(properties: Mapping[str, Any], key: str | None, where: str) -> str:
    if key is None:
        return WITHOUT_CLASS
    value = properties.get(key)
    fits = isinstance(value, str | int | float) and not isinstance(value, bool)
    name = str(value).strip() if fits else ""
    if not name:
        raise AnnotationError(
            f"{where}: a feature without class, got {reprlib.repr(value)} as {key}, which others "
            "of the file have; a name is allowed; correct the feature"
        )
    return name


def _part(told: Any, where: str, crs: str) -> list[Array]:
    """An outer ring and its holes, each (N, 2) xy without the point that closes it."""
    rings = told if isinstance(told, list) else []
    part = []
    for ring in rings:
        points = ring if isinstance(ring, list) else []
        good = all(isinstance(point, list) and len(point) >= 2 for point in points)
        pairs = [[number(str(v), where) for v in point[:2]] for point in points] if good else []
        if len(pairs) > 1 and pairs[0] == pairs[-1]:
            pairs.pop()
        if len(pairs) < 3:
            raise AnnotationError(
                f"{where}: a ring does not parse, got {reprlib.repr(ring)}; three and more [x, y], "
                "and the first again, are allowed; correct the feature"
            )
        part.append(np.array(pairs))
    if not part:
        raise AnnotationError(
            f"{where}: coordinates do not parse, got {reprlib.repr(told)}; rings of [x, y] are "
            "allowed; correct the feature"
        )
    if crs == WGS84 and np.abs(np.concatenate(part)[:, 1]).max() > _LATITUDES:
        raise AnnotationError(
            f"{where}: no latitude, got {part[0][0].tolist()}; longitude before latitude, in "
            "degrees, is allowed where the file names no other system; correct the feature, or say "
            "crs"
        )
    return part
