"""Tanks, chimneys, windmills, buildings and trees."""

import math

import numpy as np

from samrs.scenes import exact
from samrs.scenes.palette import any_colour, foliage, roof, shade
from samrs.scenes.sprite import Array, Part, Sprite, box, ellipse, moved, rect, rotated
from samrs.scenes.world import COVER, World

Rng = np.random.Generator


def _sun(world: World) -> Array:
    return np.asarray(-world.shadow_m / (exact.length(world.shadow_m) + 1e-9))


def tank(world: World, radius: float | None = None, colour: Array | None = None) -> Sprite:
    """A round storage tank with fixed cone roof, floating roof or dome; place at heading 0."""
    rng = world.rng
    if radius is None:
        radius = float(
            rng.choice(
                [rng.uniform(3, 9), rng.uniform(8, 22), rng.uniform(20, 42)], p=[0.35, 0.45, 0.2]
            )
        )
    if colour is None:
        colour = tank_colour(rng)
    height = float(np.clip(radius * rng.uniform(0.5, 1.4), 4, 20))
    sun = _sun(world)
    n = 40
    disc = ellipse(radius, radius, n=n)
    wall = shade(colour, rng.uniform(0.75, 1.0))
    parts = [Part(disc, colour, height, wall=wall)]
    style = rng.choice(["cone", "float", "flat", "dome"], p=[0.38, 0.34, 0.16, 0.12])
    rim = shade(colour, rng.uniform(0.8, 1.15))
    if style == "cone":
        wedge = int(rng.choice([1, 8, 12, 20]))
        if wedge > 1:
            for k in range(wedge):
                a = 2 * np.pi * k / wedge
                fan = np.stack(
                    [[0, 0], *ellipse(radius * 0.97, radius * 0.97, n=wedge * 3, start=a)[:4]]
                )
                middle = exact.unit(a + np.pi / wedge)
                parts.append(
                    Part(fan, shade(colour, 1 + 0.07 * exact.dot(middle, sun)), height, 0, False)
                )
    elif style == "dome":
        for k in range(1, 6):
            f, step = 1 - k * 0.17, radius * 0.07 * k
            parts.append(
                Part(
                    ellipse(radius * f, radius * f, float(sun[0]) * step, float(sun[1]) * step, n),
                    shade(colour, 0.84 + 0.045 * k),
                    height,
                    0,
                    False,
                )
            )
    elif style == "float":
        inner = radius * rng.uniform(0.9, 0.96)
        depth = height * rng.uniform(0.1, 0.8)
        floor = (
            shade(colour, rng.uniform(0.6, 1.0))
            if rng.random() < 0.6
            else np.array([0.5, 0.42, 0.36]) * rng.uniform(0.6, 1.4)
        )
        parts.append(
            Part(
                ellipse(inner, inner, n=n), shade(floor, 1 - 0.8 * world.darkness), height, 0, False
            )
        )
        parts += _lit_floor(world, inner, depth, floor, height)
        rail = rotated(np.array([[0, 0.0], [inner, 0]]), rng.uniform(0, 6.28))
        parts.append(Part(rail, shade(colour, 0.7), height, 0, False, line=max(0.5, radius * 0.05)))
    if style != "float" and rng.random() < 0.5:
        parts.append(
            Part(ellipse(radius * 0.06, radius * 0.06, n=8), shade(colour, 0.7), height, 0, False)
        )
    if rng.random() < 0.5:
        a = rng.uniform(0, 6.28)
        stair = ellipse(radius * 0.96, radius * 0.96, n=40, start=a)[:6]
        parts.append(Part(stair, shade(colour, 0.55), height, 0, False, line=0.8))
    parts.append(
        Part(
            ellipse(radius * 0.975, radius * 0.975, n=n),
            rim,
            height,
            0,
            False,
            line=max(0.35, radius * 0.035),
            closed=True,
        )
    )
    return Sprite("storage_tank", parts, COVER["building"], ((0.03, 4.0), (0.02, 0.7)), 0.8)


