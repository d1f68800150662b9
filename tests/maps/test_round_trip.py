"""Boxes on the map to masks to polygons on the map: every vertex on the px edge it stands for."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from pyproj import Geod, Transformer
from rasterio import Affine

from samrs.core.geometry import Array
from samrs.core.shards import read_table
from samrs.scenes.render import render_scene
from samrs.scenes.scene import Scene
from tests.commands.calls import call
from tests.datasets.by_hand import write_layer

SIDE = 240
STRAIGHT = Affine.scale(1, -1)
SCENES = {
    "utm33": ("EPSG:32633", (15.4, 47.9), 0.3, STRAIGHT, ".gpkg"),
    "mercator60": ("EPSG:3857", (10.0, 60.0), 0.6, STRAIGHT @ Affine.rotation(25), ".geojson"),
    "degrees": ("EPSG:4326", (8.5, 47.4), 3e-6, STRAIGHT, ".parquet"),
    "krovak": ("EPSG:5514", (14.42, 50.08), 0.25, STRAIGHT @ Affine.shear(12, 4), ".shp"),
    "polar": ("EPSG:3031", (40.0, -75.0), 0.5, Affine.scale(1, 0.7), ".fgb"),
}
"""Each with its system, place, size of px, grid, and the format of its boxes."""
OWN = ("utm33", "degrees", "krovak")
"""Those whose boxes are told in their own system; the others' are in degrees."""


@pytest.fixture(scope="module")
def scene() -> Scene:
    return render_scene(5, size_hw=(SIDE, SIDE), theme="parking_lot", gsd=0.3)


@cache
def grid(name: str) -> Affine:
    crs, lon_lat, side, turned, _ = SCENES[name]
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(*lon_lat)
    middle = Affine.translation(-SIDE / 2, -SIDE / 2)
    return Affine.translation(x, y) @ Affine.scale(side) @ turned @ middle


@pytest.fixture(scope="module")
def made(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``samrs label geo`` makes of the scene at five places, and exports of it."""
    root = tmp_path_factory.mktemp("maps")
    rings = [shapely.box(*item.box) for item in scene.objects]
    for name, (crs, _, _, _, suffix) in SCENES.items():
        path = root / "in" / f"{name}.tif"
        path.parent.mkdir(exist_ok=True)
        with rasterio.open(
            path, "w", driver="GTiff", width=SIDE, height=SIDE, count=3, dtype="uint8", crs=crs,
            transform=grid(name),
        ) as file:  # fmt: skip
            file.write(np.moveaxis(scene.image, 2, 0))
        shapes = [on_map(ring, name) for ring in rings]
        kinds = [item.kind for item in scene.objects]
        if name not in OWN:
            shapes = [moved(shape, crs, "EPSG:4326") for shape in shapes]
            crs = "EPSG:4326"
        write_layer(path.with_suffix(suffix), *shapes, crs=crs, to_map=None, **{"class": kinds})
    done = call(
        *("label", "geo", root / "in", "--out", root / "out", "--segmenter", "box", "--tile", 180),
        *("-e", "gpkg", "-e", "geojson", "-e", "geoparquet"),
    )
    assert done.exit_code == 0, done.output
    assert "set aside" not in done.output
    return root / "out"


def on_map(shape: Any, name: str) -> Any:
    return shapely.transform(shape, lambda xy: np.array([grid(name) @ p for p in xy]))


def moved(shape: Any, source: str, target: str) -> Any:
    move = transformer(source, target).transform
    return shapely.transform(shape, lambda xy: np.stack(move(*xy.T), axis=1))


@cache
def transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)


def in_px(shape: Any, name: str) -> Array:
    return np.array([~grid(name) @ p for p in shapely.get_coordinates(shape)])


def exported(out: Path, format: str) -> dict[str, Any]:
    """Features of an export by scene, in the scene's own system."""
    files = sorted((out / format).glob("*.gpkg"))
    files += sorted((out / format).glob("*.geojson")) + sorted((out / format).glob("*.parquet"))
    frames = []
    for path in files:
        if path.suffix == ".parquet":
            frames.append(geopandas.read_parquet(path))
        else:
            layers = geopandas.list_layers(path)["name"]
            frames += [geopandas.read_file(path, layer=layer) for layer in layers]
    found = {}
    for frame in frames:
        for name, some in frame.groupby("scene_id"):
            back = some.to_crs(SCENES[str(name)][0])
            found[str(name)] = pd.concat([found[str(name)], back]) if name in found else back
    return found


def tolerance(name: str, format: str) -> float:
    """GeoJSON is in WGS 84: Krovak's datum goes there and back by an approximate inverse, 2 mm."""
    return 1e-2 if (name, format) == ("krovak", "geojson") else 1e-3


@pytest.mark.parametrize("format", ["gpkg", "geojson", "geoparquet"])
def test_every_vertex_is_a_corner_of_pixels(made: Path, scene: Scene, format: str) -> None:
    found = exported(made, format)
    assert set(found) == set(SCENES)
    boxes = {tuple(float(v) for v in item.box) for item in scene.objects}
    for name, frame in found.items():
        assert len(frame) == len(scene.objects)
        seen = set()
        for shape in frame.geometry:
            px = in_px(shape, name)
            assert np.abs(px - np.rint(px)).max() < tolerance(name, format), (name, format)
            seen.add(tuple(np.rint([*px.min(axis=0), *px.max(axis=0)]).tolist()))
        assert seen == boxes, (name, format)


def test_areas_on_the_ellipsoid_are_the_px_times_their_size(made: Path) -> None:
    scenes = {r["scene_id"]: r for r in read_table(made / "release" / "in", "scenes").to_pylist()}
    geod = Geod(ellps="WGS84")
    for name, frame in exported(made, "gpkg").items():
        row = scenes[name]
        assert row["gsd"] ** 2 <= row["gsd_x"] * row["gsd_y"] * (1 + 1e-5)
        for shape, count in zip(frame.geometry, frame["area_px"], strict=True):
            fine = shapely.segmentize(shape, 2 * SCENES[name][2])
            area = abs(geod.geometry_area_perimeter(moved(fine, SCENES[name][0], "EPSG:4326"))[0])
            assert area == pytest.approx(count * row["gsd"] ** 2, rel=1e-3), name


def test_the_release_tells_where_each_scene_lies(made: Path) -> None:
    for row in read_table(made / "release" / "in", "scenes").to_pylist():
        assert np.allclose(row["transform"], grid(row["scene_id"])[:6], rtol=1e-15)
        assert rasterio.crs.CRS.from_wkt(row["crs"]) == rasterio.crs.CRS.from_string(
            SCENES[row["scene_id"]][0]
        )
