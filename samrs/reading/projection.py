"""From one coordinate system to another by pyproj, x before y in both, whatever the authority says.

pyproj and rasterio have a PROJ each, whose last bits differ: what lies over one another goes
through one of them.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS, Transformer  # of the extra geo
from pyproj.exceptions import CRSError, ProjError
from pyproj.network import set_network_enabled  # type: ignore[attr-defined]

from samrs.core.errors import AnnotationError
from samrs.core.geometry import Array
from samrs.reading.ground import FARTHEST

log = logging.getLogger("samrs")


def known_system(told: Any, where: str) -> str:
    """A coordinate system as WKT2.

    Args:
        told: by a file or a user: a number (``EPSG:32633``), WKT, or PROJJSON as a mapping.
        where: what to name in the error.

    Raises:
        AnnotationError: PROJ does not know it.
    """
    try:
        return str(_system(told).to_wkt())
    except (CRSError, ProjError, ValueError, TypeError) as error:
        raise AnnotationError(
            f"{where}:1: unknown coordinate system, got {str(told)[:80]!r}; EPSG numbers, WKT and "
            "PROJJSON are allowed; correct the file, or say crs"
        ) from error


def move(points: Array, source: str, target: str) -> Array:
    """Points (N, 2) xy of one coordinate system in another, x before y in both.

    Args:
        points: any number.
        source: system of the points, as WKT.
        target: the other one.

    Returns:
        (N, 2); inf where a point has no place there, or lies farther than ``FARTHEST``.

    Raises:
        AnnotationError: nobody knows how the two relate.
    """
    transformer = _transformer(source, target)
    moved = np.array(points, dtype=np.float64)
    moved[~(np.abs(moved) <= FARTHEST).all(axis=1)] = np.inf
    if transformer is None or not len(moved):
        return moved
    moved = np.stack(transformer.transform(*moved.T), axis=1)
    moved[~np.isfinite(moved).all(axis=1)] = np.inf
    _tell_accuracy(transformer, source, target)
    return np.asarray(moved)


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer | None:
    """None where both are the same system."""
    set_network_enabled(active=False)  # grids of the installation only: the same everywhere
    first, second = _system(source), _system(target)
    if first.equals(second, ignore_axis_order=True):
        return None
    try:
        return Transformer.from_crs(first, second, always_xy=True)
    except ProjError as error:
        raise AnnotationError(
            f"{first.name}:1: nobody knows how it relates to {second.name}, got no transformation; "
            "systems on known datums are allowed; bring features and images in one system"
        ) from error


_told: set[tuple[str, str]] = set()


def _tell_accuracy(transformer: Transformer, source: str, target: str) -> None:
    """Tell once how far off places may be: a datum's shift is known to metres only."""
    if (source, target) in _told:
        return
    try:
        used = transformer.get_last_used_operation()
    except ProjError:  # no point had a place
        return
    _told.add((source, target))
    if used.accuracy == 0:
        return
    known = used.accuracy is not None and used.accuracy > 0
    off = f"{used.accuracy:g} m off" if known else "off by what nobody knows"
    names = _system(source).name, _system(target).name
    log.warning("from %s to %s places may be %s: %s", *names, off, used.description)


@lru_cache(maxsize=256)
def _of_text(told: str) -> CRS:
    return CRS.from_user_input(told)


def _system(told: Any) -> CRS:
    return _of_text(told) if isinstance(told, str) else CRS.from_user_input(told)