def _lit_floor(world: World, inner: float, depth: float, floor: Array, height: float) -> list[Part]:
    """The lens of a floating roof that the tank's own wall does not shade."""
    offset = world.shadow_m * depth
    distance = exact.length(offset)
    if distance >= 2 * inner:
        return []
    reach = distance / 2 / inner
    half = exact.direction(np.array([reach, math.sqrt(1 - reach * reach)]))
    a = exact.direction(offset)
    t = np.linspace(-half, half, 24)
    outer = inner * np.stack([exact.cos(a + t), exact.sin(a + t)], 1)
    t = np.linspace(-half, half, 24) + np.pi
    other = offset + inner * np.stack([exact.cos(a + t), exact.sin(a + t)], 1)
    return [Part(np.concatenate([outer, other]), floor, height, 0, False)]


def tank_colour(rng: Rng) -> Array:
    """White or light grey mostly, else green, brown, rust."""
    roll = rng.random()
    if roll < 0.6:
        return np.ones(3) * rng.uniform(0.8, 1.0) + rng.normal(0, 0.012, 3)
    if roll < 0.8:
        return np.ones(3) * rng.uniform(0.4, 0.8) + rng.normal(0, 0.02, 3)
    colours = np.array(
        [
            (110, 128, 104),
            (150, 110, 88),
            (120, 84, 70),
            (170, 176, 160),
            (80, 96, 110),
            (190, 180, 150),
        ]
    )
    return np.asarray(colours[rng.integers(6)] / 255 * rng.uniform(0.75, 1.2))


def chimney(world: World) -> Sprite:
    """A tall stack seen from above; most of what shows is lean and shadow."""
    rng = world.rng
    radius, height = rng.uniform(2.0, 5.5), rng.uniform(40, 120)
    colour = np.ones(3) * rng.uniform(0.5, 0.85)
    parts = []
    bands = 6 if rng.random() < 0.5 else 1
    red = np.array([0.7, 0.2, 0.18])
    for k in range(bands):
        z0, z1 = height * k / bands, height * (k + 1) / bands
        r = radius * (1 - 0.3 * k / bands)
        paint = red if bands > 1 and k % 2 else colour
        parts.append(Part(ellipse(r, r, n=20), paint, z1, z0, True, shade(paint, 0.9)))
    r = radius * (1 - 0.3 * (bands - 1) / bands)
    parts.append(Part(ellipse(r * 0.7, r * 0.7, n=16), (0.1, 0.1, 0.1), height, height, False))
    return Sprite("chimney", parts, COVER["building"], ((0.03, 1.0),), 0.8)


def windmill(world: World) -> Sprite:
    """A wind turbine: tower, nacelle, three blades seen nearly edge-on or turned to the sky."""
    rng = world.rng
    height, blade = rng.uniform(60, 100), rng.uniform(25, 48)
    white = np.ones(3) * rng.uniform(0.85, 1.0)
    parts = []
    for k in range(4):
        parts.append(
            Part(
                ellipse(2.2 - 0.3 * k, 2.2 - 0.3 * k, n=14),
                white,
                height * (k + 1) / 4,
                height * k / 4,
                True,
                shade(white, 0.9),
            )
        )
    parts.append(Part(rect(-7, -1.7, 4, 1.7), shade(white, 0.95), height + 2, height))
    start, squash = rng.uniform(0, 2.1), rng.uniform(0.08, 0.6)
    for k in range(3):
        a = start + k * 2 * np.pi / 3
        tip = blade * np.array([exact.sin(a) * squash, exact.cos(a)])
        normal = np.array([-tip[1], tip[0]]) / blade
        root = np.array([3.5, 0])
        outline = np.stack(
            [
                root - normal * 1.2,
                root + tip * 0.3 + normal * 1.6,
                root + tip,
                root + tip * 0.3 - normal * 0.6,
            ]
        )
        parts.append(Part(outline, white, height + 1, height + 1))
    return Sprite("windmill", parts, COVER["clutter"], ((0.02, 1.0),), 0.6)


