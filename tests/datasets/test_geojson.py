"""GeoJSON over GeoTIFF: coordinate systems, transforms, boxes and outlines, what lies outside."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rasterio import Affine
from rasterio.warp import transform

from samrs.core.errors import AnnotationError
from samrs.core.rle import rle_area
from samrs.datasets.geojson import read as geojson
from tests.datasets import by_hand
from tests.datasets.by_hand import (
    MAP,
    geojson_feature,
    geojson_value,
    write_image,
    write_map,
    write_text,
)
from tests.datasets.reading import boxes, details, only, read

SQUARE = ((4, 4), (14, 4), (14, 10), (4, 10))
DIAMOND = ((9, 4), (14, 9), (9, 14), (4, 9))
TRIANGLE = ((4, 4), (14, 4), (14, 10))
ROTATED = Affine(0.4, 0.3, 500_000, 0.3, -0.4, 5_000_000)


def write(path: Path, *features: object, crs: str | None = "EPSG:32650") -> None:
    write_text(path, json.dumps(geojson_value(*features, crs=crs)))


def one(root: Path, *features: object, crs: str | None = "EPSG:32650") -> None:
    write_map(root / "a.tif")
    write(root / "a.geojson", *features, crs=crs)


def test_corners_go_to_the_pixels_of_the_image(tmp_path: Path) -> None:
    by_hand.geojson(tmp_path)
    (first, second), quarantine = read("geojson", tmp_path)
    (ship,) = first.annotations
    assert (ship.category, ship.obb, ship.truth) == ("ship", None, None)
    assert np.allclose(ship.hbb, [4, 4, 14, 10])
    assert (ship.source_file, ship.source_line) == ("images/a.geojson", 1)
    assert second.annotations == ()
    assert quarantine.rows == []


@pytest.mark.parametrize("to_map", [MAP, ROTATED], ids=["upright", "rotated"])
def test_the_transform_of_the_image_may_be_rotated(tmp_path: Path, to_map: Affine) -> None:
    write_map(tmp_path / "a.tif", to_map=to_map)
    write(tmp_path / "a.geojson", geojson_feature(*SQUARE, to_map=to_map))
    ship = only(read("geojson", tmp_path)[0])
    assert np.allclose(ship.hbb, [4, 4, 14, 10])
    assert ship.obb is None, "upright in the image"


def test_a_box_upright_on_the_map_is_rotated_in_a_rotated_image(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif", to_map=ROTATED)
    x, y = ROTATED @ (20, 15)
    corners = [(x - 2, y + 1), (x + 2, y + 1), (x + 2, y - 1), (x - 2, y - 1)]
    ring = [list(corner) for corner in (*corners, corners[0])]
    feature = {**geojson_feature(*SQUARE), "geometry": {"type": "Polygon", "coordinates": [ring]}}
    write(tmp_path / "a.geojson", feature)
    ship = only(read("geojson", tmp_path)[0])
    assert ship.obb is not None
    sides = np.linalg.norm(ship.obb - np.roll(ship.obb, -1, axis=0), axis=1)
    assert np.allclose(sorted(sides), [4, 4, 8, 8])
    assert np.allclose(ship.obb.mean(axis=0), (20, 15))


def lon_lat(*px: tuple[float, float]) -> dict[str, object]:
    """A feature in WGS 84, rounded as tools round it."""
    xs, ys = zip(*(MAP @ point for point in (*px, px[0])), strict=True)
    lons, lats = transform("EPSG:32650", "EPSG:4326", xs, ys)
    ring = [[round(lon, 7), round(lat, 7), 12.5] for lon, lat in zip(lons, lats, strict=True)]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": {}, "geometry": geometry}


@pytest.mark.parametrize("crs", [None, "urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"])
def test_longitude_comes_first(tmp_path: Path, crs: str | None) -> None:
    one(tmp_path, lon_lat(*SQUARE), crs=crs)
    ship = only(read("geojson", tmp_path)[0])
    assert np.allclose(ship.hbb, [4, 4, 14, 10], atol=0.05)
    assert ship.obb is None, "upright to half a px"


@pytest.mark.parametrize(
    "crs",
    [
        "urn:ogc:def:crs:EPSG::32650",
        "urn:ogc:def:crs:EPSG:9.9:32650",
        "epsg:32650",
        "http://www.opengis.net/def/crs/EPSG/0/32650",
    ],
)
def test_systems_are_named_in_several_ways(tmp_path: Path, crs: str) -> None:
    one(tmp_path, geojson_feature(*SQUARE), crs=crs)
    assert np.allclose(only(read("geojson", tmp_path)[0]).hbb, [4, 4, 14, 10])


@pytest.mark.parametrize(
    "crs",
    ["EPSG:999999", "/etc/hostname", "http://localhost/crs", "+proj=utm", "EPSG:32650 ", "", 4326],
)
def test_other_names_of_systems_are_not_looked_up(tmp_path: Path, crs: object) -> None:
    value = {**geojson_value(geojson_feature(*SQUARE)), "crs": {"properties": {"name": crs}}}
    write_map(tmp_path / "a.tif")
    write_text(tmp_path / "a.geojson", json.dumps(value))
    scenes, quarantine = read("geojson", tmp_path)
    if crs == "EPSG:32650 ":
        assert len(scenes) == 1
        return
    assert scenes == []
    assert quarantine.counts() == {"does not parse": 1, "image of a bad annotation file": 1}
    assert "unknown coordinate system" in details(quarantine)


def test_a_link_to_a_system_is_not_followed(tmp_path: Path) -> None:
    link = {"type": "link", "properties": {"href": "http://localhost/crs", "type": "proj4"}}
    write_map(tmp_path / "a.tif")
    value = {**geojson_value(geojson_feature(*SQUARE)), "crs": link}
    write_text(tmp_path / "a.geojson", json.dumps(value))
    assert read("geojson", tmp_path)[1].counts()["does not parse"] == 1


def test_swapped_axes_that_show_are_told(tmp_path: Path) -> None:
    feature = lon_lat(*SQUARE)
    geometry = feature["geometry"]
    assert isinstance(geometry, dict)
    swapped = [[lat, lon] for lon, lat, _ in geometry["coordinates"][0]]
    one(tmp_path, {**feature, "geometry": {"type": "Polygon", "coordinates": [swapped]}}, crs=None)
    scenes, quarantine = read("geojson", tmp_path)
    assert scenes[0].annotations == ()
    assert "longitude before latitude" in details(quarantine)


def test_four_corners_everywhere_are_boxes(tmp_path: Path) -> None:
    one(tmp_path, geojson_feature(*SQUARE), geojson_feature(*DIAMOND))
    upright, rotated = read("geojson", tmp_path)[0][0].annotations
    assert (upright.obb, upright.truth, rotated.truth) == (None, None, None)
    assert rotated.obb is not None
    assert np.allclose(sorted(rotated.obb.tolist()), sorted([list(map(float, p)) for p in DIAMOND]))


def test_another_outline_makes_all_of_them_true_masks(tmp_path: Path) -> None:
    one(tmp_path, geojson_feature(*SQUARE), geojson_feature(*TRIANGLE))
    square, triangle = read("geojson", tmp_path)[0][0].annotations
    assert square.truth is not None
    assert (rle_area(square.truth), square.obb) == (60, None)
    assert triangle.truth is not None
    assert 25 <= rle_area(triangle.truth) <= 40


def rings(*polygons: list[tuple[tuple[int, int], ...]]) -> dict[str, object]:
    told = [[[list(MAP @ p) for p in (*ring, ring[0])] for ring in polygon] for polygon in polygons]
    geometry = {"type": "MultiPolygon", "coordinates": told}
    return {"type": "Feature", "properties": {"class": "pond"}, "geometry": geometry}


def test_holes_and_parts_count(tmp_path: Path) -> None:
    hole = ((6, 5), (10, 5), (10, 8), (6, 8))
    far = ((20, 20), (24, 20), (24, 22), (20, 22))
    one(tmp_path, rings([SQUARE, hole], [far]))
    pond = only(read("geojson", tmp_path)[0])
    assert np.allclose(pond.hbb, [4, 4, 24, 22])
    assert pond.truth is not None
    assert rle_area(pond.truth) == 60 - 12 + 8


@pytest.mark.parametrize(
    ("properties", "category"),
    [
        ({"class": "ship", "name": "Titanic"}, "ship"),
        ({"Class": "ship"}, "ship"),
        ({"class": "ship", "Class": "plane", "CLASS": "car"}, "ship"),
        ({"Class": "plane", "class": "ship"}, "ship"),
        ({"label": 7}, "7"),
        ({"name": "ship", "height": 3}, "ship"),
        ({"height": 3}, "object"),
        ({}, "object"),
    ],
)
def test_the_class_is_a_property(
    tmp_path: Path, properties: dict[str, object], category: str
) -> None:
    one(tmp_path, geojson_feature(*SQUARE, **properties))
    assert only(read("geojson", tmp_path)[0]).category == category
    assert geojson.categories(tmp_path) == (category,)


def test_difficult_is_a_property(tmp_path: Path) -> None:
    flags: list[dict[str, object]] = [
        {"difficult": "true"}, {}, {"Difficult": 1}, {"difficult": 0, "DIFFICULT": 1},
    ]  # fmt: skip
    one(tmp_path, *(geojson_feature(*SQUARE, **some) for some in flags))
    found = read("geojson", tmp_path)[0][0].annotations
    assert [a.difficult for a in found] == [True, False, True, False]


def test_features_may_spell_a_property_in_other_cases(tmp_path: Path) -> None:
    one(tmp_path, geojson_feature(*SQUARE, Class="ship"),
        geojson_feature(*SQUARE, **{"class": "plane", "Class": "car"}))  # fmt: skip
    found = read("geojson", tmp_path)[0][0].annotations
    assert [a.category for a in found] == ["ship", "plane"]


def geometry(kind: str, coordinates: object) -> dict[str, object]:
    told = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": {"class": "ship"}, "geometry": told}


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (geometry("Point", [1, 2]), "no box, got 'Point'"),
        (geometry("LineString", [[1, 2], [2, 3]]), "no box, got 'LineString'"),
        ({**geometry("Polygon", []), "geometry": None}, "no box, got None"),
        (geometry("Polygon", []), "coordinates do not parse"),
        (geometry("Polygon", [[[1, 2], [2, 3], [1, 2]]]), "a ring does not parse"),
        (geometry("Polygon", [[[1], [2], [3]]]), "a ring does not parse"),
        (geometry("Polygon", [[[1, "x"], [2, 3], [4, 5]]]), "not a number"),
        (geometry("MultiPolygon", []), "coordinates do not parse"),
        ({**geojson_feature(*SQUARE), "properties": None}, "a feature without class"),
        (7, "no box, got None"),
    ],
)
def test_features_that_are_no_boxes_are_set_aside(
    tmp_path: Path, feature: object, said: str
) -> None:
    good = geojson_feature(*SQUARE, **{"class": "ship"})
    one(tmp_path, feature, good)
    scenes, quarantine = read("geojson", tmp_path)
    assert (only(scenes).source_line, only(scenes).ordinal) == (2, 1)
    (row,) = quarantine.rows
    assert (row["source_file"], row["source_line"]) == ("a.geojson", 1)
    assert said in str(row["detail"])


def test_one_file_over_all_images(tmp_path: Path) -> None:
    """Two images side by side: a box in the first, one on the edge, one beyond both."""
    write_map(tmp_path / "images/train/a.tif")
    write_map(tmp_path / "images/val/b.tif", to_map=MAP @ Affine.translation(40, 0))
    edge = ((35, 4), (45, 4), (45, 10), (35, 10))
    beyond = ((100, 4), (110, 4), (110, 10), (100, 10))
    features = [geojson_feature(*px) for px in (SQUARE, edge, beyond)]
    write(tmp_path / "all.geojson", *features)
    (first, second), quarantine = read("geojson", tmp_path)
    assert [(s.scene_id, s.split) for s in (first, second)] == [("a", "train"), ("b", "val")]
    assert np.allclose([a.hbb for a in first.annotations], [[4, 4, 14, 10], [35, 4, 45, 10]])
    assert np.allclose([a.hbb for a in second.annotations], [[-5, 4, 5, 10]])
    assert [a.ordinal for a in second.annotations] == [1]
    assert quarantine.counts() == {"features outside the images": 1}
    assert "got 1 of 3" in details(quarantine)


def test_several_files_over_all_images_share_the_ordinals(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    for name in ("planes", "ships"):
        write(tmp_path / f"{name}.geojson", geojson_feature(*SQUARE, **{"class": name}))
    (scene,), _ = read("geojson", tmp_path)
    assert [(c, a.ordinal) for (c, _), a in zip(boxes(scene), scene.annotations, strict=True)] == [
        ("planes", 0),
        ("ships", 1),
    ]


def test_an_image_that_no_feature_meets_is_no_negative(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    write_map(tmp_path / "b.tif", to_map=MAP @ Affine.translation(400, 0))
    write(tmp_path / "all.geojson", geojson_feature(*SQUARE))
    scenes, quarantine = read("geojson", tmp_path)
    assert [scene.scene_id for scene in scenes] == ["a"]
    assert quarantine.counts() == {"image without annotation": 1}


@pytest.mark.parametrize(
    ("crs", "to_map"),
    [
        (None, MAP),
        ("EPSG:32650", Affine(0, 0, 5, 0, 0, 5)),
        ("EPSG:32650", Affine(*[float("nan")] * 6)),
    ],
    ids=["no system", "no extent", "no number"],
)
def test_an_image_without_a_place_is_set_aside(
    tmp_path: Path, crs: str | None, to_map: Affine
) -> None:
    write_map(tmp_path / "a.tif", crs=crs, to_map=to_map)
    write(tmp_path / "a.geojson", geojson_feature(*SQUARE))
    scenes, quarantine = read("geojson", tmp_path)
    assert scenes == []
    assert quarantine.counts() == {"image without coordinate system": 1}


def test_a_picture_is_no_geotiff(tmp_path: Path) -> None:
    by_hand.geojson(tmp_path)
    write_image(tmp_path / "images/c.png")
    scenes, quarantine = read("geojson", tmp_path)
    assert len(scenes) == 2
    assert quarantine.counts() == {"image without coordinate system": 1}


def test_a_place_that_the_images_system_has_not_costs_no_other(tmp_path: Path) -> None:
    """PROJ refuses all points of a call where one has no place."""
    far = [[[27, 0], [28, 0], [28, 1], [27, 1], [27, 0]]]  # a quarter of the earth away
    features = (lon_lat(*SQUARE), {**geometry("Polygon", far), "properties": {}})
    one(tmp_path, *features, crs=None)
    scenes, quarantine = read("geojson", tmp_path)
    assert np.allclose(only(scenes).hbb, [4, 4, 14, 10], atol=0.05)
    (row,) = quarantine.rows
    assert row["source_line"] == 2
    assert "a corner without a place in the image's coordinate system" in str(row["detail"])


def test_plain_json_is_read_where_there_is_no_geojson(tmp_path: Path) -> None:
    one(tmp_path, geojson_feature(*SQUARE))
    (tmp_path / "a.geojson").rename(tmp_path / "a.json")
    assert np.allclose(only(read("geojson", tmp_path)[0]).hbb, [4, 4, 14, 10])


def test_a_file_of_another_kind_is_told(tmp_path: Path) -> None:
    by_hand.geojson(tmp_path)
    write_text(tmp_path / "topology.geojson", '{"type": "Topology"}')
    scenes, quarantine = read("geojson", tmp_path)
    assert len(scenes) == 2
    assert quarantine.counts() == {"does not parse": 1}
    assert "not a FeatureCollection, got ['type']" in details(quarantine)


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tif")
    with pytest.raises(Exception, match=r"\*\.geojson with GeoTIFF images is needed") as error:
        read("geojson", tmp_path)
    assert not isinstance(error.value, AnnotationError)
