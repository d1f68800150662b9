"""Aircraft: airliners, business jets, propeller types, fighters, helicopters."""

import math

import numpy as np

from samrs.scenes import exact
from samrs.scenes.palette import car_paint, shade
from samrs.scenes.sprite import Array, Part, Sprite, ellipse, mirror, rect, rotated, symmetric
from samrs.scenes.world import COVER, World

Rng = np.random.Generator


def _livery(rng: Rng) -> Array:
    """Body colour of an aircraft: mostly white and light grey, some dark, some loud."""
    roll = rng.random()
    if roll < 0.62:
        return rng.uniform(0.82, 1.0) * np.array([1, 1, 1]) + rng.normal(0, 0.015, 3)
    if roll < 0.8:
        return rng.uniform(0.45, 0.8) * np.array([1, 1, 1.02]) + rng.normal(0, 0.02, 3)
    if roll < 0.88:
        return rng.uniform(0.2, 0.45) * np.array([1, 1, 1.0]) + rng.normal(0, 0.03, 3)
    return car_paint(rng)


def _tube(
    x_front: float, x_back: float, radius: float, z: float, colour: Array, side: float, n: int = 5
) -> list[Part]:
    """A lying cylinder as lengthwise strips, lit from the side `side` in -1..1."""
    strips = []
    for k in range(n):
        y0, y1 = radius * (2 * k / n - 1), radius * (2 * (k + 1) / n - 1)
        normal = (y0 + y1) / 2 / radius
        light = 0.78 + 0.22 * math.sqrt(max(0.0, 1 - normal * normal)) + 0.16 * side * normal
        strips.append(Part(rect(x_back, y0, x_front, y1), shade(colour, light), z, z, False))
    return strips


def _body(length: float, radius: float, nose: float, tail: float) -> Array:
    """Outline of a fuselage from nose at length/2 to tail cone at -length/2."""
    front, back = length / 2, -length / 2
    half = [(front, 0.0)]
    for t in (0.15, 0.4, 0.7, 1.0):
        half.append((front - nose * t, radius * math.sqrt(1 - (1 - t) * (1 - t))))
    half += [(back + tail, radius), (back + tail * 0.4, radius * 0.6), (back, radius * 0.16)]
    return symmetric(half)


def _wing(
    root_x: float, root_chord: float, tip_chord: float, half_span: float, sweep: float, y0: float
) -> Array:
    """Right wing: leading edge root at root_x, tip moved back by `sweep` metres."""
    kink = 0.35
    trailing_kink = root_x - sweep * kink - root_chord + (root_chord - tip_chord) * kink * 1.25
    return np.array(
        [
            (root_x, y0),
            (root_x - sweep, half_span),
            (root_x - sweep - tip_chord, half_span),
            (trailing_kink, y0 + (half_span - y0) * kink),
            (root_x - root_chord, y0),
        ]
    )


def _both(
    parts: list[Part], points: Array, colour: Array, z: float, left: float, right: float
) -> None:
    """Adds a surface and its mirror image with different light."""
    parts.append(Part(points, shade(colour, right), z, z))
    parts.append(Part(mirror(points), shade(colour, left), z, z))


def _engine(
    parts: list[Part], x: float, y: float, length: float, radius: float, colour: Array, z: float
) -> None:
    for sign in (-1.0, 1.0):
        yy = y * sign
        outline = np.array(
            [
                (x, yy - radius * 0.85),
                (x, yy + radius * 0.85),
                (x - length * 0.4, yy + radius),
                (x - length, yy + radius * 0.5),
                (x - length, yy - radius * 0.5),
                (x - length * 0.4, yy - radius),
            ]
        )
        parts.append(Part(outline, colour, z, z))
        lip = rect(x - length * 0.14, yy - radius * 0.85, x, yy + radius * 0.85)
        parts.append(Part(lip, shade(colour, 0.55), z, z, False))


def _flaps(
    wing: Array, colour: Array, z: float, left: float, right: float, tone: float
) -> list[Part]:
    """The trailing edges of both wings, a little darker."""
    inner, outer = wing[3] * 0.8 + wing[0] * 0.2, wing[2] * 0.85 + wing[1] * 0.15
    flap = np.stack([wing[4], wing[3], wing[2], outer, inner])
    return [
        Part(flap, shade(colour, tone * right), z, z, False),
        Part(mirror(flap), shade(colour, tone * left), z, z, False),
    ]


