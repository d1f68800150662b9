"""A layer of polygons out of a file of geographers: GeoPackage, Shapefile, FlatGeobuf, GeoParquet.

GDAL (through pyogrio) reads the first three, pyarrow the fourth. A file is opened by its format
alone, which its first bytes must be, and only features with a class and rings of finite numbers
come out of it; the others are quarantined by the number that other programs show of them.
"""

from __future__ import annotations

import json
import os
import reprlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio  # of the extra geo, as is shapely
import shapely
from numpy.typing import NDArray

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array
from samrs.core.records import Quarantine
from samrs.reading.annotations import LARGEST, Place, read_items, says_yes
from samrs.reading.files import why_unreadable
from samrs.reading.geojson import ClassRule, Feature, FeatureFile
from samrs.reading.projection import known_system, move

BEGINNINGS = {
    ".gpkg": b"SQLite format 3\0",
    ".shp": b"\0\0\x27\x0a",
    ".fgb": b"fgb\3fgb",
    ".parquet": b"PAR1",
    ".geoparquet": b"PAR1",
}
"""How files of each suffix begin."""

MOST_ID = 2**31 - 1
LATITUDES = 90.0
PYOGRIO_RAISES = (RuntimeError, ValueError, OSError, UnboundLocalError)
"""Its own errors are the first; the last is what a .prj that makes no WKT gives in 0.13."""

_POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)


@dataclass(frozen=True)
class _Table:
    """What a file holds, before it is looked at.

    Args:
        system: its coordinate system as the file tells it, or None.
        columns: values by name.
        wkb: a geometry each, or None.
        numbers: of the features, as other programs tell them.
    """

    system: Any
    columns: dict[str, Sequence[Any]]
    wkb: NDArray[np.object_]
    numbers: Sequence[int]


def read_layer(
    path: Path,
    where: str,
    quarantine: Quarantine,
    *,
    rule: ClassRule,
    layer: str | None,
    crs: str | None,
) -> FeatureFile:
    """The outlines of a layer; bad features are quarantined.

    Args:
        path: of the file.
        where: what to name in errors.
        quarantine: takes what is bad.
        rule: tells their classes.
        layer: its name, of a file of several; None: the only one with polygons.
        crs: its coordinate system, where the file tells none.

    Raises:
        AnnotationError: it is no such file, or lacks the layer, the column or a system.
    """
    _check_file(path, where)
    parquet = BEGINNINGS[path.suffix.lower()] == b"PAR1"
    table = _parquet(path, where, rule) if parquet else _layer(path, where, rule, layer)
    told = table.system if table.system is not None else crs
    if told is None:
        raise AnnotationError(
            f"{where}:1: without coordinate system, got none; one is needed; write it into the "
            "file (a .prj beside a shapefile), or say crs"
        )
    system = known_system(told, where)
    key = rule.key([n for n in table.columns if n.lower() != "difficult"], where)
    flags = _flags(table.columns)
    shapes = shapely.force_2d(shapely.from_wkb(table.wkb, on_invalid="ignore"))
    kinds = shapely.get_type_id(shapes)
    outlines = _outlines(shapes, np.isin(kinds, _POLYGONS))
    degrees = system.startswith("GEOGCRS")

    def parse(at: Place, shape: Any) -> Feature:
        parts = outlines[at.ordinal]
        if not parts:
            got = "none that parses" if shape is None else f"{shape.geom_type}, {shape.wkt[:40]}"
            raise AnnotationError(
                f"{at.where}: a shape that is no box, got {got}; Polygon and MultiPolygon are "
                "allowed; draw one of these"
            )
        _check_rings(parts, at.where, degrees=degrees)
        value = None if key is None else _plain(table.columns[key][at.ordinal])
        difficult = flags is not None and says_yes(_plain(flags[at.ordinal]) or 0)
        category = rule.category(value, key, at.where)
        return Feature(at.line, at.ordinal + 1, category, difficult, parts)

    items = zip(table.numbers, shapes, strict=True)
    good = read_items(items, parse, where, quarantine, "feature")
    return FeatureFile(where, system, len(shapes), good, move, bool(good.uncertain))


