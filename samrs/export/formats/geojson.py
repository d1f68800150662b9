"""GeoJSON as RFC 7946 has it: WGS 84, rings by the right-hand rule, split at the antimeridian.

Layout::

    sota.geojson                  one coordinate system
    sota-epsg-32633.geojson       a file for each, where the release has several

Longitudes and latitudes have 10 decimals, a hundredth of a millimetre, whatever the system of the
images: the 7 that are usual move a corner by 0.02 px of half a metre, and areas of small objects by
0.3 %.

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
from samrs.export.subset import Subset
from samrs.export.vector_file import write_layer

LEVELS = "scene", "tile"
OPTIONS = {
    "RFC7946": "YES",
    "COORDINATE_PRECISION": "10",
    "WRITE_NAME": "NO",
    "AUTODETECT_JSON_STRINGS": "NO",
}


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
    found, left_out = layers(subset, "geojson")
    files = {}
    for layer in found:
        path = out / f"{layer.name}.geojson"
        files[path.name] = write_layer(
            subset, layer, path, driver="GeoJSON", simplify=simplify, lost=lost, options=OPTIONS
        )
    return {"files": files, **lost.summary(), "scenes_on_no_map": left_out}