def _trim(rng: Rng, length: float, radius: float, z: float) -> list[Part]:
    """A band of livery, sometimes, and the cockpit windows."""
    parts = []
    if rng.random() < 0.25:
        cut = length * rng.uniform(-0.35, 0.3)
        ring = rect(cut - length * rng.uniform(0.05, 0.2), -radius, cut, radius)
        parts.append(Part(ring, car_paint(rng), z + radius, z, False))
    front = length / 2
    cockpit = rect(front - length * 0.045, -radius * 0.55, front - length * 0.028, radius * 0.55)
    parts.append(Part(cockpit, (0.12, 0.13, 0.16), z + radius, z, False))
    return parts


def _wing_engines(
    parts: list[Part],
    rng: Rng,
    length: float,
    span: float,
    radius: float,
    lead: tuple[float, float],
    colour: Array,
    z: float,
) -> None:
    """Two or four engines ahead of a leading edge given by root and sweep in metres."""
    root_x, sweep = lead
    shares = (0.3, 0.56) if length > 55 and rng.random() < 0.45 else (0.34,)
    for share in shares:
        x = root_x - sweep * share + length * 0.045
        size = radius * rng.uniform(0.42, 0.62)
        _engine(parts, x, span / 2 * share, length * 0.1, size, colour, z)


def jet(rng: Rng, light: float, length: float | None = None) -> Sprite:
    """A jet with swept wings, from business jet to four-engined airliner.

    Args:
        rng: Source of randomness.
        light: Which side the sun is on, -1 left to 1 right.
        length: Metres; None draws one from 14 to 74.
    """
    if length is None:
        length = float(
            rng.choice(
                [rng.uniform(14, 24), rng.uniform(28, 46), rng.uniform(50, 74)], p=[0.2, 0.5, 0.3]
            )
        )
    span = length * rng.uniform(0.82, 1.06)
    radius = length * rng.uniform(0.045, 0.056)
    z = 1.2 + length * 0.07
    body = _livery(rng)
    wing_colour = body if rng.random() < 0.35 else shade(body, rng.uniform(0.72, 0.95))
    tail_colour = body if rng.random() < 0.4 else car_paint(rng)
    parts: list[Part] = []
    sweep = span * rng.uniform(0.17, 0.27)
    root_x = length * rng.uniform(0.08, 0.17)
    chord = length * rng.uniform(0.19, 0.25)
    tip = chord * rng.uniform(0.16, 0.3)
    left, right = 1 - 0.1 * light, 1 + 0.1 * light
    rear_engines = length < 26 or rng.random() < 0.15
    engine_colour = shade(body, rng.uniform(0.6, 1.0)) if rng.random() < 0.8 else car_paint(rng)
    if not rear_engines:
        lead = (root_x, sweep)
        _wing_engines(parts, rng, length, span, radius, lead, engine_colour, z - 1)
    wing = _wing(root_x, chord, tip, span / 2, sweep, radius * 0.5)
    _both(parts, wing, wing_colour, z, left, right)
    parts += _flaps(wing, wing_colour, z, left, right, rng.uniform(0.8, 0.97))
    tail_x = -length / 2 + length * rng.uniform(0.13, 0.17)
    if rear_engines:
        _engine(
            parts,
            tail_x + length * 0.13,
            radius * 1.5,
            length * 0.13,
            radius * 0.55,
            engine_colour,
            z,
        )
    outline = _body(length, radius, length * 0.09, length * 0.3)
    parts.append(Part(outline, body, z + radius, z - radius))
    parts += _tube(
        length / 2 - length * 0.05,
        -length / 2 + length * 0.26,
        radius * 0.96,
        z + radius,
        body,
        light,
    )
    parts += _trim(rng, length, radius, z)
    tail_span = span * rng.uniform(0.16, 0.2)
    stabiliser = _wing(
        tail_x, length * 0.1, length * 0.045, tail_span, length * 0.085, radius * 0.2
    )
    tail_z = z + (length * 0.12 if rear_engines else 0.5)
    _both(parts, stabiliser, wing_colour, tail_z, left, right)
    fin = np.array(
        [
            (tail_x + length * 0.03, 0.0),
            (-length * 0.46, radius * 0.22),
            (-length * 0.5, radius * 0.12),
            (-length * 0.5, -radius * 0.12),
            (-length * 0.46, -radius * 0.22),
        ]
    )
    parts.append(Part(fin, tail_colour, z + length * 0.14, z + radius))
    return Sprite("plane", parts, COVER["clutter"], ((0.03, 1.0), (0.02, 0.3)))


