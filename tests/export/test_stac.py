"""A STAC catalogue over a release, read and judged by pystac, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rasterio.crs import CRS

from samrs.core.errors import ParameterError, ProductError
from samrs.core.records import Georeference
from samrs.core.shards import read_manifest, write_json
from samrs.export.export import export
from tests.export.releases import CATEGORIES, stored, write_release
from tests.export.test_maps import PLACES, moved

pystac = pytest.importorskip("pystac")
footprints = pytest.importorskip("samrs.export.footprint")
shapely = pytest.importorskip("shapely")
rasterio = pytest.importorskip("rasterio")

LABEL = {
    "required": ["label:properties", "label:description", "label:type", "label:classes"],
    "properties": {
        "label:properties": {"const": None},  # of a raster
        "label:description": {"type": "string", "minLength": 1},
        "label:type": {"const": "raster"},
        "label:classes": {
            "type": "array",
            "items": {
                "required": ["name", "classes"],
                "properties": {
                    "name": {"const": None},
                    "classes": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
        "label:tasks": {"type": "array", "items": {"type": "string"}},
        "label:methods": {"type": "array", "items": {"type": "string"}},
        "label:overviews": {
            "type": "array",
            "items": {
                "properties": {
                    "property_key": {"type": "string"},
                    "counts": {
                        "type": "array",
                        "items": {
                            "properties": {"name": {"type": "string"}, "count": {"type": "integer"}}
                        },
                    },
                }
            },
        },
    },
}
PROJECTION = {
    "required": ["proj:code", "proj:wkt2", "proj:shape", "proj:transform"],
    "properties": {
        "proj:code": {"type": ["string", "null"], "pattern": r"^\w+:\w+$"},
        "proj:wkt2": {"type": "string"},
        "proj:shape": {
            "type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2
        },
        "proj:transform": {
            "type": "array", "items": {"type": "number"}, "minItems": 6, "maxItems": 6
        },
    },
}  # fmt: skip
RASTER = {
    "required": ["raster:bands"],
    "properties": {
        "raster:bands": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["data_type", "nodata"],
                "properties": {
                    "data_type": {"const": "uint8"},
                    "nodata": {"const": 255},
                    "spatial_resolution": {"type": "number"},
                },
                "additionalProperties": False,
            },
        }
    },
}
TABLE = {
    "required": ["table:columns", "table:primary_geometry", "table:row_count"],
    "properties": {
        "table:columns": {
            "type": "array",
            "minItems": 1,
            "items": {
                "required": ["name"],
                "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
                "additionalProperties": False,
            },
        },
        "table:primary_geometry": {"const": "geometry"},
        "table:row_count": {"type": "integer"},
    },
}
"""What the extensions' pages demand of what is written here: their own schemas lie on the net."""


def catalogue(folder: Path) -> tuple[Any, list[Any]]:
    """The collection and its items, all of them valid."""
    from pystac.validation.stac_validator import JsonSchemaSTACValidator

    core = JsonSchemaSTACValidator()
    collection = pystac.Collection.from_file(str(folder / "collection.json"))
    items = list(collection.get_items(recursive=True))
    for thing in (collection, *items):
        told = json.loads(Path(thing.self_href).read_text("utf-8"))
        core.validate_core(told, thing.STAC_OBJECT_TYPE, "1.1.0", thing.self_href)
        for asset in thing.assets.values():
            assert Path(asset.get_absolute_href()).is_file()
    for item in items:
        told = item.to_dict()
        for part in (LABEL, PROJECTION):
            jsonschema.validate(told["properties"], part)
        jsonschema.validate(told["assets"]["labels"], RASTER)
        names = [uri.split("/")[3] for uri in item.stac_extensions]
        assert names == ["label", "projection", "raster"]
    for asset in collection.to_dict()["assets"].values():
        jsonschema.validate(asset, TABLE)
    assert [uri.split("/")[3] for uri in collection.stac_extensions] == ["projection", "table"]
    return collection, items


def test_a_catalogue_is_valid_and_leads_to_all_of_the_release(release, tmp_path):
    about = export("stac", release, tmp_path / "out", taken="2019-06-01")["summary"]
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    collection, items = catalogue(tmp_path / "elsewhere")
    assert about["items"] == len(items) == 4
    assert about["features"] == len(stored(release, "joined"))
    assert [item.id for item in items] == ["a", "b.1", "c", "d"]
    west, south, east, north = collection.extent.spatial.bboxes[0]
    for item in items:
        shape = shapely.geometry.shape(item.geometry)
        assert shape.is_valid
        assert shape.exterior.is_ccw
        assert tuple(item.bbox) == pytest.approx(shape.bounds)
        assert west <= item.bbox[0] <= item.bbox[2] <= east
        assert south <= item.bbox[1] <= item.bbox[3] <= north
        assert item.datetime.isoformat() == "2019-06-01T00:00:00+00:00"
        assert item.properties["label:classes"][0]["classes"] == CATEGORIES
    with rasterio.open(items[0].assets["labels"].get_absolute_href()) as file:
        assert list(file.transform)[:6] == items[0].properties["proj:transform"]
        assert list(file.shape) == items[0].properties["proj:shape"]
    counts = items[0].properties["label:overviews"][0]["counts"]
    assert [c["count"] for c in counts] == [2, 1, 1]


