"""Textured surfaces: what the land looks like between the objects."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from samrs.scenes import exact
from samrs.scenes.filters import shares, slopes
from samrs.scenes.raster import fill, stroke
from samrs.scenes.sprite import Array, Colour
from samrs.scenes.world import COVER, World

WAVE = 1024
"""Entries of the table of a wave."""
_WAVE = exact.sin(np.arange(WAVE) * (2 * np.pi / WAVE)).astype(np.float32)


@dataclass(frozen=True)
class Surface:
    """A random material.

    Attributes:
        cover: Name in LAND_COVERS.
        colours: RGB in 0..255; two or three of them are mixed by a slow noise.
        grain: (scale in metres, amplitude) of the brightness noise; a scale of 0 is one pixel.
        mix_m: Scale in metres of the mixing.
        spread: How far the second colour is allowed from the first, 0..1.
    """

    cover: str
    colours: tuple[tuple[int, int, int], ...]
    grain: tuple[tuple[float, float], ...]
    mix_m: float = 30.0
    spread: float = 0.55


SURFACES: dict[str, Surface] = {
    "grass": Surface(
        "low_vegetation",
        ((72, 88, 50), (96, 106, 62), (60, 78, 46), (112, 116, 74), (84, 108, 56), (128, 122, 84)),
        ((12, 0.05), (2, 0.05), (0.5, 0.06), (0, 0.03)),
    ),
    "dry": Surface(
        "low_vegetation",
        ((134, 122, 92), (150, 138, 104), (116, 110, 78), (160, 146, 118), (108, 98, 74)),
        ((10, 0.06), (2, 0.06), (0.5, 0.05), (0, 0.03)),
    ),
    "soil": Surface(
        "clutter",
        ((150, 126, 98), (168, 140, 108), (126, 100, 78), (182, 160, 130), (140, 96, 70)),
        ((15, 0.06), (3, 0.06), (0.6, 0.05), (0, 0.03)),
    ),
    "sand": Surface(
        "clutter",
        ((206, 190, 160), (194, 176, 142), (218, 206, 180), (180, 166, 138)),
        ((12, 0.04), (2, 0.03), (0, 0.02)),
    ),
    "asphalt": Surface(
        "impervious",
        ((92, 92, 94), (110, 108, 106), (74, 76, 80), (126, 122, 118), (100, 96, 92), (60, 62, 66)),
        ((25, 0.04), (4, 0.02), (0.6, 0.02), (0, 0.02)), 60.0, 0.25,
    ),
    "concrete": Surface(
        "impervious",
        ((172, 170, 160), (188, 184, 174), (156, 154, 146), (198, 194, 186), (146, 140, 130)),
        ((30, 0.035), (5, 0.02), (0.6, 0.015), (0, 0.015)), 80.0, 0.2,
    ),
    "gravel": Surface(
        "impervious",
        ((150, 144, 134), (136, 130, 122), (166, 158, 146), (120, 116, 112)),
        ((10, 0.04), (1.5, 0.05), (0, 0.05)), 40.0, 0.35,
    ),
    "water": Surface(
        "water",
        ((34, 52, 62), (24, 38, 46), (44, 66, 66), (52, 82, 92), (60, 72, 62), (28, 34, 40),
         (38, 84, 92), (64, 98, 112), (74, 80, 60), (20, 46, 60)),
        ((60, 0.06), (10, 0.02), (0, 0.012)), 150.0, 0.3,
    ),
    "forest": Surface(
        "tree",
        ((44, 60, 34), (56, 74, 42), (36, 50, 32), (70, 84, 50), (86, 84, 52)),
        ((20, 0.08), (0, 0.04)),
    ),
    "crop": Surface(
        "low_vegetation",
        ((92, 112, 60), (124, 132, 76), (78, 98, 52), (164, 150, 98), (134, 114, 82), (58, 84, 46)),
        ((25, 0.05), (3, 0.04), (0, 0.03)),
    ),
}  # fmt: skip


def _tint(world: World, colour: Colour, amount: float = 10.0) -> Array:
    """A colour of 0..255 with a random cast and brightness, in 0..1."""
    rng = world.rng
    shifted = np.asarray(colour, float) * rng.uniform(0.82, 1.18) + rng.normal(0, amount / 2, 3)
    return np.clip(shifted, 4, 250) / 255


def texture(world: World, name: str, size_hw: tuple[int, int], plain: bool = False) -> Array:
    """A patch of a surface.

    Args:
        world: Gives resolution and randomness.
        name: Key of SURFACES.
        size_hw: Height and width in pixels.
        plain: Whether to use a single base colour.

    Returns:
        (h, w, 3) float32 RGB in 0..1.
    """
    rng = world.rng
    surface = SURFACES[name]
    first, second = rng.choice(len(surface.colours), 2)
    a = _tint(world, surface.colours[first])
    mixed = a if plain else a + surface.spread * (_tint(world, surface.colours[second]) - a)
    mix = world.noise.crop(size_hw, surface.mix_m / world.gsd * rng.uniform(0.4, 1.6))
    if not plain and surface.spread > 0.3:
        mix = mix + 0.4 * world.noise.crop(size_hw, surface.mix_m / 5 / world.gsd)
    t = np.clip(0.5 + 0.45 * mix, 0, 1)[..., None]
    image = (mixed - a).astype(np.float32) * t
    image += a.astype(np.float32)
    light = np.ones(size_hw, np.float32)
    strength = rng.uniform(0.5, 1.7)
    for scale_m, amplitude in surface.grain:
        scale = max(scale_m / world.gsd, 1.0)
        if scale_m and scale_m / world.gsd < 1.0:
            amplitude *= 0.5
        light += strength * amplitude * world.noise.crop(size_hw, scale)
    detail = _DETAILS.get(name)
    if detail is not None:
        light *= detail(world, size_hw)
    image *= light[..., None]
    return np.asarray(image)


def _waves(world: World, size_hw: tuple[int, int]) -> Array:
    """Ripples along one direction and, now and then, glint."""
    rng = world.rng
    if rng.random() < 0.35:
        return np.ones(size_hw, np.float32)
    length = max(rng.uniform(1.5, 9.0) / world.gsd, 2.5)
    angle = rng.uniform(0, np.pi)
    warp = np.float32(1.6) * world.noise.crop(size_hw, length * 4)
    wave = _rows(size_hw, angle, length, warp)
    wave *= 0.6 + 0.4 * world.noise.crop(size_hw, length * 8)
    result = 1 + np.float32(rng.uniform(0.01, 0.09)) * wave
    if rng.random() < 0.2:
        result += 0.5 * np.clip(world.noise.crop(size_hw, 1.5) - 2.0, 0, 1)
    return result.astype(np.float32)


def _crowns(world: World, size_hw: tuple[int, int]) -> Array:
    """Relief of closed canopy, lit from the sun's side."""
    rng = world.rng
    crown = rng.uniform(3.5, 9.0) / world.gsd
    height = world.noise.crop(size_hw, crown * 0.5) + 0.5 * world.noise.crop(size_hw, crown / 4)
    sun = world.shadow_m / (exact.length(world.shadow_m) + 1e-9)
    gx, gy = slopes(height)
    slope = (gx * sun[0] + gy * sun[1]) * np.float32(crown * 0.35)
    return np.asarray(np.clip(1 - 0.35 * slope + 0.18 * height, 0.25, 1.7).astype(np.float32))


