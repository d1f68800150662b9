"""GeoJSON's features: outlines with a class, in a coordinate system that is known.

Coordinates are longitude and latitude (RFC 7946), or x and y of the system that the member ``crs``
of older files names by its number.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array
from samrs.core.records import Quarantine
from samrs.reading.annotations import Place, number, read_items, says_yes
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
    """One outline: where it stands in the file, its rings in the file's system.

    Args:
        line: its number there, as other programs tell it.
        place: its place there, from 1.
        parts: each a ring (N, 2) xy and the rings of its holes.
    """

    line: int
    place: int
    category: str
    difficult: bool
    parts: list[list[Array]]

    @property
    def is_box(self) -> bool:
        return len(self.parts) == 1 and len(self.parts[0]) == 1 and len(self.parts[0][0]) == 4

    def points(self) -> Array:
        """All points (N, 2), ring after ring."""
        return np.concatenate([ring for part in self.parts for ring in part])

    def split(self, points: Array) -> list[list[Array]]:
        """Points (N, 2) in the order of ``points`` as rings of parts."""
        ends = np.cumsum([len(ring) for part in self.parts for ring in part])
        rings = iter(np.split(points, ends[:-1]))
        return [[next(rings) for _ in part] for part in self.parts]


@dataclass
class FeatureFile:
    """One file, or a layer of one.

    Args:
        where: its relative name.
        crs: its coordinate system.
        count: of all its features.
        features: the good ones.
        move: takes points (N, 2) xy from its system, the second argument, to that of an image.
        is_partly_bad: whether there are others, whose places are not known.
        met: indices of those that some image has.
    """

    where: str
    crs: str
    count: int
    features: list[Feature]
    move: Callable[[Array, str, str], Array] = move_points
    is_partly_bad: bool = False
    met: set[int] = field(default_factory=set)
    _points: dict[str, Array] = field(default_factory=dict)
    _hulls: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    @cached_property
    def _begins(self) -> NDArray[np.int64]:
        """(F + 1,) where each feature's points begin."""
        sizes = [sum(len(ring) for part in f.parts for ring in part) for f in self.features]
        return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])

    def points_of(self, index: int, crs: str) -> Array:
        """The points (N, 2) xy of a feature in another system; inf where they have no place.

        Args:
            index: of the feature.
            crs: the other system.
        """
        if crs not in self._points:
            told = [feature.points() for feature in self.features]
            points = np.concatenate(told) if told else np.zeros((0, 2))
            self._points[crs] = points if crs == self.crs else self.move(points, self.crs, crs)
        begin, end = self._begins[index : index + 2]
        return self._points[crs][begin:end]

    def hulls_in(self, crs: str) -> tuple[Array, Array]:
        """Least and largest coordinates, each (F, 2) xy, of at least one feature in a system.

        Args:
            crs: the system.
        """
        if crs not in self._hulls:
            self.points_of(0, crs)
            points, begins = self._points[crs], self._begins[:-1]
            low, high = np.minimum.reduceat(points, begins), np.maximum.reduceat(points, begins)
            self._hulls[crs] = low, high
        return self._hulls[crs]


@dataclass(frozen=True, kw_only=True)
class ClassRule:
    """What tells the class of a feature.

    Args:
        column: the property, in any case; None: the first of ``CLASS_KEYS`` that there is. One
            that is spelled so goes before one that differs in case.
        name: the class of all features, whatever their properties; None: the column tells.
    """

    column: str | None = None
    name: str | None = None

    def key(self, names: Iterable[str], where: str) -> str | None:
        """The property that tells the class, of those that a file has; None: all have one class.

        Args:
            names: of all properties.
            where: what to name in errors.

        Raises:
            AnnotationError: the file does not have the column.
        """
        if self.name is not None:
            return None
        there = list(names)
        by_case = {name.lower(): name for name in reversed(there)}
        if self.column is None:
            key = next((key for key in CLASS_KEYS if key in by_case), None)
            return key if key is None or key in there else by_case[key]
        if self.column in there:
            return self.column
        if self.column.lower() not in by_case:
            raise AnnotationError(
                f"{where}:1: no such column, got {self.column!r}; "
                f"{', '.join(sorted(there)[:30]) or 'no column'} are there; correct class_column"
            )
        return by_case[self.column.lower()]

    def category(self, value: Any, key: str | None, where: str) -> str:
        """The class that a property tells.

        Args:
            value: of the property.
            key: as ``key`` gave it.
            where: what to name in errors.

        Raises:
            AnnotationError: it tells none.
        """
        if key is None:
            return self.name or WITHOUT_CLASS
        fits = isinstance(value, str | int | float) and not isinstance(value, bool)
        name = str(value).strip() if fits and value == value else ""
        if not name:
            raise AnnotationError(
                f"{where}: a feature without class, got {reprlib.repr(value)} as {key}, which "
                "others of the file have; a name is allowed; correct the feature"
            )
        return name


ANY_CLASS = ClassRule()


def read_features(
    path: Path, where: str, quarantine: Quarantine, rule: ClassRule = ANY_CLASS
) -> FeatureFile:
    """The outlines of a file; bad features are quarantined.

    Args:
        where: what to name in errors.
        rule: tells their classes.

    Raises:
        AnnotationError: it is no FeatureCollection, of an unknown coordinate system, or without
            the column that tells the classes.
    """
    data = read_lists(path, where, "a FeatureCollection", ["features"])
    features = data["features"]
    crs = _crs(data.get("crs"), where)
    key = rule.key(_properties(features), where) if features else None

    def parse(at: Place, feature: Any) -> Feature:
        return _parse(feature, at.line, at.where, rule, key, crs)

    good = read_items(enumerate(features, start=1), parse, where, quarantine, "feature")
    return FeatureFile(where, crs, len(features), good, is_partly_bad=bool(good.uncertain))


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


def _properties(features: list[Any]) -> list[str]:
    """Names of all properties that some feature has, sorted."""
    return sorted(
        {
            str(key)
            for feature in features
            if isinstance(feature, dict) and isinstance(feature.get("properties"), dict)
            for key in feature["properties"]
        }
    )


def _parse(
    entry: Any, line: int, where: str, rule: ClassRule, key: str | None, crs: str
) -> Feature:
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
    properties = told if isinstance(told, dict) else {}
    value = None if key is None else _property(properties, key)
    category = rule.category(value, key, where)
    return Feature(line, line, category, says_yes(_property(properties, "difficult")), parts)


def _property(properties: dict[str, Any], name: str) -> Any:
    """The property of a name, or else the first whose name differs in case; None without any."""
    if name in properties:
        return properties[name]
    return next((v for key, v in properties.items() if key.lower() == name.lower()), None)


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
