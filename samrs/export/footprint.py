"""Where a scene lies on the globe, in degrees, cut at the antimeridian (RFC 7946, STAC)."""

from __future__ import annotations

from typing import Any

import antimeridian
import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.records import Georeference

STEPS = 8
"""Pieces of a side: a straight side of a scene is a curve in degrees."""

DECIMALS = 9
"""Of a degree: a tenth of a millimetre."""


def footprint(place: Georeference, size_hw: tuple[int, int]) -> tuple[dict[str, Any], list[float]]:
    """A scene's outline in WGS 84 as GeoJSON's geometry, and its bbox, west first.

    A bbox over the antimeridian has its west greater than its east, as RFC 7946 has it.

    Args:
        place: where it lies.
        size_hw: px.

    Raises:
        ProductError: its coordinate system does not reach there.
    """
    xy = _outline(size_hw)
    a, b, c, d, e, f = place.transform
    x, y = xy.T
    to_globe = pyproj.Transformer.from_crs(place.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_globe.transform(a * x + b * y + c, d * x + e * y + f)
    places = np.stack([lon, lat], axis=1)
    if not np.isfinite(places).all() or (np.abs(places[:, 1]) > 90 + 1e-9).any():
        raise ProductError(
            f"scene: lies nowhere on the globe, got {place.name} and {place.transform}; a place "
            "that its coordinate system knows is allowed; correct the image's coordinates"
        )
    if _is_clockwise(places, a * e - b * d < 0):
        places = places[::-1]
    shape = antimeridian.fix_polygon(shapely.Polygon(places), fix_winding=False)
    rounded = shapely.transform(shape, lambda v: np.round(v, DECIMALS))
    box = [round(float(v), DECIMALS) for v in antimeridian.bbox(shape)]
    return shapely.geometry.mapping(rounded), box


def _outline(size_hw: tuple[int, int]) -> NDArray[np.float64]:
    """(4 * STEPS, 2) xy in px, clockwise on the screen from the upper left corner."""
    along = np.arange(STEPS) / STEPS
    none, all_ = np.zeros(STEPS), np.ones(STEPS)
    sides = [(along, none), (all_, along), (1 - along, all_), (none, 1 - along)]
    shares: NDArray[np.float64] = np.concatenate([np.stack(side, axis=1) for side in sides])
    return shares * size_hw[::-1]


def _is_clockwise(places: NDArray[np.float64], mirrored: bool) -> bool:
    """Whether an outline runs clockwise, seen from above.

    Args:
        places: (P, 2) longitude and latitude.
        mirrored: of an outline around a pole, which has no area in degrees, whether it does.
    """
    lon, lat = np.unwrap(places[:, 0], period=360), places[:, 1]
    if abs(lon[-1] - lon[0]) > 180:
        return mirrored
    lon = lon - lon[0]
    return bool(np.sum(lon * np.roll(lat, -1) - np.roll(lon, -1) * lat) < 0)


def whole_extent(boxes: list[list[float]]) -> list[float]:
    """One box around others; around the globe where one lies over the antimeridian.

    Args:
        boxes: west, south, east, north of each.
    """
    west, south, east, north = np.array(boxes).T
    if (west > east).any():
        west, east = np.array([-180.0]), np.array([180.0])
    return [float(v) for v in (west.min(), south.min(), east.max(), north.max())]