def _furrows(world: World, size_hw: tuple[int, int]) -> Array:
    """Straight rows of a ploughed or planted field."""
    rng = world.rng
    period = max(rng.choice([rng.uniform(0.8, 3.0), rng.uniform(4, 15)]) / world.gsd, 2.6)
    angle = rng.uniform(0, np.pi)
    strength = np.float32(rng.uniform(0, 0.14))
    return np.asarray(1 + strength * _rows(size_hw, angle, period))


def _rows(
    size_hw: tuple[int, int], angle: float, length: float, warp: Array | None = None
) -> Array:
    """Sine of the distance along an angle, (h, w) float32, by a table.

    Args:
        length: of a wave in px.
        warp: (h, w) radians added to its phase.
    """
    h, w = size_hw
    across, along = exact.sin(angle) * WAVE / length, exact.cos(angle) * WAVE / length
    phase = np.arange(h, dtype=np.float32)[:, None] * np.float32(across) + np.arange(
        w, dtype=np.float32
    ) * np.float32(along)
    if warp is not None:
        phase += warp * np.float32(WAVE / (2 * np.pi))
    return _WAVE.take(phase.astype(np.int32) & (WAVE - 1))


def _slabs(world: World, size_hw: tuple[int, int]) -> Array:
    """Slabs or repair patches, each a little lighter or darker than the next."""
    rng = world.rng
    h, w = size_hw
    if rng.random() < 0.35:
        return np.ones(size_hw, np.float32)
    length = max(rng.uniform(4, 25) / world.gsd, 4.0)
    width = max(length * rng.uniform(0.3, 1.0), 4.0)
    angle = rng.uniform(0, 2 * np.pi)
    n = int(exact.length(np.array([h, w])) / min(length, width)) + 3
    cells = 1 + rng.standard_normal((n, n), dtype=np.float32) * np.float32(rng.uniform(0.005, 0.04))
    c, s = exact.cos(angle), exact.sin(angle)
    x, y = np.arange(w) + 0.5 - w / 2, np.arange(h)[:, None] + 0.5 - h / 2
    column = (x * (c / length) + (y * (s / length) + n / 2)).astype(np.int32)
    row = (x * (-s / width) + (y * (c / width) + n / 2)).astype(np.int32)
    return np.asarray(cells.take(row * n + column))


