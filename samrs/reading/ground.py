"""How many metres of ground a pixel of a georeferenced image shows, in any coordinate system."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError  # what transform raises, though no RasterioError
from rasterio.enums import WktVersion
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform

from samrs.core.geometry import Array
from samrs.core.records import Georeference

WGS84_AXIS, WGS84_ECCENTRICITY_SQUARED = 6_378_137.0, 0.00669437999014
SPAN = 8.0
"""Px on either side of the image's centre between which ground is measured."""
FARTHEST = 1e9
"""Largest coordinate that is moved to another system: beyond all planets of maps."""
DIGITS = 6
"""Significant digits kept: far beyond what a pixel size is known to, and the same on every CPU."""


def georeference(dataset: Any) -> Georeference | None:
    """Where an open dataset lies; None where it does not say.

    A file without a place has the identity as its transform; one that is no number, or gives all px
    one line, says nothing either, nor does a system that WKT2 has no words for.
    """
    values = tuple(float(v) for v in dataset.transform[:6])
    if dataset.crs is None or dataset.transform.is_identity or not np.isfinite(values).all():
        return None
    if not values[0] * values[4] - values[1] * values[3]:
        return None
    try:
        return Georeference(dataset.crs.to_wkt(version=WktVersion.WKT2_2019), values)
    except CRSError:
        return None


class Ground(NamedTuple):
    """Metres of ground that a pixel shows at the centre of an image.

    Attributes:
        gsd: side of a square as large as the pixel.
        gsd_x: along a row, from a pixel to the next.
        gsd_y: along a column.
    """

    gsd: float
    gsd_x: float
    gsd_y: float


def ground_sample_distance(dataset: Any) -> Ground | None:
    """Size of a pixel on the ground, at the centre of an open dataset.

    The projection's scale there counts: a pixel of EPSG:3857 shows cos(latitude) of its size. Rows
    and columns are measured apart, since degrees and many projections have another scale in either.

    Returns:
        None where the dataset says no place, or centre or result is no number.
    """
    if georeference(dataset) is None:
        return None
    column, row = dataset.width / 2, dataset.height / 2
    steps = ((-SPAN, 0), (SPAN, 0), (0, -SPAN), (0, SPAN))
    places = np.array([dataset.transform @ (column + x, row + y) for x, y in steps])
    lons, lats = move_points(places, dataset.crs, "EPSG:4326").T
    if not np.isfinite([lons, lats]).all():
        return None
    left, right, above, below = _on_ellipsoid(np.radians(lons), np.radians(lats))
    across, down = (right - left) / (2 * SPAN), (below - above) / (2 * SPAN)
    square = math.sqrt(_length(np.cross(across, down)))
    found = Ground(*(_rounded(v) for v in (square, _length(across), _length(down))))
    return found if all(math.isfinite(v) and v > 0 for v in found) else None


def _length(vector: Array) -> float:
    return math.hypot(*vector.tolist())


def _rounded(metres: float) -> float:
    return float(f"{metres:.{DIGITS}g}")


def move_points(points: Array, source: Any, target: Any) -> Array:
    """Points (N, 2) xy of one coordinate system in another, x before y in both.

    PROJ fails for all points where one has no place in the other system: then each half is tried.

    Args:
        source: system of the points, as rasterio takes it.
        target: the other one.

    Returns:
        (N, 2); inf where a point has no place there, or lies farther than ``FARTHEST``.
    """
    near = (np.abs(points) <= FARTHEST).all(axis=1)  # False for NaN, too
    if not near.all():
        moved = np.full(points.shape, np.inf)
        moved[near] = move_points(points[near], source, target)
        return moved
    if not len(points):
        return points.copy()
    try:
        with rasterio.Env():  # what PROJ says is logged, not printed
            xs, ys = transform(source, target, points[:, 0], points[:, 1])
    except (RasterioError, CPLE_BaseError):
        if len(points) == 1:
            return np.full(points.shape, np.inf)
        halves = np.array_split(points, 2)
        return np.concatenate([move_points(half, source, target) for half in halves])
    return np.stack([np.asarray(xs, np.float64), np.asarray(ys, np.float64)], axis=1)


def _on_ellipsoid(lons: Array, lats: Array) -> Array:
    """Points (N, 3) in metres from the centre of WGS 84; longitudes and latitudes in radians."""
    normal = WGS84_AXIS / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(lats) ** 2)
    from_axis = normal * np.cos(lats)
    north = (1 - WGS84_ECCENTRICITY_SQUARED) * normal * np.sin(lats)
    return np.stack([from_axis * np.cos(lons), from_axis * np.sin(lons), north], axis=1)
