"""What an object is before it is painted: a stack of polygons in metres.

The local frame has its origin at the object's centre, x towards its front, y towards its
right-hand side; on screen the right-hand side is clockwise of the front.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from samrs.scenes import exact

Array = np.ndarray
Colour = Sequence[float] | Array


@dataclass(frozen=True)
class Part:
    """One polygon of a sprite, painted over the parts before it.

    Attributes:
        points: (N, 2) metres, local frame.
        colour: RGB in 0..1.
        z: Height of the polygon above ground in metres; moves it when the camera leans and
            throws its shadow.
        base: Height where the volume under the polygon begins; `z` for a thin, raised sheet.
        solid: Whether the polygon belongs to the silhouette, so to the mask. What is not solid
            shows only inside the silhouette.
        wall: RGB of the side walls from `base` to `z`, seen when the camera leans; None: no walls.
        line: Width in metres of a stroke along the points; 0 fills the polygon.
        closed: Whether a stroke returns to its first point.
        cover: Index into LAND_COVERS under this part; None: the sprite's.
    """

    points: Array
    colour: Colour
    z: float = 0.0
    base: float = 0.0
    solid: bool = True
    wall: Colour | None = None
    line: float = 0.0
    closed: bool = False
    cover: int | None = None


@dataclass(frozen=True)
class Sprite:
    """An object ready to be placed.

    Attributes:
        kind: One of KINDS, or "" for what is never annotated.
        parts: Painted in order.
        cover: Index into LAND_COVERS; None leaves the ground's.
        grain: (amplitude, scale in metres) pairs of multiplicative noise.
        soft_shadow: Penumbra in pixels.
        casts: Whether the sprite throws a shadow.
        ghost: Whether solid parts count for the mask only, and the parts that are not solid are all
            that is painted: the water between a pier and its boats belongs to the harbour.
    """

    kind: str
    parts: Sequence[Part]
    cover: int | None = None
    grain: Sequence[tuple[float, float]] = field(default=((0.03, 0.5),))
    soft_shadow: float = 0.7
    casts: bool = True
    ghost: bool = False

    def extent(self) -> tuple[float, float, float, float]:
        """x0, y0, x1, y1 in metres of the silhouette in the local frame, lean apart."""
        points = np.concatenate([p.points for p in self.parts if p.solid])
        (x0, y0), (x1, y1) = points.min(0), points.max(0)
        return float(x0), float(y0), float(x1), float(y1)


def rect(x0: float, y0: float, x1: float, y1: float) -> Array:
    """(4, 2) corners."""
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)


def box(length: float, width: float, x: float = 0.0, y: float = 0.0) -> Array:
    """(4, 2) corners of a rectangle around x, y."""
    return rect(x - length / 2, y - width / 2, x + length / 2, y + width / 2)


def ellipse(
    rx: float, ry: float, x: float = 0.0, y: float = 0.0, n: int = 48, start: float = 0.0
) -> Array:
    """(n, 2) points of an ellipse.

    Args:
        rx: half its extent along x.
        ry: half its extent along y.
        start: angle of the first point, radians.
    """
    t = start + np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + rx * exact.cos(t), y + ry * exact.sin(t)], 1)


def rounded(x0: float, y0: float, x1: float, y1: float, r: float, n: int = 5) -> Array:
    """(4 n, 2) points of a rectangle with rounded corners.

    Args:
        r: radius of the corners.
    """
    r = min(r, (x1 - x0) / 2, (y1 - y0) / 2)
    a = np.linspace(0, np.pi / 2, n) + np.arange(4)[:, None] * np.pi / 2
    centres = np.array([(x1 - r, y1 - r), (x0 + r, y1 - r), (x0 + r, y0 + r), (x1 - r, y0 + r)])
    arcs = centres[:, None] + r * np.stack([exact.cos(a), exact.sin(a)], 2)
    return np.asarray(arcs.reshape(-1, 2))


def mirror(points: Array) -> Array:
    """The same outline on the other side of the x axis."""
    return np.asarray(np.asarray(points, float)[::-1] * np.array([1.0, -1.0]))


def symmetric(half: Sequence[tuple[float, float]]) -> Array:
    """Outline from its right half, given front to back, by mirroring in the x axis."""
    points = np.array(half, float)
    return np.concatenate([points, mirror(points)])


def rotated(points: Array, angle: float) -> Array:
    """Points turned clockwise on screen by `angle` radians."""
    c, s = exact.cos(angle), exact.sin(angle)
    x, y = np.asarray(points, float).T
    return np.stack([x * c - y * s, x * s + y * c], 1)


def moved(parts: Sequence[Part], x: float, y: float, angle: float = 0.0) -> list[Part]:
    """Parts turned by `angle` and shifted by x, y, to build an object of objects.

    Args:
        parts: of a sprite; they stay as they are.
    """
    return [replace(p, points=rotated(p.points, angle) + (x, y)) for p in parts]
