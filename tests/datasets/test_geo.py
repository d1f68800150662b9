"""Rasters and layers on the map: formats of layers, systems, columns, options, hostile files."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
from pyproj import Transformer
from rasterio import Affine

from samrs.core.errors import MissingInputError, ParameterError, SourceError
from samrs.core.records import Quarantine, SceneRecord
from samrs.core.rle import rle_area
from samrs.datasets.geo import read as geo
from samrs.reading.layers import _may_be
from samrs.reading.options import keywords, parsed
from tests.datasets.by_hand import (
    HEIGHT,
    MAP,
    WIDTH,
    geojson_value,
    image,
    write_layer,
    write_map,
    write_text,
)
from tests.datasets.reading import details, only
from tests.fetch.server import serving

SQUARE = ((4, 4), (14, 4), (14, 10), (4, 10))
DIAMOND = ((9, 4), (14, 9), (9, 14), (4, 9))
TRIANGLE = ((4, 4), (14, 4), (14, 10))
BOX = [4, 4, 14, 10]
SUFFIXES = (".gpkg", ".shp", ".fgb", ".parquet", ".geojson")


def read(root: Path, **options: Any) -> tuple[list[SceneRecord], Quarantine]:
    quarantine = Quarantine()
    return list(geo.read_scenes(root, quarantine, geo.Options(**options))), quarantine


def one(root: Path, *rings: object, suffix: str = ".gpkg", **given: Any) -> None:
    write_map(root / "a.tif")
    write_layer(root / f"a{suffix}", *rings, **given)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_of_layers_is_read(tmp_path: Path, suffix: str) -> None:
    one(tmp_path, SQUARE, DIAMOND, suffix=suffix, **{"class": ["ship", "plane"]})
    (scene,), quarantine = read(tmp_path)
    found = sorted(scene.annotations, key=lambda a: a.category, reverse=True)  # fgb sorts features
    assert [(a.category, a.source_file) for a in found] == [
        ("ship", f"a{suffix}"), ("plane", f"a{suffix}")
    ]  # fmt: skip
    assert found[0].hbb.tolist() == BOX
    assert found[0].obb is None
    assert found[1].obb is not None
    assert sorted(found[1].obb.tolist()) == sorted([float(x), float(y)] for x, y in DIAMOND)
    assert sorted(a.source_line or 0 for a in found) == [1, 2]
    assert quarantine.rows == []
    assert geo.categories(tmp_path) == ("plane", "ship")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_brings_true_masks(tmp_path: Path, suffix: str) -> None:
    hole = shapely.Polygon(SQUARE, [((6, 5), (10, 5), (10, 8), (6, 8))])
    both = shapely.MultiPolygon([hole, shapely.box(20, 20, 24, 22)])
    one(tmp_path, both, SQUARE, suffix=suffix)
    areas = [a.truth and rle_area(a.truth) for a in read(tmp_path)[0][0].annotations]
    assert sorted(areas, key=str) == [56, 60]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:32649", "EPSG:4490"])
def test_corners_are_moved_from_any_system(tmp_path: Path, suffix: str, crs: str) -> None:
    """By pyproj, x before y: 4490 has latitude first by authority, as 4326."""
    write_map(tmp_path / "a.tif")
    xs, ys = zip(*(MAP @ p for p in SQUARE), strict=True)
    moved = Transformer.from_crs("EPSG:32650", crs, always_xy=True).transform(xs, ys)
    write_layer(tmp_path / f"a{suffix}", list(zip(*moved, strict=True)), crs=crs, to_map=None)
    found = only(read(tmp_path)[0])
    assert np.abs(found.hbb - BOX).max() < 1e-3
    assert found.obb is None


PLACED = {
    "rotated": MAP @ Affine.rotation(30),
    "sheared": MAP @ Affine.shear(15, 5),
    "south up": Affine(0.5, 0, 500_000, 0, 0.5, 5_000_000),
    "east to the left": Affine(-0.5, 0, 500_000, 0, -0.5, 5_000_000),
    "rows are columns": Affine(0, 0.5, 500_000, -0.5, 0, 5_000_000),
}


@pytest.mark.parametrize("to_map", PLACED.values(), ids=PLACED)
def test_any_grid_gives_back_the_pixels(tmp_path: Path, to_map: Affine) -> None:
    write_map(tmp_path / "a.tif", to_map=to_map)
    write_layer(tmp_path / "a.gpkg", SQUARE, DIAMOND, to_map=to_map)
    upright, rotated = read(tmp_path)[0][0].annotations
    assert (upright.hbb.tolist(), upright.obb) == (BOX, None)
    assert rotated.obb is not None
    assert sorted(rotated.obb.tolist()) == sorted([float(x), float(y)] for x, y in DIAMOND)


def test_the_class_column_is_chosen(tmp_path: Path) -> None:
    one(tmp_path, SQUARE, DIAMOND, **{"class": ["x", "y"], "Kind": [7.0, None], "Use": ["a", "b"]})
    assert geo.categories(tmp_path) == ("x", "y")
    assert geo.categories(tmp_path, geo.Options(class_column="use")) == ("a", "b")
    assert geo.categories(tmp_path, geo.Options(class_name="building")) == ("building",)
    scenes, quarantine = read(tmp_path, class_column="Kind")
    assert [a.category for a in scenes[0].annotations] == ["7"]
    assert "a.gpkg:feature 2: a feature without class" in details(quarantine)
    scenes, quarantine = read(tmp_path, class_column="kinds")
    assert scenes == []
    assert "no such column, got 'kinds'; Kind, Use, class are there" in details(quarantine)


def test_the_layer_is_chosen(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    for name, ring in (("ships", SQUARE), ("planes", DIAMOND)):
        write_layer(tmp_path / "a.gpkg", ring, layer=name)
    assert only(read(tmp_path, layer="ships")[0]).hbb.tolist() == BOX
    assert "2 with polygons; 'ships', 'planes' are there" in details(read(tmp_path)[1])
    assert "no such layer, got 'boats'" in details(read(tmp_path, layer="boats")[1])


def test_a_layer_lies_over_many_rasters(tmp_path: Path) -> None:
    write_map(tmp_path / "train/a.tif")
    write_map(tmp_path / "val/b.tif", to_map=MAP @ Affine.translation(40, 0))
    write_map(tmp_path / "val/c.tif", to_map=MAP @ Affine.translation(400, 0))
    edge = ((35, 4), (45, 4), (45, 10), (35, 10))
    beyond = ((100, 4), (110, 4), (110, 10), (100, 10))
    write_layer(tmp_path / "all.gpkg", SQUARE, edge, beyond)
    scenes, quarantine = read(tmp_path)
    found = [(s.scene_id, s.split, [a.ordinal for a in s.annotations]) for s in scenes]
    assert found == [("a", "train", [0, 1]), ("b", "val", [1])]
    assert quarantine.counts() == {"features outside the images": 1, "image without annotation": 1}
    scenes, quarantine = read(tmp_path, negatives=True)
    assert [len(s.annotations) for s in scenes] == [2, 1, 0]
    assert quarantine.counts() == {"features outside the images": 1}


def test_a_large_layer_over_many_rasters_is_found_quickly(tmp_path: Path) -> None:
    """Only features near a raster are brought to its px."""
    for i in range(4):
        write_map(tmp_path / f"{i}.tif", to_map=MAP @ Affine.translation(40 * i, 0))
    rings = [shapely.box(x, 4, x + 2, 6) for x in range(1, 160, 4)]
    write_layer(tmp_path / "all.parquet", *rings)
    scenes, _ = read(tmp_path)
    assert [len(s.annotations) for s in scenes] == [10, 10, 10, 10]


def test_shapes_are_chosen(tmp_path: Path) -> None:
    one(tmp_path, SQUARE, TRIANGLE)
    boxes = read(tmp_path, shapes="boxes")[0][0].annotations
    assert [(a.truth, a.hbb.tolist()) for a in boxes] == [(None, BOX), (None, BOX)]
    one(tmp_path / "b", SQUARE)
    (mask,) = read(tmp_path / "b", shapes="masks")[0][0].annotations
    assert mask.truth is not None
    assert rle_area(mask.truth) == 60


def test_a_shapefile_whose_prj_makes_no_sense_is_told(tmp_path: Path) -> None:
    one(tmp_path, SQUARE, suffix=".shp")
    for text in ("PROJCS", 'PROJCS["x",GEOGCS["y"]]', "\0\0", "+proj=nothing"):
        (tmp_path / "a.prj").write_text(text)
        scenes, quarantine = read(tmp_path)
        assert scenes == []
        assert quarantine.counts() == {"does not parse": 1, "image of a bad annotation file": 1}


def test_a_layer_without_system_is_told_one(tmp_path: Path) -> None:
    one(tmp_path, SQUARE, suffix=".shp", crs=None)
    assert "without coordinate system" in details(read(tmp_path)[1])
    assert only(read(tmp_path, crs="EPSG:32650")[0]).hbb.tolist() == BOX


def test_parquet_of_no_system_or_another_encoding_is_told(tmp_path: Path) -> None:
    one(tmp_path, SQUARE, suffix=".parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    about = table.schema.metadata[b"geo"]
    for old, new, said in (
        (b'"WKB"', b'"polygon"', "encoding 'polygon'"),
        (b'"primary_column": "geometry"', b'"primary_column": "x"', "no member geo"),
    ):
        changed = table.replace_schema_metadata({b"geo": about.replace(old, new)})
        pq.write_table(changed, tmp_path / "a.parquet")
        assert said in details(read(tmp_path)[1])
    one(tmp_path / "none", SQUARE, suffix=".parquet", crs=None)
    assert "without coordinate system" in details(read(tmp_path / "none")[1])


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet"])
def test_shapes_that_are_no_boxes_are_set_aside(tmp_path: Path, suffix: str) -> None:
    write_map(tmp_path / "a.tif")
    strange = [shapely.Point(1, 2), shapely.LineString([(1, 2), (2, 3)]), shapely.Polygon()]
    write_layer(
        tmp_path / f"a{suffix}", *strange[: 2 if suffix == ".fgb" else 3], shapely.box(*BOX)
    )
    scenes, quarantine = read(tmp_path)
    assert only(scenes).hbb.tolist() == BOX
    assert set(quarantine.counts()) == {"does not parse"}
    assert "a shape that is no box, got Point" in details(quarantine)
    assert f"a{suffix}:feature " in details(quarantine)


def test_no_latitude_is_told(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    swapped = [(45.0, 117.0), (45.1, 117.0), (45.1, 117.1), (45.0, 117.1)]
    write_layer(tmp_path / "a.gpkg", swapped, crs="EPSG:4326", to_map=None)
    assert "no latitude, got [45.0, 117.0]; longitude before latitude" in details(read(tmp_path)[1])


def test_two_layers_of_a_name_do_not_count_twice(tmp_path: Path) -> None:
    one(tmp_path, SQUARE)
    one(tmp_path, SQUARE, suffix=".shp")
    scenes, quarantine = read(tmp_path)
    assert len(scenes[0].annotations) == 1
    assert quarantine.counts() == {"second layer of a name": 1}


def test_a_package_that_a_program_has_open_is_told(tmp_path: Path) -> None:
    """Its last changes stand in another file, and reading it would write one."""
    one(tmp_path, SQUARE)
    with sqlite3.connect(tmp_path / "a.gpkg") as held:
        held.execute("PRAGMA journal_mode = wal")
        held.execute("CREATE TABLE more (x)")
        held.commit()
        scenes, quarantine = read(tmp_path)
        assert scenes == []
        assert "changes are not in the file, got a.gpkg-wal beside it" in details(quarantine)
    held.close()


def test_a_view_is_no_layer(tmp_path: Path) -> None:
    one(tmp_path, SQUARE, layer="ships")
    with sqlite3.connect(tmp_path / "a.gpkg") as file:
        file.execute("CREATE VIEW evil AS SELECT * FROM ships")
        file.execute(
            "INSERT INTO gpkg_contents SELECT 'evil', data_type, 'evil', description, last_change, "
            "min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents"
        )
    file.close()
    assert "a layer is a query, got the view 'evil'" in details(read(tmp_path)[1])


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb", ".parquet"])
def test_broken_layers_cost_their_image(tmp_path: Path, suffix: str) -> None:
    write_map(tmp_path / "a.tif")
    write_layer(tmp_path / f"a{suffix}", SQUARE)
    whole = (tmp_path / f"a{suffix}").read_bytes()
    for data in (b"", b"<xml/>", whole[: len(whole) // 2], whole[:20]):
        (tmp_path / f"a{suffix}").write_bytes(data)
        scenes, quarantine = read(tmp_path)
        if scenes and suffix == ".shp":  # GDAL reads what records there are: none of one
            assert scenes[0].annotations == ()
            continue
        assert scenes == []
        assert quarantine.counts() == {"does not parse": 1, "image of a bad annotation file": 1}


def test_names_that_gdal_takes_for_others_are_refused(tmp_path: Path) -> None:
    write_map(tmp_path / "x;y.tif")
    write_layer(tmp_path / "a.gpkg", SQUARE)
    (tmp_path / "a.gpkg").rename(tmp_path / "x;y.gpkg")
    assert "one of the signs ! ; ?" in details(read(tmp_path)[1])


def write_vrt(path: Path, source: str, relative: bool = True, **more: str) -> None:
    """A virtual raster of one file of ``WIDTH`` x ``HEIGHT`` px."""
    with rasterio.open(path.parent / "images/a.tif") as file:
        wkt = file.crs.to_wkt()
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"{more.get("band", "")}><SimpleSource>'
        f'<SourceFilename relativeToVRT="{int(relative)}"{more.get("attribute", "")}>{source}'
        f"</SourceFilename><SourceBand>{i}</SourceBand></SimpleSource>{more.get('inside', '')}"
        "</VRTRasterBand>"
        for i in (1, 2, 3)
    )
    place = ", ".join(map(str, MAP.to_gdal()))
    write_text(
        path,
        f'<VRTDataset rasterXSize="{WIDTH}" rasterYSize="{HEIGHT}"><SRS>{more.get("srs", wkt)}'
        f"</SRS><GeoTransform>{place}</GeoTransform>{bands}{more.get('end', '')}</VRTDataset>",
    )


def virtual(root: Path) -> Path:
    write_map(root / "images/a.tif")
    write_layer(root / "mosaic.gpkg", SQUARE)
    return root / "mosaic.vrt"


def test_a_virtual_raster_shows_files_of_the_folder(tmp_path: Path) -> None:
    write_vrt(virtual(tmp_path), "images/a.tif")
    scenes, quarantine = read(tmp_path)
    assert [s.scene_id for s in scenes] == ["mosaic"], "a.tif is no scene of its own"
    assert only(scenes).hbb.tolist() == BOX
    assert quarantine.rows == []


HOSTILE = {
    "outside": {"source": "../secret.tif"},
    "absolute": {"source": "/etc/hostname", "relative": False},
    "vsi": {"source": "/vsicurl/http://localhost/a.tif", "relative": False},
    "address": {"source": "http://localhost/a.tif", "relative": False},
    "driver": {"source": "NETCDF:a.nc:x"},
    "inline": {"source": "&lt;VRTDataset/&gt;"},
    "python": {"source": "images/a.tif", "band": ' subClass="VRTDerivedRasterBand"',
               "inside": "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"},
    "raw": {"source": "images/a.tif", "band": ' SubClass="VRTRawRasterBand"'},
    "attribute": {"source": "images/a.tif", "attribute": ' SourceFilename="/etc/hostname"'},
    "case": {"source": "images/a.tif", "end": "<vrtrasterband/>"},
    "warped": {"source": "images/a.tif", "end": "<GDALWarpOptions/>"},
    "options": {"source": "images/a.tif", "inside": "<OpenOptions/>"},
    "system": {"source": "images/a.tif", "srs": "http://localhost/crs"},
    "deep": {"source": "images/a.tif", "end": "<MaskBand>" * 2000 + "</MaskBand>" * 2000},
    "empty": {"source": ""},
    "folder": {"source": "images"},
    "other": {"source": "images/a.txt"},
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE.values(), ids=HOSTILE)
def test_a_virtual_raster_cannot_do_more(tmp_path: Path, how: dict[str, Any]) -> None:
    root = tmp_path / "in"
    path = virtual(root)
    write_map(tmp_path / "secret.tif")
    (root / "images/a.txt").write_bytes(b"<OGRVRTDataSource>")
    write_vrt(path, **how)
    scenes, quarantine = read(root)
    assert [s.scene_id for s in scenes if s.scene_id == "mosaic"] == []
    assert {"mosaic.vrt"} <= {row["source_file"] for row in quarantine.rows}


def test_a_virtual_raster_may_show_folders_that_the_user_names(tmp_path: Path) -> None:
    path = virtual(tmp_path / "in")
    write_map(tmp_path / "more/b.tif")
    write_vrt(path, str(tmp_path / "more/b.tif"), relative=False)
    assert "virtual raster refused" in read(tmp_path / "in")[1].counts()
    scenes, _ = read(tmp_path / "in", vrt_folders=[str(tmp_path / "more")], negatives=True)
    assert [s.scene_id for s in scenes] == ["a", "mosaic"]
    (path.parent / "link.tif").symlink_to(tmp_path / "more/b.tif")
    write_vrt(path, "link.tif")
    assert "virtual raster refused" in read(tmp_path / "in")[1].counts(), "a link leads out"


def test_entities_do_not_parse(tmp_path: Path) -> None:
    path = virtual(tmp_path)
    write_vrt(path, "images/a.tif")
    text = path.read_text().replace("images/a.tif", "&x;")
    path.write_text(text.replace("<VRTDataset", "<VRTDataset", 1))
    assert "XML that does not parse" in details(read(tmp_path)[1])


def test_a_raster_on_the_web_is_read_by_range_where_it_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, 2048, 2048), dtype=np.uint8)
    with rasterio.open(
        tmp_path / "far.tif", "w", driver="GTiff", width=2048, height=2048, count=3, dtype="uint8",
        crs="EPSG:32650", transform=MAP, tiled=True, blockxsize=256, blockysize=256,
    ) as file:  # fmt: skip
        file.write(noise)
    write_layer(tmp_path / "in/far.gpkg", SQUARE)
    with serving() as server:
        server.files["far.tif"] = (tmp_path / "far.tif").read_bytes()
        with pytest.raises(MissingInputError):
            read(tmp_path / "in")
        scenes, _ = read(tmp_path / "in", urls=[server.url("far.tif")])
        assert only(scenes).hbb.tolist() == BOX
        ranges = [r.removeprefix("bytes=").split("-") for r in server.ranges if r]
        asked = sum(int(end) - int(begin) + 1 for begin, end in ranges)
        assert 0 < asked < len(server.files["far.tif"]) / 10
        with pytest.raises(SourceError, match=r"none\.tif: cannot be read, got .*404"):
            read(tmp_path / "in", urls=[server.url("none.tif")])


WRONG = {
    "shapes": "circles",
    "bands": [1, 2],
    "most_px": 0,
    "ranges": [[5, 5]],
    "urls": ["ftp://x/a.tif"],
    "class_name": " ",
    "crs": "EPSG:1",
}


@pytest.mark.parametrize("ranges", [[[0, 1]] * 2, [[0, float("inf")]], [[float("nan"), 1]], []])
def test_ranges_are_of_all_bands_or_of_each_and_finite(ranges: Any) -> None:
    with pytest.raises(ParameterError, match="not allowed, got ranges"):
        geo.Options(ranges=ranges)
    for bands, number in ((None, 1), (None, 3), ([1], 1), ([3, 2, 1], 3)):
        assert geo.Options(bands=bands, ranges=[[0, 1]] * number)
    with pytest.raises(ParameterError, match="not allowed, got ranges"):
        geo.Options(bands=[1], ranges=[[0, 1]] * 3)


@pytest.mark.parametrize("name", WRONG)
def test_options_are_checked(name: str) -> None:
    with pytest.raises(ParameterError, match=rf"^options of geo: not allowed, got {name} = "):
        geo.Options(**{name: WRONG[name]})


def test_options_of_params_yaml_and_of_the_command_line() -> None:
    told = ["class_column=yes", "bands=4,3,2", "ranges=[[0, 3000]]", "nodata=0", "negatives=true",
            "urls=https://x.org/a.tif, https://x.org/b.tif"]  # fmt: skip
    found = parsed(geo, "geo", told)
    assert found == {
        "class_column": "yes", "bands": [4, 3, 2], "ranges": [[0, 3000]], "nodata": 0,
        "negatives": True, "urls": ["https://x.org/a.tif", "https://x.org/b.tif"],
    }  # fmt: skip
    assert keywords(geo, "geo", found) == {"options": geo.Options(**found)}
    for wrong, said in (
        ("class_colum=x", "unknown option, got 'class_colum'; .+ did you mean class_column?"),
        ("layer", "does not parse, got 'layer'"),
        ("bands=[4", r"does not parse, got 'bands=\[4'"),
        ("nodata=x", "wrong type, got nodata = 'x'"),
    ):
        with pytest.raises(ParameterError, match=said):
            parsed(geo, "geo", [wrong])


def test_places_that_a_system_has_not_and_systems_of_other_planets_are_told(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    far = [(1e7, 1e8), (2e7, 1e8), (2e7, 2e8)]
    write_layer(tmp_path / "a.gpkg", far, crs="EPSG:32633", to_map=None)
    scenes, quarantine = read(tmp_path)
    assert [len(scene.annotations) for scene in scenes] == [0]
    assert "without a place in the image's coordinate system" in details(quarantine)


@pytest.mark.parametrize("name", ["all", "a"])
def test_an_image_whose_system_does_not_relate_to_the_files_is_set_aside(
    tmp_path: Path, name: str
) -> None:
    """A file of its own name, too: it would be an image without objects."""
    write_map(tmp_path / "a.tif")
    moon = [(1.0, 2.0), (1.1, 2.0), (1.1, 2.1)]
    write_layer(tmp_path / f"{name}.gpkg", moon, crs="IAU_2015:30100", to_map=None)
    scenes, quarantine = read(tmp_path)
    assert scenes == []
    assert quarantine.counts()["image in a strange coordinate system"] == 1
    assert "nobody knows how it relates to WGS 84 / UTM zone 50N" in details(quarantine)


@pytest.mark.parametrize(
    ("kind", "may"),
    [
        ("Polygon", True), ("MultiPolygon Z", True), ("Measured 3D Polygon", True),
        ("2.5D MultiPolygon", True), ("GeometryCollection", True), ("Unknown", True),
        ("Point", False), ("2.5D Point", False), ("Measured LineString", False),
    ],
)  # fmt: skip
def test_layers_of_points_and_lines_are_not_asked_for_boxes(kind: str, may: bool) -> None:
    assert _may_be(kind) == may


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    with pytest.raises(MissingInputError, match=r"no geo dataset.*with layers"):
        read(tmp_path)
    write_text(tmp_path / "a.json", str(geojson_value()).replace("'", '"'))
    assert [len(s.annotations) for s in read(tmp_path)[0]] == [0]


def test_a_picture_without_a_place_is_told(tmp_path: Path) -> None:
    one(tmp_path, SQUARE)
    with rasterio.open(tmp_path / "b.jp2", "w", driver="JP2OpenJPEG", width=WIDTH, height=HEIGHT,
                       count=3, dtype="uint8") as file:  # fmt: skip
        file.write(np.moveaxis(image(), 2, 0))
    assert read(tmp_path)[1].counts() == {"image without coordinate system": 1}
