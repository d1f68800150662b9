"""Metres on the ground, whatever the coordinate system."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine, from_origin
from rasterio.warp import transform

from samrs.reading.ground import georeference, ground_sample_distance


def gsd(path: Path, crs: str | None, where: Affine) -> float | None:
    options = {"width": 100, "height": 100, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=where, **options) as file:
        file.write(np.zeros((1, 100, 100), np.uint8))
    with rasterio.open(path) as file:
        return ground_sample_distance(file)


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
    assert gsd(tmp_path / "a.tif", crs, where) == pytest.approx(metres, rel=2e-4)


def test_a_rotated_grid_shows_as_much_as_a_straight_one(tmp_path: Path) -> None:
    straight = from_origin(5e5, 5e6, 0.5, 0.5)
    turned = straight @ Affine.rotation(30)
    found = [gsd(tmp_path / "a.tif", "EPSG:32633", where) for where in (straight, turned)]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


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