def _flags(columns: dict[str, Sequence[Any]]) -> Sequence[Any] | None:
    """The column ``difficult``, in any case; one that is spelled so goes before others."""
    names = sorted((n for n in columns if n.lower() == "difficult"), key=lambda n: n != "difficult")
    return columns[names[0]] if names else None


def _check_file(path: Path, where: str) -> None:
    """Refuse what is no file of its suffix, and names that GDAL takes for something else."""
    why = why_unreadable(path)
    if why is None:
        with path.open("rb") as file:
            begins = file.read(16)
        if not begins.startswith(BEGINNINGS[path.suffix.lower()]):
            why = f"a file that begins {begins[:8]!r}"
    if why is None and any(sign in str(path.absolute()) for sign in "!;?"):
        why = "a path with one of the signs ! ; ?, of which GDAL makes another"
    if why is not None:
        raise AnnotationError(
            f"{where}:1: layer cannot be read, got {why}; a {path.suffix} file is allowed; replace "
            "or rename it"
        )


def _layer(path: Path, where: str, rule: ClassRule, layer: str | None) -> _Table:
    """A layer as GDAL reads it."""
    if path.suffix.lower() == ".gpkg":
        _check_package(path, where)
    place = str(path.absolute())
    try:
        layer = _chosen(place, where, layer)
        there = [str(name) for name in pyogrio.read_info(place, layer=layer)["fields"]]
        wanted = _wanted(there, rule, where)
        about, numbers, wkb, values = pyogrio.raw.read(
            place, layer=layer, columns=wanted, force_2d=True, return_fids=True
        )
    except PYOGRIO_RAISES as error:
        raise _unreadable(where, error) from error
    columns = dict(zip(about["fields"].tolist(), values, strict=True))
    begins = 0 if path.suffix.lower() == ".gpkg" else 1
    numbers = np.asarray(numbers, dtype=np.int64) + begins
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() <= MOST_ID:
        numbers = np.arange(1, len(numbers) + 1)
    return _Table(about["crs"], columns, np.asarray(wkb, dtype=object), numbers.tolist())


def _chosen(place: str, where: str, layer: str | None) -> str:
    """The layer that is read: the one named, else the only one with polygons."""
    there = [(str(name), kind) for name, kind in pyogrio.list_layers(place)]
    if layer is not None:
        if layer in [name for name, _ in there]:
            return layer
        raise _no_layer(where, repr(layer), there)
    fits = [name for name, kind in there if kind is not None and _may_be(str(kind))]
    if len(fits) != 1:
        raise _no_layer(where, f"{len(fits)} with polygons", there)
    return fits[0]


def _may_be(kind: str) -> bool:
    """Whether a layer of a kind, as pyogrio names it, may have polygons: "Measured 3D Polygon"."""
    return any(word in kind for word in ("Polygon", "Surface", "GeometryCollection", "Unknown"))


def _no_layer(where: str, got: str, there: Sequence[tuple[str, Any]]) -> AnnotationError:
    named = ", ".join(repr(name) for name, _ in there[:30]) or "none"
    return AnnotationError(
        f"{where}:1: no such layer, got {got}; {named} are there; say which as layer"
    )


def _check_package(path: Path, where: str) -> None:
    """Refuse a GeoPackage whose layers may be queries, or of which a part is not in the file."""
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        raise AnnotationError(
            f"{where}:1: changes are not in the file, got {log.name} beside it; a GeoPackage that "
            "no program has open is allowed; close it there (QGIS)"
        )
    address = f"file:{quote(os.fsencode(path.absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as file:
            views = file.execute("SELECT name FROM sqlite_master WHERE type = 'view'").fetchall()
            layers = {row[0] for row in file.execute("SELECT table_name FROM gpkg_contents")}
    except (sqlite3.Error, UnicodeError) as error:
        raise _unreadable(where, error) from error
    if found := sorted(layers & {row[0] for row in views}):
        raise AnnotationError(
            f"{where}:1: a layer is a query, got the view {found[0]!r}; tables are allowed; write "
            "it as a layer of its own (ogr2ogr)"
        )