def propeller(rng: Rng, light: float) -> Sprite:
    """A straight-winged aircraft with one, two or four propellers.

    Args:
        light: which side the sun is on, -1 left to 1 right.
    """
    small = rng.random() < 0.65
    length = rng.uniform(6.5, 10.5) if small else rng.uniform(13, 34)
    span = length * (rng.uniform(1.15, 1.5) if small else rng.uniform(1.0, 1.3))
    radius = length * rng.uniform(0.055, 0.075)
    z = 1.0 + length * 0.09
    body = _livery(rng)
    wing_colour = body if rng.random() < 0.7 else _livery(rng)
    left, right = 1 - 0.1 * light, 1 + 0.1 * light
    parts: list[Part] = []
    root_x = length * rng.uniform(0.12, 0.24)
    chord = length * rng.uniform(0.17, 0.22)
    wing = _wing(
        root_x, chord, chord * rng.uniform(0.5, 1.0), span / 2, length * rng.uniform(0, 0.03), 0
    )
    outline = _body(length, radius, length * 0.1, length * rng.uniform(0.45, 0.6))
    high = rng.random() < 0.5
    fuselage = [Part(outline, body, z + radius, z - radius)]
    fuselage += _tube(length * 0.42, -length * 0.08, radius * 0.94, z + radius, body, light, 3)
    wings: list[Part] = []
    _both(wings, wing, wing_colour, z, left, right)
    if not small:
        for y in (0.3,) if rng.random() < 0.6 else (0.22, 0.46):
            _engine(
                wings,
                root_x + length * 0.07,
                y * span / 2,
                length * 0.17,
                radius * 0.45,
                shade(body, 0.85),
                z,
            )
            hub = root_x + length * 0.07
            for sign in (-1, 1):
                disc = rect(
                    hub,
                    sign * y * span / 2 - length * 0.06,
                    hub + 0.25,
                    sign * y * span / 2 + length * 0.06,
                )
                wings.append(Part(disc, (0.3, 0.3, 0.3), z, z, False))
    parts += fuselage + wings if high else wings + fuselage
    glass = rect(
        root_x - (0 if high else chord * 0.7), -radius * 0.8, root_x + length * 0.06, radius * 0.8
    )
    parts.append(Part(glass, (0.15, 0.17, 0.2), z + radius, z, False))
    tail_x = -length / 2 + length * 0.13
    stabiliser = _wing(
        tail_x, length * 0.11, length * 0.08, span * rng.uniform(0.15, 0.19), length * 0.02, 0
    )
    _both(parts, stabiliser, wing_colour, z + 0.5, left, right)
    if rng.random() < 0.5:
        tip = wing[[1, 2]]
        end = np.concatenate([tip, tip[::-1] - (0, span * 0.05)])
        colour = car_paint(rng)
        parts += [Part(end, colour, z, z, False), Part(mirror(end), colour, z, z, False)]
    fin = np.array([(tail_x, 0.0), (-length * 0.5, 0.12), (-length * 0.5, -0.12)])
    parts.append(Part(fin, car_paint(rng), z + length * 0.15, z))
    return Sprite("plane", parts, COVER["clutter"], ((0.03, 1.0), (0.02, 0.3)))


