"""Label maps of whole scenes as Cloud Optimized GeoTIFFs (cogeo.org).

Layout::

    train/P0000.tif      8-bit label ids, 255 = nodata, with a colour table and overviews
    train/P0000.qml      QGIS's style of it: names and colours of the classes
    classes.csv          label, name, red, green, blue

A map is painted out of the instances of the whole scene (table joined), where masks overlap by the
release's own rule, and written window by window: it is never held whole. Overviews have the label
that most px have, unlabelled px among them. The file's tag ``classes`` holds the names as JSON.
Scenes that lie on no map have a map all the same, without coordinates.

Where the release's maps tell the background, that of a scene is what is background in every tile
that shows it.

``--level tile`` has a map for each tile, the release's own. There are no pictures in this format.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samrs.core.names import safe_name
from samrs.core.progress import progress
from samrs.core.records import Georeference
from samrs.core.shards import json_text
from samrs.export.class_table import write_classes
from samrs.export.files import write_file
from samrs.export.qgis_style import raster_qml
from samrs.export.raster_file import write_label_map
from samrs.export.scene_maps import Painted, scene_maps
from samrs.export.subset import Subset

LEVELS = "scene", "tile"

Map = tuple[str, str, tuple[int, int], Iterator[Painted], Georeference | None]
"""Split, id, size (H, W) px, windows, and where it lies."""


def write(subset: Subset, out: Path) -> dict[str, Any]:
    """Write the export; returns maps, and how many of them lie on a map.

    Raises:
        ProductError: the release is not sound; a GeoTIFF cannot hold where a scene lies.
    """
    seen: set[str] = set()
    maps = on_a_map = 0
    style = raster_qml(subset.map_names, subset.map_palette)
    tags = {"classes": json_text(subset.map_names), "subset": subset.name}
    write_classes(subset, out / "classes.csv")
    found = _scenes(subset) if subset.level == "scene" else _tiles(subset)
    for split, name, size_hw, windows, place in found:
        path = out / safe_name(split) / f"{subset.unique(name, seen)}.tif"
        write_label_map(path, size_hw, windows, place=place, palette=subset.map_palette, tags=tags)
        write_file(path.with_suffix(".qml"), style)
        maps += 1
        on_a_map += place is not None
    return {"maps": maps, "on_a_map": on_a_map}


def _scenes(subset: Subset) -> Iterator[Map]:
    total = sum(row["split"] in subset.splits for row in subset.scenes())
    for scene in progress(scene_maps(subset), desc=subset.stem, unit="scene", total=total):
        about = scene.about
        yield about["split"], about["scene_id"], scene.size_hw, scene.windows(), scene.place


def _tiles(subset: Subset) -> Iterator[Map]:
    for tile in subset.tiles([], semantic=True):
        about = tile.about
        windows = iter([(0, 0, tile.labels())])
        yield about["split"], about["tile_id"], tile.size_hw, windows, tile.place
