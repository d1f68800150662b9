"""Layers of features written by GDAL (pyogrio), some features in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyogrio

from samrs.core.errors import naming
from samrs.export.features import GEOMETRY, Layer, Lost, batches, schema
from samrs.export.files import check_room
from samrs.export.subset import Subset

DATE = "1980-01-01T00:00:00.000Z"
"""What GDAL writes as the time of a change: the same release gives the same bytes."""


def write_layer(
    subset: Subset,
    layer: Layer,
    path: Path,
    *,
    driver: str,
    simplify: float,
    lost: Lost,
    options: dict[str, Any],
    file_options: dict[str, Any] | None = None,
) -> int:
    """Write a layer into a file, which may hold others; returns its number of features.

    Args:
        layer: one of ``features.layers``.
        driver: GDAL's name of the format.
        simplify: px that an outline may move.
        lost: takes what simplification costs.
        options: GDAL's, of the layer.
        file_options: GDAL's, of the file; None for its own.
    """
    before = lost.features
    kept = schema(subset)
    at = kept.get_field_index(GEOMETRY)
    kept = kept.set(at, kept.field(at).with_metadata({"ARROW:extension:name": "geoarrow.wkb"}))
    failed: list[BaseException] = []

    def found() -> Iterator[pa.RecordBatch]:
        """The batches; GDAL would tell of no error of theirs what it is."""
        try:
            yield from (b.cast(kept) for b in batches(subset, layer, simplify, lost))
        except BaseException as error:
            failed.append(error)
            raise

    reader = pa.RecordBatchReader.from_batches(kept, found())
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": DATE})
    try:
        with naming(path):
            pyogrio.write_arrow(
                reader,
                path,
                layer=layer.name,
                driver=driver,
                geometry_name=GEOMETRY,
                geometry_type="MultiPolygon",
                crs=layer.crs,
                layer_options=options,
                dataset_options=file_options,
            )
    except (RuntimeError, OSError):  # pyogrio's own are either
        if failed:
            raise failed[0] from None
        check_room(path)
        raise
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    return lost.features - before