def fighter(rng: Rng, light: float) -> Sprite:
    """A delta or swept military jet, grey or camouflaged.

    Args:
        light: which side the sun is on, -1 left to 1 right.
    """
    length = rng.uniform(13, 21)
    half = length * rng.uniform(0.3, 0.4)
    radius = length * rng.uniform(0.05, 0.07)
    z = 2.0
    grey = rng.uniform(0.32, 0.72)
    colour = grey * np.array([1, 1, 1.03]) + rng.normal(0, 0.02, 3)
    if rng.random() < 0.3:
        colour = grey * np.array([0.95, 0.95, 0.75])
    left, right = 1 - 0.12 * light, 1 + 0.12 * light
    parts: list[Part] = []
    root = length * rng.uniform(0.05, 0.18)
    wing = np.array(
        [(root, radius), (-length * 0.2, half), (-length * 0.27, half), (-length * 0.3, radius)]
    )
    _both(parts, wing, colour, z, left, right)
    tail = np.array(
        [
            (-length * 0.3, radius),
            (-length * 0.45, half * 0.6),
            (-length * 0.52, half * 0.58),
            (-length * 0.47, radius * 0.6),
        ]
    )
    if rng.random() < 0.75:
        _both(parts, tail, colour, z, left, right)
    body = symmetric(
        [
            (length / 2, 0),
            (length * 0.36, radius * 0.5),
            (length * 0.15, radius * 0.9),
            (0, radius * 1.4),
            (-length * 0.42, radius * 1.25),
            (-length * 0.5, radius * 0.8),
        ]
    )
    parts.append(Part(body, shade(colour, 1.04), z + 0.8, 1.0))
    parts += _tube(length * 0.1, -length * 0.44, radius * 1.1, z, colour, light, 3)
    canopy = ellipse(length * 0.07, radius * 0.45, length * 0.27, 0, 12)
    parts.append(Part(canopy, (0.12, 0.13, 0.16), z + 1, z, False))
    for sign in (-1.0, 1.0):
        fin = np.array(
            [
                (-length * 0.25, sign * radius * 0.9),
                (-length * 0.42, sign * radius * 1.4),
                (-length * 0.45, sign * radius * 1.1),
            ]
        )
        parts.append(Part(fin, shade(colour, 0.8), z + 2.5, z))
    camouflage = ((0.16, 3.0), (0.03, 0.5)) if rng.random() < 0.4 else ((0.04, 1.0),)
    return Sprite("plane", parts, COVER["clutter"], camouflage)


def plane(world: World, heading: float, size: str = "any", length: float | None = None) -> Sprite:
    """A random aircraft.

    Args:
        world: Gives randomness and the sun.
        heading: Radians; decides which side is lit.
        size: any, airliner, small or military.
        length: Metres, for an airliner; None draws it.
    """
    rng = world.rng
    light = _light_side(world, heading)
    if size == "airliner":
        return jet(rng, light, rng.uniform(28, 72) if length is None else length)
    if size == "small":
        return propeller(rng, light) if rng.random() < 0.7 else jet(rng, light, rng.uniform(11, 22))
    if size == "military":
        return fighter(rng, light)
    make = (jet, propeller, fighter)[int(rng.choice(3, p=[0.6, 0.26, 0.14]))]
    return make(rng, light)


def helicopter(world: World, heading: float) -> Sprite:
    """A helicopter with its main rotor standing still or blurred."""
    rng = world.rng
    del heading
    length = rng.uniform(9, 19)
    width = length * rng.uniform(0.13, 0.18)
    colour = car_paint(rng) if rng.random() < 0.5 else _livery(rng)
    z = 2.5
    parts: list[Part] = []
    body = symmetric(
        [
            (length * 0.42, 0),
            (length * 0.38, width * 0.35),
            (length * 0.2, width * 0.5),
            (-length * 0.05, width * 0.5),
            (-length * 0.2, width * 0.18),
            (-length * 0.55, width * 0.1),
        ]
    )
    parts.append(Part(body, colour, z, 0.5))
    glass = symmetric(
        [(length * 0.4, 0), (length * 0.36, width * 0.3), (length * 0.22, width * 0.42)]
    )
    parts.append(Part(glass, (0.14, 0.16, 0.2), z, z, False))
    tail = rect(-length * 0.55, -width * 0.5, -length * 0.48, width * 0.5)
    parts.append(Part(tail, shade(colour, 0.9), z, z))
    blades = int(rng.choice([2, 3, 4, 5]))
    start = rng.uniform(0, np.pi)
    hub = length * 0.1
    dark = rng.uniform(0.15, 0.4) * np.ones(3)
    for k in range(blades):
        blade = rotated(rect(0, -0.2, length * 0.5, 0.25), start + 2 * np.pi * k / blades)
        parts.append(Part(blade + (hub, 0), dark, z + 1, z + 1))
    parts.append(Part(ellipse(0.5, 0.5, hub, 0, 10), shade(colour, 0.6), z + 1.2, z, False))
    return Sprite("helicopter", parts, COVER["clutter"])


def _light_side(world: World, heading: float) -> float:
    """How much the sun stands to the right of a heading, -1..1."""
    sun = -world.shadow_m / (exact.length(world.shadow_m) + 1e-9)
    return exact.dot(sun, exact.unit(heading + np.pi / 2))
