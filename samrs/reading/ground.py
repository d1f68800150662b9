"""How many metres of ground a pixel of a georeferenced image shows, in any coordinate system."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from rasterio.errors import RasterioError
from rasterio.warp import transform

from samrs.core.geometry import Array

WGS84_AXIS, WGS84_ECCENTRICITY_SQUARED = 6_378_137.0, 0.00669437999014
SPAN = 8.0
"""Px on either side of the image's centre between which ground is measured."""
DIGITS = 6
"""Significant digits kept: far beyond what a pixel size is known to, and the same on every CPU."""


class Georeference(NamedTuple):
    """Where a scene lies.

    Attributes:
        crs: coordinate reference system as "EPSG:32650", or WKT.
        transform: a b c d e f with X = a x + b y + c, Y = d x + e y + f for scene px (x, y).
    """

    crs: str
    transform: tuple[float, ...]


def georeference(dataset: Any) -> Georeference | None:
    """Where an open dataset lies; None where it does not say.

    A file without a place has the identity as its transform; one that is no number, or gives all px
    one line, says nothing either.
    """
    values = tuple(float(v) for v in dataset.transform[:6])
    if dataset.crs is None or dataset.transform.is_identity or not np.isfinite(values).all():
        return None
    area = values[0] * values[4] - values[1] * values[3]
    return Georeference(dataset.crs.to_string(), values) if area else None


def ground_sample_distance(dataset: Any) -> float | None:
    """Side of a square as large as a pixel on the ground, at the centre of an open dataset.

    The projection's scale there counts: a pixel of EPSG:3857 shows cos(latitude) of its size.

    Returns:
        Metres per px; None where the dataset says no place, or centre or result is no number.
    """
    if georeference(dataset) is None:
        return None
    column, row = dataset.width / 2, dataset.height / 2
    steps = ((-SPAN, 0), (SPAN, 0), (0, -SPAN), (0, SPAN))
    places = [dataset.transform @ (column + x, row + y) for x, y in steps]
    if not np.isfinite(places).all():
        return None
    try:
        lons, lats = transform(dataset.crs, "EPSG:4326", *zip(*places, strict=True))
    except RasterioError:
        return None
    left, right, above, below = _on_ellipsoid(np.radians(lons), np.radians(lats))
    metres = math.sqrt(math.dist(left, right) * math.dist(above, below)) / (2 * SPAN)
    return float(f"{metres:.{DIGITS}g}") if math.isfinite(metres) and metres > 0 else None


def _on_ellipsoid(lons: Array, lats: Array) -> Array:
    """Points (N, 3) in metres from the centre of WGS 84; longitudes and latitudes in radians."""
    normal = WGS84_AXIS / np.sqrt(1 - WGS84_ECCENTRICITY_SQUARED * np.sin(lats) ** 2)
    from_axis = normal * np.cos(lats)
    north = (1 - WGS84_ECCENTRICITY_SQUARED) * normal * np.sin(lats)
    return np.stack([from_axis * np.cos(lons), from_axis * np.sin(lons), north], axis=1)