def _roof_clutter(
    rng: Rng, length: float, width: float, height: float, colour: Array
) -> list[Part]:
    parts: list[Part] = []
    for _ in range(int(rng.integers(0, 9))):
        a, b = rng.uniform(0.8, 4.0, 2)
        x = rng.uniform(-length / 2 + a, length / 2 - a) if length > 3 * a else 0.0
        y = rng.uniform(-width / 2 + b, width / 2 - b) if width > 3 * b else 0.0
        light = rng.uniform(0.6, 1.3)
        parts.append(Part(box(a, b, x + 0.4, y + 0.4), shade(colour, 0.55), height, 0, False))
        parts.append(Part(box(a, b, x, y), shade(colour, light), height, 0, False))
    if rng.random() < 0.2:
        cell = np.array([0.14, 0.18, 0.3])
        for x in exact.spaced(-length * 0.35, length * 0.35, 2.6):
            parts.append(Part(box(2.0, width * 0.4, x, width * 0.15), cell, height, 0, False))
    if rng.random() < 0.25 and min(length, width) > 12:
        for x in exact.spaced(-length * 0.42, length * 0.42, rng.uniform(3, 8)):
            line = np.array([[x, -width * 0.46], [x, width * 0.46]])
            parts.append(
                Part(line, shade(colour, rng.uniform(0.8, 1.2)), height, 0, False, line=0.3)
            )
    return parts


def _flat(world: World, length: float, width: float, height: float, colour: Array) -> list[Part]:
    rng = world.rng
    wall = shade(colour, rng.uniform(0.5, 0.9))
    outline = box(length, width)
    parts = [Part(outline, colour, height, wall=wall)]
    if rng.random() < 0.7:
        edge = shade(colour, rng.choice([0.75, 1.2]))
        parts.append(
            Part(outline * 0.985, edge, height, 0, False, line=rng.uniform(0.3, 0.9), closed=True)
        )
    return parts + _roof_clutter(rng, length, width, height, colour)


def _gable(
    world: World, length: float, width: float, height: float, colour: Array, heading: float
) -> list[Part]:
    """Two slopes along x, or four when hipped."""
    rng = world.rng
    sun = rotated(_sun(world)[None], -heading)[0]
    rise = width * rng.uniform(0.2, 0.4)
    hip = min(width, length) * 0.5 if rng.random() < 0.45 else 0.0
    a, b = length / 2, width / 2
    ridge = a - hip
    contrast = rng.uniform(0.08, 0.3)
    wall = shade(colour, rng.uniform(0.5, 0.9))
    parts = [Part(box(length, width), colour, height, wall=wall)]
    # The ridge leans further than the eaves: its points carry the extra displacement.
    lean = rotated(world.lean_m[None], -heading)[0] * rise
    top0, top1 = np.array([-ridge, 0]) + lean, np.array([ridge, 0]) + lean
    slopes = [
        (np.array([(-a, b), (a, b), top1, top0]), sun[1]),
        (np.array([(-a, -b), (a, -b), top1, top0]), -sun[1]),
    ]
    if hip:
        slopes += [
            (np.array([(a, -b), (a, b), top1]), sun[0]),
            (np.array([(-a, -b), (-a, b), top0]), -sun[0]),
        ]
    for points, light in slopes:
        parts.append(Part(points, shade(colour, 1 + contrast * float(light)), height, 0, False))
    if rng.random() < 0.4:
        parts.append(Part(np.stack([top0, top1]), shade(colour, 1.15), height, 0, False, line=0.3))
    if rng.random() < 0.5:
        x, y = rng.uniform(-ridge, ridge) * 0.6, rng.choice([-0.25, 0.25]) * width
        parts.append(
            Part(box(0.9, 0.9, x, y), shade(colour, rng.choice([0.5, 1.5])), height, 0, False)
        )
    return parts


