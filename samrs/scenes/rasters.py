"""Rasters of scenes as datasets publish them: colours by instance, GeoTIFF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine

from samrs.scenes.scene import SceneObject

Colour = tuple[int, int, int]


def instance_colour(number: int) -> Colour:
    """Colour of an image's instance by its number, from 0: all different, none black."""
    # An odd factor makes this a permutation of the 24-bit codes, and neighbours look different.
    code = (number + 1) * 0x9E3779 % 0x1000000
    return code >> 16, code >> 8 & 255, code & 255


def paint_masks(
    objects: Sequence[SceneObject], colours: Iterable[Colour], size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Visible masks in colours on black, (H, W, 3) RGB; a later object hides an earlier one.

    Args:
        objects: in the order they are painted.
    """
    canvas = np.zeros((*size_hw, 3), np.uint8)
    for item, colour in zip(objects, colours, strict=True):
        x0, y0, x1, y1 = item.box
        canvas[y0:y1, x0:x1][item.mask] = colour
    return canvas


def write_geotiff(
    path: Path, image: NDArray[np.uint8], *, crs: str, west_north: tuple[float, float], gsd: float
) -> None:
    """Write (H, W, 3) RGB, north up.

    Args:
        crs: a projected reference system in metres, e.g. ``EPSG:32633``.
        west_north: its coordinates of the image's top-left corner.
        gsd: metres per px.
    """
    height, width, bands = image.shape
    transform = Affine(gsd, 0, west_north[0], 0, -gsd, west_north[1])
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=bands, dtype="uint8",
        crs=crs, transform=transform, photometric="RGB", compress="deflate",
    ) as file:  # fmt: skip
        file.write(np.moveaxis(image, 2, 0))
