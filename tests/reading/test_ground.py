"""Metres on the ground, whatever the coordinate system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform

from samrs.core.geometry import Array
from samrs.reading.ground import Ground, georeference, ground_sample_distance


def gsd(path: Path, crs: str | None, where: Affine) -> Ground | None:
    options = {"width": 100, "height": 100, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=where, **options) as file:
        file.write(np.zeros((1, 100, 100), np.uint8))
    with rasterio.open(path) as file:
        return ground_sample_distance(file)


def moved(points: Array, source: str, target: str) -> Array:
    """Points (N, 2) xy by pyproj, which has a PROJ of its own."""
    return np.stack(Transformer.from_crs(source, target, always_xy=True).transform(*points.T), 1)


GRIDS = {
    "straight": Affine.scale(1, -1),
    "long pixels": Affine.scale(1, -0.4),
    "turned": Affine.rotation(30) @ Affine.scale(1, -1),
    "sheared": Affine.scale(1, -1) @ Affine.shear(20, 5),
    "south up": Affine.scale(1, 1),
}
PLACES = {
    "UTM": ("EPSG:32633", (14.0, 48.0), 0.3),
    "Mercator at 60 north": ("EPSG:3857", (10.0, 60.0), 0.6),
    "degrees": ("EPSG:4326", (10.0, 47.0), 3e-6),
    "Krovak": ("EPSG:5514", (14.5, 50.0), 0.25),
    "polar": ("EPSG:3031", (40.0, -75.0), 0.5),
    "the pole": ("EPSG:3031", (0.0, -90.0), 0.5),
    "survey feet": ("EPSG:2263", (-74.0, 40.7), 0.5),
    "equal area": ("EPSG:6933", (20.0, 50.0), 1.0),  # 0.77 long for 1.3 high
    "antimeridian": ("EPSG:4326", (179.99999, 5.0), 3e-6),
    "southern UTM": ("EPSG:32756", (151.2, -33.9), 0.1),
}


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize(("crs", "lon_lat", "side"), PLACES.values(), ids=PLACES)
def test_rows_columns_and_area_are_those_of_the_ellipsoid(
    crs: str, lon_lat: tuple[float, float], side: float, grid: Affine, tmp_path: Path
) -> None:
    """Against geodesics; of a ring round the pole they know the area to 0.1 m2 only."""
    (at,) = moved(np.array([lon_lat]), "EPSG:4326", crs)
    where = Affine.translation(*at) @ Affine.scale(side) @ grid @ Affine.translation(-50, -50)
    found = gsd(tmp_path / "a.tif", crs, where)
    px = np.array([(42, 50), (58, 50), (50, 42), (50, 58), (42, 42), (58, 42), (58, 58), (42, 58)])
    west, east, north, south, *square = moved(np.array([where @ p for p in px]), crs, "EPSG:4326")
    geod = Geod(ellps="WGS84")
    area = geod.polygon_area_perimeter(*np.array(square).T)[0]
    assert found is not None
    assert found.gsd_x == pytest.approx(geod.inv(*west, *east)[2] / 16, rel=1e-5)
    assert found.gsd_y == pytest.approx(geod.inv(*north, *south)[2] / 16, rel=1e-5)
    assert found.gsd == pytest.approx(abs(area) ** 0.5 / 16, rel=5e-4)


@pytest.mark.parametrize(
    ("crs", "lon", "lat", "side", "metres"),
    [
        ("EPSG:32633", 15.0, 45.0, 0.8, 0.8 / 0.9996),  # UTM's scale on its central meridian
        ("EPSG:3857", 10.0, 60.0, 1.0, 0.500843),  # sqrt(0.501263 x 0.500424): an ellipsoid
        ("EPSG:4326", 10.0, 0.0, 1e-5, 1.109401),  # sqrt(1.113195 m of longitude x 1.105743 m)
        ("EPSG:2263", -74.0, 40.7, 1.0, 0.3048006),  # US survey feet
        ("EPSG:3031", 0.0, -90.0, 10.0, 10.28119),  # true at 71 degrees south
    ],
)
def test_a_pixel_shows_this_many_metres(
    crs: str, lon: float, lat: float, side: float, metres: float, tmp_path: Path
) -> None:
    (x,), (y,) = transform("EPSG:4326", crs, [lon], [lat])
    where = from_origin(x - 50 * side, y + 50 * side, side, side)
    found = gsd(tmp_path / "a.tif", crs, where)
    assert found is not None
    assert found.gsd == pytest.approx(metres, rel=2e-4)


def test_a_rotated_grid_shows_as_much_as_a_straight_one(tmp_path: Path) -> None:
    straight = from_origin(5e5, 5e6, 0.5, 0.5)
    turned = straight @ Affine.rotation(30)
    found = [gsd(tmp_path / "a.tif", "EPSG:32633", where) for where in (straight, turned)]
    straight_one, turned_one = found
    assert straight_one is not None
    assert turned_one is not None
    assert straight_one.gsd == pytest.approx(turned_one.gsd, rel=1e-5)


def test_without_a_place_on_earth_there_is_none(tmp_path: Path) -> None:
    assert gsd(tmp_path / "a.tif", None, from_origin(0, 0, 1, 1)) is None
    assert gsd(tmp_path / "b.tif", "EPSG:32633", Affine(*[float("nan")] * 6)) is None


NOWHERE = {
    "NaN": Affine(np.nan, 0, 5e5, 0, -1, 5e6),
    "infinite": Affine(1, 0, np.inf, 0, -1, 5e6),
    "identity": Affine.identity(),
    "a line": Affine(1, 2, 5e5, 2, 4, 5e6),
}


@pytest.mark.parametrize("where", NOWHERE.values(), ids=NOWHERE)
def test_a_transform_that_says_no_place_is_none(where: Affine, tmp_path: Path) -> None:
    assert gsd(tmp_path / "a.tif", "EPSG:32633", where) is None
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.crs is not None
        assert georeference(file) is None
