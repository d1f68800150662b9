"""GeoPackage for QGIS and other GIS: polygons with attributes, and a style (geopackage.org).

Layout::

    sota.gpkg      a table of polygons for each coordinate system of the release
    sota.qml       QGIS's style: a category for each class, in the release's colours

QGIS takes the style by its name when it opens the file's first layer; for others load it by hand.
A feature is an instance: its class and label, the scores, ``recipe``, ``model`` and the line of
the annotation. Outlines follow the edges of pixels, with holes and parts; ``--simplify PX`` moves
them by up to so many px, and the summary says what IoU that costs. Scenes that lie on no map are
left out and counted. ``--level tile`` has a feature for each tile that shows an instance, by
default each stands once on its scene.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samrs.export.features import Lost, check_simplify, layers
from samrs.export.files import write_file
from samrs.export.qgis_style import qml
from samrs.export.subset import Subset
from samrs.export.vector_file import write_layer

LEVELS = "scene", "tile"
VERSION = "1.2"
"""Of GeoPackage: QGIS 3.22 (Debian 12) warns that it may know later ones in part only."""


def write(subset: Subset, out: Path, *, simplify: float = 0.0) -> dict[str, Any]:
    """Write the export; returns tables, features, and what simplification costs.

    Args:
        simplify: px that an outline may move; 0: it follows the edges of pixels.

    Raises:
        ParameterError: ``simplify`` is no distance.
        ProductError: no scene lies on a map.
    """
    check_simplify(simplify)
    lost = Lost()
    found, left_out = layers(subset, "gpkg")
    path = out / f"{subset.stem}.gpkg"
    tables = {
        layer.name: write_layer(
            subset, layer, path, driver="GPKG", simplify=simplify, lost=lost, options={},
            file_options={"VERSION": VERSION},
        )
        for layer in found
    }  # fmt: skip
    write_file(out / f"{subset.stem}.qml", qml(subset.categories, subset.palette))
    return {"tables": tables, **lost.summary(), "scenes_on_no_map": left_out}
