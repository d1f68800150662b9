"""A STAC catalogue over a release, with what it lists: label maps and polygons (stacspec.org).

Layout::

    collection.json              one collection: extent, classes, terms, links to the items
    instances/sota.parquet       polygons of all scenes, GeoParquet; a file a coordinate system
    train/P0000.json             an item a scene: where it lies, its classes and their counts
    train/P0000.tif              its label map, a Cloud Optimized GeoTIFF
    train/P0000.qml              QGIS's style of the map

Addresses are relative, so that the folder may lie anywhere. Extensions: label, projection and
raster (items), table (the polygons' columns). Geometries are in degrees, split at the antimeridian.

STAC wants the time of the pictures, which a release does not know: say ``--taken 2019-06-01`` or
``--taken 2014-01-01/2018-12-31``. Without it items have no ``datetime``, and an interval that holds
any: 1858, when the first picture was taken from the air, to 2100.

Scenes that lie on no map are left out and counted; a release without any other is refused.
``--simplify PX`` moves the polygons' outlines, as of ``geoparquet``.
"""

from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pystac
from pystac.extensions.label import (
    LabelClasses,
    LabelCount,
    LabelExtension,
    LabelOverview,
    LabelType,
)
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterBand, RasterExtension
from pystac.extensions.table import Column, TableExtension

from samrs.core.errors import ParameterError
from samrs.core.names import safe_name
from samrs.core.progress import progress
from samrs.core.records import IGNORE, Georeference
from samrs.core.shards import json_text, write_json
from samrs.corrections.counts import people_made
from samrs.export.features import GEOMETRY, Layer, Lost, check_simplify, layers
from samrs.export.files import write_file
from samrs.export.footprint import footprint, whole_extent
from samrs.export.parquet_file import columns_of, write_layer
from samrs.export.qgis_style import raster_qml
from samrs.export.raster_file import write_label_map
from samrs.export.scene_maps import SceneMap, scene_maps
from samrs.export.subset import Subset

LEVELS = ("scene",)
ONE_LEVEL = "an item is a scene, once"
ANY_TIME = "1858-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
DATE = r"\d{4}-\d\d-\d\d"
PARQUET = "application/vnd.apache.parquet"
COLLECTION = "collection.json"

Times = tuple[str, str]
"""First and last time; equal where it is one."""


def write(
    subset: Subset, out: Path, *, simplify: float = 0.0, taken: str | None = None
) -> dict[str, Any]:
    """Write the export; returns items, features, and what simplification costs.

    Args:
        simplify: px that an outline may move; 0: it follows the edges of pixels.
        taken: when the pictures were: a date or time of RFC 3339, or two with a stroke between.

    Raises:
        ParameterError: ``simplify`` is no distance, or ``taken`` no time.
        ProductError: no scene lies on a map; a GeoTIFF cannot hold where one lies.
    """
    check_simplify(simplify)
    times = ANY_TIME if taken is None else read_times(taken)
    lost = Lost()
    found_layers, left_out = layers(subset, "stac")
    assets = _write_instances(subset, found_layers, out, simplify, lost)
    collection = _collection(subset, assets, times)
    boxes, seen = [], set[str]()
    style = raster_qml(subset.map_names, subset.map_palette)
    found = progress(scene_maps(subset), desc=subset.stem, unit="scene", total=None)
    for scene in found:
        if scene.place is None:
            continue
        name, split = subset.unique(scene.about["scene_id"], seen), safe_name(scene.about["split"])
        item = _item(subset, name, scene, scene.place, times)
        boxes.append(item["bbox"])
        path = out / split / f"{name}.tif"
        write_label_map(
            path, scene.size_hw, scene.windows(), place=scene.place, palette=subset.map_palette,
            tags={"classes": json_text(subset.map_names), "subset": subset.name},
        )  # fmt: skip
        write_file(path.with_suffix(".qml"), style)
        write_json(path.with_suffix(".json"), item)
        href = f"./{split}/{name}.json"
        collection.add_link(pystac.Link("item", href, pystac.MediaType.GEOJSON, title=name))
    collection.extent.spatial.bboxes = [whole_extent(boxes)]
    write_json(out / COLLECTION, collection.to_dict(transform_hrefs=False))
    return {"items": len(boxes), **lost.summary(), "scenes_on_no_map": left_out}


def read_times(taken: str) -> Times:
    """First and last time of a date or time, or of two with a stroke between, as STAC has them.

    Args:
        taken: of RFC 3339; a time has its zone, a date stands for its midnight in UTC.

    Raises:
        ParameterError: it is none.
    """
    pattern = DATE + r"(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?"
    parts = taken.split("/")
    try:
        if len(parts) > 2 or not all(re.fullmatch(pattern, part, re.ASCII) for part in parts):
            raise ValueError
        parts = [f"{p}T00:00:00Z" if re.fullmatch(DATE, p, re.ASCII) else p for p in parts]
        times = [pystac.utils.str_to_datetime(part).astimezone(UTC) for part in parts]
        if times != sorted(times):
            raise ValueError
    except ValueError:
        raise ParameterError(
            f"stac: taken is no time, got {taken!r}; a date or time such as 2019-06-01 or "
            "2019-06-01T10:30:00Z is allowed, or FROM/TO, the earlier first; correct it"
        ) from None
    texts = [pystac.utils.datetime_to_str(time) for time in times]
    return texts[0], texts[-1]


