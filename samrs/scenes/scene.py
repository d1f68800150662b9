"""What a procedural scene is: an image, its instances with exact masks, its land cover.

Coordinates are continuous pixels, origin at the top-left corner of the top-left pixel, x right,
y down; integer boxes are half-open.
"""

from dataclasses import dataclass

import numpy as np

KINDS: tuple[str, ...] = (
    "plane",
    "helicopter",
    "ship",
    "small_vehicle",
    "large_vehicle",
    "storage_tank",
    "tennis_court",
    "basketball_court",
    "baseball_diamond",
    "soccer_field",
    "track_field",
    "harbor",
    "bridge",
    "swimming_pool",
    "roundabout",
    "windmill",
    "chimney",
    "building",
    "tree",
)

LAND_COVERS: tuple[str, ...] = (
    "impervious",
    "building",
    "low_vegetation",
    "tree",
    "car",
    "clutter",
    "water",
)


@dataclass(frozen=True)
class SceneObject:
    """One annotated instance of a scene.

    Attributes:
        kind: One of KINDS.
        obb: (4, 2) float64 corners xy of the oriented box tight around the whole object, hidden
            and outside parts included: front-left, front-right, back-right, back-left, which is
            clockwise on screen. May reach outside the image.
        box: x0, y0, x1, y1 of the visible mask, half-open.
        mask: (y1 - y0, x1 - x0) bool, the visible pixels inside `box`; neither the shadow nor
            what another object hides belongs to it.
        length_m: Size in metres along the object's heading.
        width_m: Size in metres across the object's heading.
    """

    kind: str
    obb: np.ndarray
    box: tuple[int, int, int, int]
    mask: np.ndarray
    length_m: float
    width_m: float


@dataclass(frozen=True)
class Scene:
    """A rendered scene.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        objects: The annotated instances, in painting order.
        land_cover: (H, W) uint8, index into LAND_COVERS.
        gsd: Metres per pixel.
    """

    image: np.ndarray
    objects: tuple[SceneObject, ...]
    land_cover: np.ndarray
    gsd: float