def building(
    world: World, heading: float, length: float, width: float, height: float | None = None
) -> Sprite:
    """A building of one or two wings with flat, gable or hipped roof."""
    rng = world.rng
    if height is None:
        height = float(
            rng.uniform(4, 9)
            if max(length, width) < 22
            else rng.choice([rng.uniform(5, 14), rng.uniform(12, 45)], p=[0.8, 0.2])
        )
    colour = roof(rng)
    pitched = rng.random() < (0.75 if max(length, width) < 22 else 0.25)
    if width > length:
        inner = _wing_parts(world, width, length, height, colour, heading + np.pi / 2, pitched)
        parts = moved(inner, 0, 0, np.pi / 2)
    else:
        parts = _wing_parts(world, length, width, height, colour, heading, pitched)
    if rng.random() < 0.35 and min(length, width) > 6:
        side_l, side_w = width * rng.uniform(0.8, 1.5), length * rng.uniform(0.3, 0.5)
        wing = _wing_parts(
            world,
            side_l,
            side_w,
            height * rng.uniform(0.8, 1.0),
            colour,
            heading + np.pi / 2,
            pitched,
        )
        x = rng.choice([-1, 1]) * (length / 2 - side_w / 2)
        parts = moved(wing, x, rng.choice([-1, 1]) * side_l * 0.4, np.pi / 2) + parts
    grain = ((rng.uniform(0.01, 0.05), 4.0), (rng.uniform(0.02, 0.07), 0.6))
    return Sprite("building", parts, COVER["building"], grain, 0.9)


def _wing_parts(
    world: World,
    length: float,
    width: float,
    height: float,
    colour: Array,
    heading: float,
    pitched: bool,
) -> list[Part]:
    if pitched:
        return _gable(world, length, width, height, colour, heading)
    return _flat(world, length, width, height, colour)


def tree(world: World, radius: float | None = None) -> Sprite:
    """A crown as an irregular blob, brighter towards the sun."""
    rng = world.rng
    if radius is None:
        radius = float(rng.uniform(1.5, 5.5))
    colour = foliage(rng)
    n = 22
    bumps = (
        1
        + 0.1 * exact.sin(np.arange(n) * 2 * np.pi / n * rng.integers(2, 5) + rng.uniform(0, 6))
        + rng.normal(0, 0.07, n)
    )
    crown = ellipse(radius, radius, n=n) * bumps[:, None]
    sun = _sun(world)
    height = radius * rng.uniform(1.0, 2.2)
    parts = [Part(crown, shade(colour, 0.72), height, height * 0.3)]
    for k in range(1, 4):
        parts.append(
            Part(
                crown * (1 - 0.22 * k) + sun * radius * 0.09 * k,
                shade(colour, 0.72 + 0.16 * k),
                height,
                0,
                False,
            )
        )
    for _ in range(int(min(9, 3 + radius))):
        a, r = rng.uniform(0, 6.28), radius * math.sqrt(rng.uniform(0, 0.6))
        spot = ellipse(radius * 0.2, radius * 0.2, r * exact.cos(a), r * exact.sin(a), 7)
        parts.append(Part(spot, shade(colour, rng.uniform(0.6, 1.35)), height, 0, False))
    return Sprite("tree", parts, COVER["tree"], ((0.22, 0.7), (0.1, 0.2)), 1.0)


def container(rng: Rng) -> Sprite:
    """A shipping container or crate: clutter, never annotated."""
    colour = any_colour(rng)
    length = float(rng.choice([6.1, 12.2]))
    return Sprite(
        "", [Part(box(length, 2.44), colour, 2.6, wall=shade(colour, 0.7))], COVER["clutter"]
    )