def _write_instances(
    subset: Subset, found: list[Layer], out: Path, simplify: float, lost: Lost
) -> dict[str, pystac.Asset]:
    """Write the polygons; returns the collection's assets."""
    assets = {}
    folder = out / "instances"
    folder.mkdir()
    for layer in found:
        rows = write_layer(subset, layer, folder / f"{layer.name}.parquet", simplify, lost)
        asset = pystac.Asset(
            f"./instances/{layer.name}.parquet", f"Polygons of {layer.name}", media_type=PARQUET,
            roles=["data", "labels"],
        )  # fmt: skip
        asset.extra_fields |= {
            "table:columns": [
                Column({"name": field.name, "type": str(field.type)}).to_dict()
                for field in columns_of(subset)
            ],
            "table:primary_geometry": GEOMETRY,
            "table:row_count": rows,
            **_system(layer.crs),
        }
        assets[layer.name] = asset
    return assets


def _system(crs: str) -> dict[str, Any]:
    """The projection extension's fields of a coordinate system."""
    name = Georeference(crs, ()).name
    return {"proj:code": name if re.fullmatch(r"\w+:\d+", name) else None, "proj:wkt2": crs}


def _collection(subset: Subset, assets: dict[str, pystac.Asset], times: Times) -> pystac.Collection:
    first, last = (pystac.utils.str_to_datetime(time) for time in times)
    known = "" if times != ANY_TIME else " When the pictures were taken is not known."
    collection = pystac.Collection(
        id=subset.stem,
        title=subset.name,
        description=f"{_made(subset)} Terms: {subset.manifest['terms']}.{known}",
        extent=pystac.Extent(
            pystac.SpatialExtent([[-180.0, -90.0, 180.0, 90.0]]),
            pystac.TemporalExtent([[first, last]]),
        ),
        license="other",
        assets=assets,
        extra_fields={"summaries": {"classes": list(subset.categories)}},
    )
    collection.stac_extensions = [
        ProjectionExtension.get_schema_uri(), TableExtension.get_schema_uri()
    ]  # fmt: skip
    collection.clear_links()
    collection.add_link(pystac.Link("root", f"./{COLLECTION}", pystac.MediaType.JSON))
    collection.add_link(pystac.Link("license", "./README.md", "text/markdown"))
    return collection


def _made(subset: Subset) -> str:
    manifest = subset.manifest
    maker = " ".join(str(manifest.get(key) or "") for key in ("segmenter", "model")).strip()
    return f"Masks of {subset.manifest['dataset']}, made out of boxes by {maker or 'a model'}."


def _item(
    subset: Subset, name: str, scene: SceneMap, place: Georeference, times: Times
) -> dict[str, Any]:
    """An item of a scene."""
    about = scene.about
    geometry, box = footprint(place, scene.size_hw)
    one = times[0] == times[1]
    item = pystac.Item(
        id=name,
        geometry=geometry,
        bbox=box,
        datetime=pystac.utils.str_to_datetime(times[0]) if one else None,
        properties={
            **({} if one else dict(zip(("start_datetime", "end_datetime"), times, strict=True))),
            **({} if about["gsd"] is None else {"gsd": about["gsd"]}),
            "samrs:scene_id": about["scene_id"],
            "samrs:split": about["split"],
        },
        collection=subset.stem,
    )
    item.add_asset("labels", _map_asset(name, about["gsd"]))
    _describe(subset, item, scene)
    projection = ProjectionExtension.ext(item, add_if_missing=True)
    system = _system(place.crs)
    projection.apply(
        code=system["proj:code"], wkt2=place.crs, shape=list(scene.size_hw),
        transform=[float(v) for v in place.transform],
    )  # fmt: skip
    for rel in ("root", "parent", "collection"):
        item.add_link(pystac.Link(rel, f"../{COLLECTION}", pystac.MediaType.JSON))
    found: dict[str, Any] = item.to_dict(transform_hrefs=False)
    found["stac_extensions"] = sorted({*found["stac_extensions"], RasterExtension.get_schema_uri()})
    return found


def _map_asset(name: str, gsd: float | None) -> pystac.Asset:
    band = RasterBand.create(
        nodata=IGNORE, data_type=DataType.UINT8, spatial_resolution=gsd
    )  # fmt: skip
    return pystac.Asset(
        f"./{name}.tif", "Label map", media_type=pystac.MediaType.COG, roles=["labels"],
        extra_fields={"raster:bands": [band.to_dict()]},
    )  # fmt: skip


def _describe(subset: Subset, item: pystac.Item, scene: SceneMap) -> None:
    """Say what the labels are, and how many instances of each class there are."""
    counts = [
        LabelCount.create(name, int(count))
        for name, count in zip(subset.categories, scene.counts, strict=True)
    ]
    LabelExtension.ext(item, add_if_missing=True).apply(
        label_description=_made(subset),
        label_type=LabelType.RASTER,
        label_classes=[LabelClasses.create(list(subset.map_names), None)],
        label_tasks=["segmentation"],
        label_methods=["automated", *(["manual"] if people_made(subset.manifest) else [])],
        label_overviews=[LabelOverview.create("class", counts=counts)],
    )
