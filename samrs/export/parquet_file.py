"""Layers of features as GeoParquet 1.1, some features in memory at a time."""

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
from samrs.export.features import GEOMETRY, Layer, Lost, batches, schema
from samrs.export.subset import Subset

SIDES = ("xmin", "ymin", "xmax", "ymax")
BBOX = pa.field("bbox", pa.struct([(side, pa.float64()) for side in SIDES]))


def columns_of(subset: Subset) -> pa.Schema:
    """The columns of a file: those of features, and the covering."""
    return schema(subset).append(BBOX)


def write_layer(subset: Subset, layer: Layer, path: Path, simplify: float, lost: Lost) -> int:
    """Write a layer into a file; returns its number of rows.

    Args:
        layer: one of ``features.layers``.
        simplify: px that an outline may move.
        lost: takes what simplification costs.
    """
    columns = columns_of(subset)
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