def test_people_are_a_method_where_they_made_labels(tmp_path):
    for number in (0, 3):
        made = write_release(tmp_path / f"people-{number}")
        about = read_manifest(made)
        about["counts"]["corrections"]["drawn"] = number
        write_json(made / "manifest.json", about)
        export("stac", made, tmp_path / f"out-{number}")
        _, items = catalogue(tmp_path / f"out-{number}")
        methods = items[0].properties["label:methods"]
        assert methods == ["automated", *(["manual"] if number else [])]


def test_polygons_of_the_catalogue_are_those_of_geoparquet(release, tmp_path):
    export("stac", release, tmp_path / "stac")
    export("geoparquet", release, tmp_path / "parquet")
    one, other = (tmp_path / "stac" / "instances", tmp_path / "parquet")
    assert (one / "sota.parquet").read_bytes() == (other / "sota.parquet").read_bytes()


def test_a_time_that_is_not_known_is_an_interval_that_says_so(release, tmp_path):
    export("stac", release, tmp_path / "out")
    collection, items = catalogue(tmp_path / "out")
    assert "When the pictures were taken is not known." in collection.description
    assert {item.datetime for item in items} == {None}
    assert items[0].properties["start_datetime"].startswith("1858")
    export("stac", release, tmp_path / "span", taken="2014-01-01/2018-12-31T10:00:00+02:00")
    told = catalogue(tmp_path / "span")[1][0].properties
    assert told["start_datetime"] == "2014-01-01T00:00:00Z"
    assert told["end_datetime"] == "2018-12-31T08:00:00Z"


@pytest.mark.parametrize(
    "taken",
    [
        *("", "yesterday", "2019", "2019-06-31", "2020-01-01/2019-01-01"),
        *("2019-06-01T10:00:00", "2019-01-01/2019-01-02/2019-01-03"),
    ],
)
def test_what_is_no_time_is_refused(taken, release, tmp_path):
    with pytest.raises(ParameterError, match="taken is no time, got"):
        export("stac", release, tmp_path / "out", taken=taken)


def test_scenes_over_the_antimeridian_and_on_no_map(tmp_path):
    crs = CRS.from_epsg(4326).to_wkt(version="WKT2_2019")
    release = write_release(tmp_path / "sota", crs=None)
    moved(release, {"c": (crs, (0.001, 0, 179.98, 0, -0.001, -16.0))})
    about = export("stac", release, tmp_path / "out")["summary"]
    assert (about["items"], about["scenes_on_no_map"]) == (1, 3)
    collection, (item,) = catalogue(tmp_path / "out")
    assert item.geometry["type"] == "MultiPolygon"
    assert shapely.geometry.shape(item.geometry).area == pytest.approx(0.05 * 0.04)
    assert item.bbox == pytest.approx([179.98, -16.04, -179.97, -16.0])
    assert collection.extent.spatial.bboxes[0][::2] == [-180, 180]


@pytest.mark.parametrize("name", PLACES)
def test_a_footprint_in_any_system_is_the_scene_on_the_ground(name):
    pyproj = pytest.importorskip("pyproj")
    crs = CRS.from_string(name.split()[0]).to_wkt(version="WKT2_2019")
    geometry, box = footprints.footprint(Georeference(crs, PLACES[name]), (40, 50))
    shape = shapely.geometry.shape(geometry)
    assert shape.is_valid
    assert shape.exterior.is_ccw
    assert np.array(box) == pytest.approx(np.array(shape.bounds))
    back = pyproj.Transformer.from_crs(4326, name.split()[0], always_xy=True)
    x, y = back.transform(*shapely.get_coordinates(shape).T)
    a, b, _, d, e, _ = PLACES[name]
    area = shapely.Polygon(np.stack([x, y], axis=1)).area
    assert area == pytest.approx(40 * 50 * abs(a * e - b * d), rel=1e-3)


def test_a_scene_around_the_pole_reaches_it():
    crs = CRS.from_epsg(3031).to_wkt(version="WKT2_2019")
    place = Georeference(crs, (10.0, 0.0, -1000.0, 0.0, -10.0, 1000.0))
    geometry, box = footprints.footprint(place, (200, 200))
    assert shapely.geometry.shape(geometry).is_valid
    assert box[:2] == [-180, -90]
    assert box[3] < -89.9


def test_what_lies_nowhere_is_refused(tmp_path):
    for code, transform in (
        (32633, (0.5, 0, 1e12, 0, -0.5, 1e12)),
        (4326, (0.001, 0.0, 10.0, 0.0, -0.001, 95.0)),
    ):
        crs = CRS.from_epsg(code).to_wkt(version="WKT2_2019")
        with pytest.raises(ProductError, match="lies nowhere on the globe"):
            footprints.footprint(Georeference(crs, transform), (40, 50))
    nowhere = write_release(tmp_path / "sota", crs=None)
    with pytest.raises(ProductError, match=r"no scene lies on a map, got 4 .*stac holds"):
        export("stac", nowhere, tmp_path / "out")
    with pytest.raises(ParameterError, match="since an item is a scene, once"):
        export("stac", nowhere, tmp_path / "out", level="tile")