_DETAILS: dict[str, Callable[[World, tuple[int, int]], Array]] = {
    "water": _waves,
    "forest": _crowns,
    "crop": _furrows,
    "concrete": _slabs,
    "asphalt": _slabs,
}


def cover_all(world: World, name: str) -> None:
    """Makes the whole scene one surface."""
    world.image[:] = texture(world, name, world.size_hw)
    world.cover[:] = COVER[SURFACES[name].cover]


def lay(
    world: World, polygons_m: Array | Sequence[Array], name: str, *, plain: bool = False
) -> None:
    """Fills a polygon of (N, 2) metres, or several as one, with a surface.

    Args:
        plain: whether to use a single base colour.
    """
    several = [polygons_m] if isinstance(polygons_m, np.ndarray) else list(polygons_m)
    polygons = [np.asarray(p, float) / world.gsd for p in several]
    seen = [p for p in polygons if _is_seen(world.clip(p, pad=1))]
    if not seen:
        return
    x0, y0, x1, y1 = world.clip(np.concatenate(seen), pad=1)
    alpha = np.zeros((y1 - y0, x1 - x0), np.uint8)
    for points in seen:
        fill(alpha, points - (x0, y0), 255, smooth=True)
    blend_surface(world, alpha, (x0, y0), name, plain=plain)


def _is_seen(window: tuple[int, int, int, int]) -> bool:
    return window[2] > window[0] and window[3] > window[1]


def blend_surface(
    world: World, alpha: Array, origin: tuple[int, int], name: str, *, plain: bool = False
) -> None:
    """Blends a surface where a uint8 alpha of 0..255 says so.

    Args:
        origin: column and row of the alpha's first pixel.
        plain: whether to use a single base colour.
    """
    x0, y0 = origin
    h, w = alpha.shape
    bare = world.bare((x0, y0, x0 + w, y0 + h))
    alpha = alpha * bare
    soft = alpha.astype(np.float32) / 255
    view = world.image[y0 : y0 + h, x0 : x0 + w]
    view += soft[..., None] * (texture(world, name, (h, w), plain) - view)
    world.cover[y0 : y0 + h, x0 : x0 + w][alpha >= 128] = COVER[SURFACES[name].cover]


