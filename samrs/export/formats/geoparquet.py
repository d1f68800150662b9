"""GeoParquet 1.1: polygons on the map for GeoPandas, DuckDB, lonboard, QGIS (geoparquet.org).

Layout::

    sota.parquet                  one coordinate system
    sota-epsg-32633.parquet       a file for each, where the release has several

A row is an instance with its ``geometry`` (MultiPolygon as WKB, with holes and parts), ``class``
and ``label``, the scores, ``recipe``, ``model`` and the line of the annotation; ``bbox`` is the
covering of GeoParquet 1.1, by which readers leave out what a window does not show.

Outlines follow the edges of pixels, so an area on the map is the mask's number of px times that of
a px; ``--simplify PX`` moves them by up to so many px, and the summary says what IoU that costs.
Scenes that lie on no map are left out and counted. ``--level tile`` has a row for each tile that
shows an instance, by default each stands once on its scene.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from samrs.core.errors import naming
from samrs.core.shards import json_text
from samrs.export.features import GEOMETRY, Layer, Lost, batches, check_simplify, layers, schema
from samrs.export.subset import Subset

LEVEL = "scene"
SIDES = ("xmin", "ymin", "xmax", "ymax")
BBOX = pa.field("bbox", pa.struct([(side, pa.float64()) for side in SIDES]))


def write(subset: Subset, out: Path, *, simplify: float = 0.0) -> dict[str, Any]:
    """Write the export; returns files, features, and what simplification costs.

    Args:
        simplify: px that an outline may move; 0: it follows the edges of pixels.

    Raises:
        ParameterError: ``simplify`` is no distance.
        ProductError: no scene lies on a map.
    """
    check_simplify(simplify)
    lost = Lost()
    found, left_out = layers(subset, "geoparquet")
    files = {}
    for layer in found:
        path = out / f"{layer.name}.parquet"
        files[path.name] = _write_layer(subset, layer, path, simplify, lost)
    return {"files": files, **lost.summary(), "scenes_on_no_map": left_out}


def _write_layer(subset: Subset, layer: Layer, path: Path, simplify: float, lost: Lost) -> int:
    """Write a file; returns its number of rows."""
    columns = schema(subset).append(BBOX)
    rows, bounds = 0, np.array([np.inf, np.inf, -np.inf, -np.inf])
    with (
        naming(path),
        pq.ParquetWriter(path, columns, compression="zstd", version="2.6") as writer,
    ):
        for batch in batches(subset, layer, simplify, lost):
            boxes = shapely.bounds(shapely.from_wkb(batch[GEOMETRY].to_numpy(False)))
            covering = pa.StructArray.from_arrays(
                list(map(pa.array, boxes.T)), fields=list(BBOX.type)
            )
            writer.write_batch(pa.record_batch([*batch.columns, covering], schema=columns))
            bounds[:2] = np.minimum(bounds[:2], boxes[:, :2].min(axis=0))
            bounds[2:] = np.maximum(bounds[2:], boxes[:, 2:].max(axis=0))
            rows += len(batch)
        about = _about(layer.crs, bounds.tolist() if rows else None)
        writer.add_key_value_metadata({"geo": json_text(about)})
    return rows


def _about(crs: str, bounds: list[float] | None) -> dict[str, Any]:
    """What GeoParquet 1.1 has in its file's metadata.

    Args:
        crs: WKT2.
        bounds: xmin, ymin, xmax, ymax, None of a file without rows.
    """
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": ["MultiPolygon"],
        "crs": pyproj.CRS.from_user_input(crs).to_json_dict(),
        "covering": {"bbox": {side: ["bbox", side] for side in SIDES}},
    }
    if bounds is not None:
        column["bbox"] = bounds
    return {"version": "1.1.0", "primary_column": GEOMETRY, "columns": {GEOMETRY: column}}
