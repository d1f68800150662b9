"""Features on maps, read back by GDAL, GeoPandas and DuckDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from rasterio.crs import CRS

from samrs.core.errors import MissingInputError, ParameterError, ProductError
from samrs.core.records import crs_name
from samrs.core.rle import rle_to_mask
from samrs.core.shards import read_table, write_table
from samrs.export.export import export
from tests.export.releases import CATEGORIES, UTM, instance, masks, stored, tile, write_release

geopandas = pytest.importorskip("geopandas")
pyogrio = pytest.importorskip("pyogrio")
pyproj = pytest.importorskip("pyproj")
shapely = pytest.importorskip("shapely")

READ = {
    "geoparquet": lambda folder: geopandas.read_parquet(next(folder.glob("*.parquet"))),
    "gpkg": lambda folder: geopandas.read_file(next(folder.glob("*.gpkg"))),
    "geojson": lambda folder: geopandas.read_file(next(folder.glob("*.geojson"))),
}
PLACES = {
    "EPSG:32633": (0.5, 0.0, 369000.0, 0.0, -0.5, 5808400.0),
    "EPSG:3857": (1.0, 0.0, 1113194.9, 0.0, -1.0, 8399737.9),  # 10 east, 60 north
    "EPSG:4326": (1e-5, 0.0, 13.0, 0.0, -1e-5, 52.4),
    "EPSG:5514": (0.25, 0.0, -743011.7, 0.0, -0.25, -1043823.2),
    "EPSG:3031": (10.0, 0.0, 100000.0, 0.0, -10.0, 200000.0),
    "EPSG:32633 turned": (0.3, 0.4, 369000.0, 0.4, -0.3, 5808400.0),
    "EPSG:32633 south up": (0.5, 0.0, 369000.0, 0.0, 0.5, 5808400.0),
}


def placed(folder: Path, name: str) -> Path:
    """The release by hand with all of its scenes at one place."""
    crs = CRS.from_string(name.split()[0]).to_wkt(version="WKT2_2019")
    release = write_release(folder / "sota", crs=None)
    return moved(release, dict.fromkeys("acd", (crs, PLACES[name])))


def moved(release: Path, places: dict[str, tuple[str, tuple[float, ...]]]) -> Path:
    """A release whose scenes lie elsewhere."""
    from samrs.core.records import SCENES
    from samrs.core.shards import read_manifest, write_manifest

    rows = read_table(release, "scenes").to_pylist()
    for row in rows:
        row["crs"], row["transform"] = places.get(row["scene_id"], (None, None))
    write_table(release, "scenes", SCENES, rows)
    manifest = read_manifest(release)
    write_manifest(release, {k: v for k, v in manifest.items() if k != "shards"})
    return release


def pixels(shape: Any, transform: tuple[float, ...]) -> Any:
    """A shape in px of the scene."""
    a, b, c, d, e, f = transform
    back = np.linalg.inv(np.array([[a, b, c], [d, e, f], [0, 0, 1]]))
    return shapely.transform(shape, lambda xy: xy @ back[:2, :2].T + back[:2, 2])


@pytest.mark.parametrize("format", READ)
@pytest.mark.parametrize("name", PLACES)
def test_vertices_lie_on_the_edges_of_pixels_in_any_system(format, name, tmp_path):
    release = placed(tmp_path, name)
    export(format, release, tmp_path / "out")
    rows = READ[format](tmp_path / "out")
    system = pyproj.CRS(name.split()[0])
    exact = {row["instance_id"]: row["rle"] for row in stored(release, "joined")}
    assert sorted(rows["instance_id"]) == sorted(exact)
    assert rows.geometry.is_valid.all()
    if format == "geojson":
        assert rows.crs == "EPSG:4326"
        rows = rows.to_crs(system)
    assert rows.crs == system
    # back from another datum PROJ is a millimetre off
    near = 1e-2 if (format, name) == ("geojson", "EPSG:5514") else 1e-3
    for row in rows.itertuples():
        shape = pixels(row.geometry, PLACES[name])
        corners = shapely.get_coordinates(shape)
        assert np.abs(corners - corners.round()).max() <= near
        mask = rle_to_mask(exact[row.instance_id])
        whole = shapely.set_coordinates(shape, corners.round())
        assert whole.area == mask.sum() == row.area_px
        if format != "geojson":
            assert shape.area == pytest.approx(mask.sum(), rel=1e-6)


def test_area_on_the_map_is_that_of_the_pixels(release, tmp_path):
    export("geoparquet", release, tmp_path / "out")
    rows = READ["geoparquet"](tmp_path / "out")
    assert (rows.area / (rows["area_px"] * 0.25) - 1).abs().max() < 1e-9


def test_area_on_the_ellipsoid_is_that_of_the_pixels_on_the_ground(tmp_path):
    release = placed(tmp_path, "EPSG:3857")
    export("geojson", release, tmp_path / "out")
    rows = READ["geojson"](tmp_path / "out")
    large = rows[rows["area_px"] > 300]
    assert len(large)
    geod = pyproj.Geod(ellps="WGS84")
    for row in large.itertuples():
        latitude = np.radians(row.geometry.centroid.y)
        # a metre of Web Mercator is 1 / a of longitude and cos(latitude) / a of latitude
        narrowed = 1 - geod.es * np.sin(latitude) ** 2
        px = np.cos(latitude) ** 2 * (1 - geod.es) / narrowed**2
        area = abs(geod.geometry_area_perimeter(row.geometry)[0])
        assert area == pytest.approx(row.area_px * px, rel=1e-3)


@pytest.mark.parametrize("format", READ)
def test_a_feature_tells_what_it_is_and_where_it_is_from(format, release, tmp_path):
    about = export(format, release, tmp_path / "out", splits=["train"], classes=["ship"])
    rows = READ[format](tmp_path / "out")
    assert (about["level"], about["summary"]["features"]) == ("scene", len(rows))
    assert set(rows["class"]) == {"ship"}
    assert set(rows["label"]) == {0}
    assert set(rows["split"]) == {"train"}
    first = rows[rows["instance_id"] == "a#hole"].iloc[0]
    told = first[["predicted_iou", "recipe", "model", "source_file", "source_line", "way"]]
    assert told.tolist() == [0.9, "hbox", "nano", "labels/a.txt", 1, "whole"]
    assert first["area_px"] == masks()["hole"].sum()
    (part,) = first.geometry.geoms
    assert len(part.interiors) == 1


@pytest.mark.parametrize("format", READ)
def test_a_tile_has_a_feature_for_each_of_its_masks(format, release, tmp_path):
    export(format, release, tmp_path / "out", level="tile")
    rows = READ[format](tmp_path / "out")
    wanted = sorted((row["instance_id"], row["tile_id"]) for row in stored(release))
    assert sorted(zip(rows["instance_id"], rows["tile_id"], strict=True)) == wanted


def test_geojson_follows_rfc_7946(release, tmp_path):
    export("geojson", release, tmp_path / "out")
    whole = json.loads((tmp_path / "out" / "sota.geojson").read_text("utf-8"))
    assert "crs" not in whole
    assert "name" not in whole
    for feature in whole["features"]:
        for outer, *holes in feature["geometry"]["coordinates"]:
            assert shapely.is_ccw(shapely.LinearRing(outer))
            assert not any(shapely.is_ccw(shapely.LinearRing(hole)) for hole in holes)


def test_geojson_is_split_at_the_antimeridian(tmp_path):
    crs = CRS.from_epsg(4326).to_wkt(version="WKT2_2019")
    release = write_release(tmp_path / "sota", crs=None)
    moved(release, {"c": (crs, (0.001, 0, 179.98, 0, -0.001, -16.0))})
    export("geojson", release, tmp_path / "out")
    rows = READ["geojson"](tmp_path / "out")
    whole = rows[rows["instance_id"] == "c#whole"].geometry.iloc[0]
    assert len(whole.geoms) == 2
    assert whole.area == pytest.approx(0.05 * 0.04)


def test_geoparquet_has_a_covering_that_duckdb_filters_by(release, tmp_path):
    export("geoparquet", release, tmp_path / "out")
    path = tmp_path / "out" / "sota.parquet"
    west = "SELECT count(*) FROM read_parquet(?) WHERE bbox.xmax < 500050"
    found = duckdb.execute(west, [str(path)]).fetchall()
    assert found == [(sum(r["scene_id"] == "a" for r in stored(release, "joined")),)]
    window = geopandas.read_parquet(path, bbox=(0, 0, 500050, 6e6))
    assert set(window["scene_id"]) == {"a"}


def test_duckdb_s_spatial_measures_the_area_that_masks_have(release, tmp_path):
    try:
        duckdb.execute("LOAD spatial")
    except duckdb.Error:
        pytest.skip("DuckDB's extension spatial is not installed")
    export("geoparquet", release, tmp_path / "out")
    told = "SELECT max(abs(ST_Area(geometry) / area_px - 0.25)), bool_and(ST_IsValid(geometry))"
    path = str(tmp_path / "out" / "sota.parquet")
    ((off, valid),) = duckdb.execute(f"{told} FROM read_parquet(?)", [path]).fetchall()
    assert valid
    assert off < 1e-9


def test_each_coordinate_system_is_a_layer_and_scenes_on_no_map_are_counted(tmp_path):
    other = CRS.from_epsg(5514).to_wkt(version="WKT2_2019")
    release = write_release(tmp_path / "sota", crs=None)
    where = PLACES["EPSG:32633"]
    moved(release, {"a": (UTM, where), "c": (other, PLACES["EPSG:5514"])})
    names = ["sota-epsg-32633", "sota-epsg-5514"]
    about = export("gpkg", release, tmp_path / "gpkg")["summary"]
    assert pyogrio.list_layers(tmp_path / "gpkg" / "sota.gpkg")[:, 0].tolist() == names
    assert about["tables"] == {names[0]: 4, names[1]: 4}
    assert about["scenes_on_no_map"] == 2
    for format in ("geoparquet", "geojson"):
        files = export(format, release, tmp_path / format)["summary"]["files"]
        assert [name.rpartition(".")[0] for name in files] == names


@pytest.mark.parametrize("format", READ)
def test_what_cannot_be_held_is_refused_in_a_sentence(format, tmp_path):
    nowhere = write_release(tmp_path / "sota", crs=None)
    with pytest.raises(ProductError, match=f"no scene lies on a map, got 4 .*{format} holds"):
        export(format, nowhere, tmp_path / "out")
    with pytest.raises(ParameterError, match="simplify is no distance"):
        export(format, nowhere, tmp_path / "out", simplify=float("nan"))
    for path in nowhere.glob("scenes-*"):
        path.unlink()
    with pytest.raises(MissingInputError, match="no scenes shards"):
        export(format, nowhere, tmp_path / "out")


@pytest.mark.parametrize("format", READ)
def test_simplified_outlines_say_what_they_cost(format, tmp_path):
    y, x = np.mgrid[:40, :50]
    disc = (x - 20) ** 2 + (y - 20) ** 2 < 15**2
    rows = [instance("disc", "a__0_0", 1, disc)]
    release = write_release(tmp_path / "sota", tiles=[tile("a__0_0", "train")], rows=rows)
    exact = export(format, release, tmp_path / "exact")["summary"]
    about = export(format, release, tmp_path / "out", simplify=1.0)["summary"]
    assert exact["iou"] == {"mean": 1.0, "least": 1.0}
    assert about["points"] < exact["points"] / 2
    (a,), (b,) = (READ[format](tmp_path / n).to_crs(32633).geometry for n in ("exact", "out"))
    assert about["iou"]["mean"] == pytest.approx(a.intersection(b).area / a.union(b).area, abs=1e-4)
    assert 0.9 < about["iou"]["least"] < 1


def test_the_style_has_a_category_and_a_colour_for_each_class(release, tmp_path):
    from defusedxml import ElementTree

    export("gpkg", release, tmp_path / "out")
    root = ElementTree.fromstring((tmp_path / "out" / "sota.qml").read_text("utf-8"))
    assert [c.get("value") for c in root.iter("category")] == CATEGORIES
    assert root.find("renderer-v2").get("attr") == "class"
    colours = [o.get("value") for o in root.iter("Option") if o.get("name") == "outline_color"]
    assert colours == ["0,127,255,255", "0,63,0,255", "0,127,63,255"]


def test_systems_have_short_names():
    assert crs_name(UTM) == "EPSG:32633"
    custom = CRS.from_string("+proj=laea +lat_0=10 +lon_0=20").to_wkt(version="WKT2_2019")
    assert crs_name(custom) == "unknown"