def patch_mask(world: World, scale_m: float, share: float) -> Array:
    """(H, W) uint8 alpha of irregular patches that cover about `share` of the scene."""
    size = world.size_hw
    field = world.noise.crop(size, scale_m / world.gsd)
    field = field + 0.35 * world.noise.crop(size, scale_m / 4 / world.gsd)
    field = field + 0.12 * world.noise.crop(size, scale_m / 16 / world.gsd)
    edge = np.quantile(field[::8, ::8], 1 - share)
    sharp = 255 * max(scale_m / world.gsd, 4) / world.rng.uniform(8, 60)
    return np.asarray(np.clip(127 + (field - edge) * sharp, 0, 255).astype(np.uint8))


def marks(
    world: World,
    lines_m: Array | Sequence[Array],
    width_m: float,
    colour: Colour,
    *,
    strength: float = 0.8,
    closed: bool = False,
    dash_m: tuple[float, float] | None = None,
) -> None:
    """Paints lines on the ground.

    Args:
        world: The scene.
        lines_m: (N, 2) metres, or several of them.
        width_m: Line width in metres; thinner than half a pixel it fades instead.
        colour: RGB in 0..1.
        strength: Opacity.
        closed: Whether a line returns to its start.
        dash_m: Lengths of dash and gap in metres; None draws a full line.
    """
    several = [lines_m] if isinstance(lines_m, np.ndarray) else list(lines_m)
    lines = [np.asarray(line, float) / world.gsd for line in several]
    if not lines:
        return
    width = width_m / world.gsd
    window = world.clip(np.concatenate(lines), pad=int(width) + 2)
    x0, y0, x1, y1 = window
    if x1 <= x0 or y1 <= y0:
        return
    scale = 2
    alpha = np.zeros(((y1 - y0) * scale, (x1 - x0) * scale), np.uint8)
    for line in lines:
        pieces = [line] if dash_m is None else _dashes(line, *(d / world.gsd for d in dash_m))
        for piece in pieces:
            low, high = piece.min(0), piece.max(0)
            if high[0] < x0 or high[1] < y0 or low[0] > x1 or low[1] > y1:
                continue
            local = (piece - (x0, y0)) * scale
            stroke(alpha, local, width * scale, 255, closed and dash_m is None)
    soft = shares(alpha, scale)
    fade = strength * min(1.0, max(width * scale, 0.25)) / (255 * scale * scale)
    blend_colour(world, soft.astype(np.float32) * np.float32(fade), (x0, y0), colour)


def blend_colour(world: World, soft: Array, origin: tuple[int, int], colour: Colour) -> None:
    """Blends one RGB colour of 0..1 where a float alpha of 0..1 says so.

    Args:
        soft: the alpha, (h, w).
        origin: column and row of its first pixel.
    """
    x0, y0 = origin
    h, w = soft.shape
    soft = soft * world.bare((x0, y0, x0 + w, y0 + h))
    view = world.image[y0 : y0 + h, x0 : x0 + w]
    view += soft[..., None] * (np.asarray(colour, np.float32) - view)


def _dashes(points: Array, dash: float, gap: float) -> list[Array]:
    pieces = []
    for a, b in pairwise(points):
        length = exact.length(b - a)
        if length < 1e-6:
            continue
        step = (b - a) / length
        for s in exact.spaced(0, length, max(dash + gap, 1.0)):
            pieces.append(np.stack([a + step * s, a + step * min(s + dash, length)]))
    return pieces


def band(points_m: Array, width_m: float) -> Array:
    """Polygon of a strip of constant width along a polyline, both in metres."""
    points = np.asarray(points_m, float)
    along = np.gradient(points, axis=0)
    along /= exact.lengths(along)[:, None] + 1e-9
    side = np.stack([-along[:, 1], along[:, 0]], 1) * width_m / 2
    return np.concatenate([points + side, (points - side)[::-1]])


def curve(start: Array, end: Array, bend: float, n: int = 24) -> Array:
    """(n, 2) points from start to end, bulging sideways by `bend` of the distance."""
    start, end = np.asarray(start, float), np.asarray(end, float)
    t = np.linspace(0, 1, n)[:, None]
    side = np.array([-(end - start)[1], (end - start)[0]])
    return np.asarray(start + (end - start) * t + side * bend * exact.sin(np.pi * t))