def _parquet(path: Path, where: str, rule: ClassRule) -> _Table:
    """A file of GeoParquet (geoparquet.org)."""
    try:
        with pq.ParquetFile(path) as file:
            about = json.loads((file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
            name = about.get("primary_column")
            column = about.get("columns", {}).get(name)
            if column is None or column.get("encoding") != "WKB":
                got = "no member geo" if column is None else f"encoding {column.get('encoding')!r}"
                raise AnnotationError(
                    f"{where}:1: no GeoParquet, got {got}; a geometry column in WKB with its "
                    "member geo is allowed; write it with GeoPandas or GDAL"
                )
            there = [field.name for field in file.schema_arrow if _is_value(field.type)]
            wanted = _wanted(there, rule, where)
            rows = file.read([name, *wanted])
    except (pa.ArrowException, OSError, ValueError, AttributeError, TypeError) as error:
        raise _unreadable(where, error) from error
    shapes = rows[name].combine_chunks()
    if isinstance(shapes, pa.ExtensionArray):
        shapes = shapes.storage
    columns: dict[str, Sequence[Any]] = {n: rows[n].to_pylist() for n in wanted}
    system = column.get("crs", "OGC:CRS84")  # null: nobody knows
    wkb = np.array([*shapes.to_pylist(), None], dtype=object)[:-1]
    return _Table(system, columns, wkb, range(1, len(rows) + 1))


def _is_value(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = ("string", "large_string", "integer", "floating", "boolean")
    return any(getattr(pa.types, f"is_{name}")(kind) for name in tests)


def _wanted(there: Sequence[str], rule: ClassRule, where: str) -> list[str]:
    """Columns that are read: those of the class and of ``difficult``."""
    key = rule.key([n for n in there if n.lower() != "difficult"], where)
    return [name for name in there if name == key or name.lower() == "difficult"]


def _outlines(shapes: NDArray[np.object_], chosen: NDArray[np.bool_]) -> list[list[list[Array]]]:
    """The parts of each shape, each a ring (N, 2) xy without the point that closes it, and holes.

    Args:
        shapes: of any kind.
        chosen: which are polygons; the others have no parts.
    """
    found: list[list[list[Array]]] = [[] for _ in shapes]
    places = np.flatnonzero(chosen)
    parts, of_shape = shapely.get_parts(shapes[places], return_index=True)
    rings, of_part = shapely.get_rings(parts, return_index=True)
    xy, of_ring = shapely.get_coordinates(rings, return_index=True)
    ends = np.cumsum(np.bincount(of_ring, minlength=len(rings))).tolist()
    begin, last = 0, -1
    of_place = places[of_shape].tolist()
    for part, end in zip(of_part.tolist(), ends, strict=True):
        if part != last:
            found[of_place[part]].append([])
            last = part
        found[of_place[part]][-1].append(xy[begin : max(begin, end - 1)])
        begin = end
    return found


def _check_rings(parts: list[list[Array]], where: str, *, degrees: bool) -> None:
    """Refuse rings of fewer than three points, and numbers that are none or no latitude.

    Raises:
        AnnotationError: a ring is one.
    """
    rings = [ring for part in parts for ring in part]
    points = rings[0] if len(rings) == 1 else np.concatenate(rings)
    if min(map(len, rings)) < 3 or not (np.abs(points) <= LARGEST).all():
        raise AnnotationError(
            f"{where}: a ring does not parse, got {reprlib.repr(points.tolist())}; three and more "
            f"points of numbers up to {LARGEST:.0e} are allowed; correct the feature"
        )
    if degrees and np.abs(points[:, 1]).max() > LATITUDES:
        raise AnnotationError(
            f"{where}: no latitude, got {points[0].tolist()}; longitude before latitude is allowed "
            "in degrees; correct the feature"
        )


def _plain(value: Any) -> Any:
    """A value as Python has it; whole numbers without decimals, which a null beside them brings."""
    value = value.item() if isinstance(value, np.generic) else value
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if whole else value


def _unreadable(where: str, error: Exception) -> AnnotationError:
    if isinstance(error, AnnotationError):
        return error
    return AnnotationError(
        f"{where}:1: layer does not parse, got {str(error)[:200]}; a whole file of its format is "
        "allowed; write it again (ogr2ogr)"
    )
