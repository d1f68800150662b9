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

from samrs.export.features import Lost, check_simplify, layers
from samrs.export.parquet_file import write_layer
from samrs.export.subset import Subset

LEVELS = "scene", "tile"


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
        files[path.name] = write_layer(subset, layer, path, simplify, lost)
    return {"files": files, **lost.summary(), "scenes_on_no_map": left_out}
