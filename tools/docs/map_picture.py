"""Draw docs/pictures/map.jpg: what QGIS shows of a demo scene, of its boxes and their masks.

    python -m tools.docs.map_picture files FOLDER
    samrs label geo FOLDER/harbor --recipe zoom --export gpkg --out FOLDER/masks
    /usr/bin/python3 tools/docs/map_picture.py draw FOLDER docs/pictures/map.jpg

The first line writes a GeoTIFF and a GeoJSON, as docs/maps.md has them. The last one needs QGIS,
whose Python brings ``qgis``, and nothing of ours.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SIZE_WH = (1200, 800)
"""px of the picture."""


def write_files(folder: Path) -> None:
    """Write ``harbor/harbor.tif`` and ``harbor/harbor.geojson``: a demo scene on the map.

    Args:
        folder: where the folder ``harbor`` is made.
    """
    import numpy as np
    import rasterio
    from rasterio import Affine

    from samrs.core.shards import json_bytes
    from samrs.scenes.render import render_scene

    scene = render_scene(3, size_hw=(420, 630), theme="marina", gsd=0.35)
    place = folder / "harbor"
    place.mkdir(parents=True, exist_ok=True)
    to_map = Affine(0.35, 0, 400_000, 0, -0.35, 5_400_000)
    with rasterio.open(
        place / "harbor.tif", "w", driver="GTiff", width=630, height=420, count=3, dtype="uint8",
        crs="EPSG:32633", transform=to_map,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(scene.image, 2, 0))
    features = [
        {
            "type": "Feature",
            "properties": {"kind": item.kind},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[list(to_map @ p) for p in (*item.obb.tolist(), item.obb[0])]],
            },
        }
        for item in scene.objects
        if item.kind in ("ship", "building")
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
    value = {"type": "FeatureCollection", "crs": crs, "features": features}
    (place / "harbor.geojson").write_bytes(json_bytes(value))


def draw(folder: Path, target: Path) -> None:
    """Draw raster, polygons and boxes by QGIS.

    Args:
        folder: with ``harbor`` and the export in ``masks/gpkg``.
        target: a JPEG.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from qgis.core import (
        QgsApplication,
        QgsFillSymbol,
        QgsMapRendererParallelJob,
        QgsMapSettings,
        QgsRasterLayer,
        QgsVectorLayer,
    )
    from qgis.PyQt.QtCore import QSize

    application = QgsApplication([], False)
    application.initQgis()
    raster = QgsRasterLayer(str(folder / "harbor/harbor.tif"), "harbor")
    masks = QgsVectorLayer(str(folder / "masks/gpkg/harbor.gpkg"), "masks")
    masks.loadDefaultStyle()
    masks.setOpacity(0.6)
    boxes = QgsVectorLayer(str(folder / "harbor/harbor.geojson"), "boxes")
    outline = {"style": "no", "outline_color": "255,40,40", "outline_width": "0.5"}
    boxes.renderer().setSymbol(QgsFillSymbol.createSimple(outline))
    settings = QgsMapSettings()
    settings.setLayers([boxes, masks, raster])
    settings.setDestinationCrs(raster.crs())
    settings.setOutputSize(QSize(*SIZE_WH))
    settings.setExtent(raster.extent())
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(str(target), "JPG", 85)
    application.exitQgis()


if __name__ == "__main__":
    if sys.argv[1] == "files":
        write_files(Path(sys.argv[2]))
    else:
        draw(Path(sys.argv[2]), Path(sys.argv[3]))
