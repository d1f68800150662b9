"""Sports grounds. What belongs to the object follows the annotators of NWPU VHR-10 and DOTA: a
court ends at its outer lines, a diamond is its dirt with the grass inside, a track is everything
within its outer edge.
"""

import math

import numpy as np

from samrs.scenes import exact
from samrs.scenes.ground import SURFACES
from samrs.scenes.palette import shade, sport_surface
from samrs.scenes.sprite import Array, Part, Sprite, box, ellipse, rect, symmetric
from samrs.scenes.world import COVER

Rng = np.random.Generator


def _turf(rng: Rng) -> Array:
    name = "grass" if rng.random() < 0.8 else "dry"
    colours = SURFACES[name].colours
    base = np.array(colours[rng.integers(len(colours))]) / 255
    return base * rng.uniform(0.8, 1.2) + rng.normal(0, 0.01, 3)


def _line(
    points: list[tuple[float, float]], colour: Array, width: float, closed: bool = False
) -> Part:
    return Part(np.array(points, float), colour, 0, 0, False, line=width, closed=closed)


def _arc(
    x: float, y: float, r: float, start: float, end: float, colour: Array, width: float
) -> Part:
    t = np.linspace(start, end, 24)
    return Part(
        np.stack([x + r * exact.cos(t), y + r * exact.sin(t)], 1), colour, 0, 0, False, line=width
    )


def tennis_court(rng: Rng, colour: Array | None = None) -> Sprite:
    """The 23.77 x 10.97 m doubles court, bounded by its lines."""
    colour = sport_surface(rng) if colour is None else colour
    white = np.ones(3) * rng.uniform(0.7, 1.0)
    w = rng.uniform(0.06, 0.2)
    a, b, s = 11.885, 5.485, 4.115
    parts = [Part(box(2 * a + w, 2 * b + w), colour)]
    if rng.random() < 0.12:
        parts.append(Part(box(2 * a, 2 * s), shade(colour, rng.uniform(0.85, 1.15)), solid=False))
    parts.append(_line([(-a, -b), (a, -b), (a, b), (-a, b)], white, w, True))
    parts += [_line([(-a, y), (a, y)], white, w) for y in (-s, s)]
    parts += [_line([(x, -s), (x, s)], white, w) for x in (-6.4, 6.4)]
    parts.append(_line([(-6.4, 0), (6.4, 0)], white, w))
    net = np.ones(3) * rng.choice([0.15, 0.3, 0.8])
    parts.append(_line([(0, -b), (0, b)], net, rng.uniform(0.08, 0.25)))
    return Sprite("tennis_court", parts, COVER["clutter"], ((0.03, 5.0), (0.03, 0.5)), casts=False)


def basketball_court(rng: Rng, colour: Array | None = None) -> Sprite:
    """A court of about 28 x 15 m, bounded by its lines."""
    colour = sport_surface(rng) if colour is None else colour
    white = np.ones(3) * rng.uniform(0.65, 1.0)
    if rng.random() < 0.1:
        white = np.array([0.85, 0.75, 0.2])
    scale = rng.uniform(0.82, 1.05)
    a, b, w = 14 * scale, rng.uniform(7, 8) * scale, rng.uniform(0.06, 0.2)
    key = sport_surface(rng) if rng.random() < 0.5 else colour
    parts = [Part(box(2 * a + w, 2 * b + w), colour)]
    for side in (-1, 1):
        x0, x1 = side * a, side * (a - 5.8 * scale)
        parts.append(Part(rect(min(x0, x1), -2.45, max(x0, x1), 2.45), key, solid=False))
        parts.append(_line([(x0, -2.45), (x1, -2.45), (x1, 2.45), (x0, 2.45)], white, w))
        parts.append(_arc(x1, 0, 1.8, 0, 2 * np.pi, white, w))
        middle = 0.0 if side < 0 else np.pi
        parts.append(_arc(side * (a - 1.6), 0, 6.4 * scale, middle - 1.45, middle + 1.45, white, w))
    if rng.random() < 0.4:
        parts.append(Part(ellipse(1.8, 1.8), key, solid=False))
    parts.append(_arc(0, 0, 1.8, 0, 2 * np.pi, white, w))
    parts.append(_line([(0, -b), (0, b)], white, w))
    parts.append(_line([(-a, -b), (a, -b), (a, b), (-a, b)], white, w, True))
    return Sprite(
        "basketball_court", parts, COVER["clutter"], ((0.03, 5.0), (0.03, 0.5)), casts=False
    )


def _stripes(length: float, width: float, colour: Array, rng: Rng) -> list[Part]:
    if rng.random() < 0.4:
        return []
    pitch = rng.uniform(4, 11)
    light = rng.uniform(1.04, 1.15)
    return [
        Part(
            rect(x, -width / 2, min(x + pitch / 2, length / 2), width / 2),
            shade(colour, light),
            solid=False,
        )
        for x in exact.spaced(-length / 2, length / 2, pitch)
    ]


def _pitch_lines(a: float, b: float, white: Array, w: float) -> list[Part]:
    parts = [_line([(-a, -b), (a, -b), (a, b), (-a, b)], white, w, True)]
    parts += [_line([(0, -b), (0, b)], white, w), _arc(0, 0, 0.13 * b * 2, 0, 2 * np.pi, white, w)]
    for side in (-1, 1):
        for depth, half in ((0.157 * 2 * a, 0.6 * b), (0.052 * 2 * a, 0.27 * b)):
            x = side * (a - depth)
            parts.append(
                _line([(side * a, -half), (x, -half), (x, half), (side * a, half)], white, w)
            )
    return parts


def _gridiron(a: float, b: float, white: Array, w: float, rng: Rng) -> list[Part]:
    parts = [_line([(-a, -b), (a, -b), (a, b), (-a, b)], white, w, True)]
    end = a * 0.835
    parts += [_line([(x, -b), (x, b)], white, w) for x in np.linspace(-end, end, 21)]
    if rng.random() < 0.6:
        paint = sport_surface(rng)
        for side in (-1, 1):
            zone = rect(min(side * a, side * end), -b, max(side * a, side * end), b)
            parts.insert(0, Part(zone, paint, solid=False))
    return parts


def _marked_pitch(a: float, b: float, rng: Rng) -> list[Part]:
    white = np.ones(3) * rng.uniform(0.6, 1.0)
    w = rng.uniform(0.1, 0.4)
    return _gridiron(a, b, white, w, rng) if rng.random() < 0.4 else _pitch_lines(a, b, white, w)


def soccer_field(rng: Rng, half_size: tuple[float, float] | None = None) -> Sprite:
    """A pitch bounded by its lines, 60 to 110 m long unless half its sizes are given in metres.

    Args:
        half_size: half its length and half its width.
    """
    a = rng.uniform(30, 55)
    a, b = (a, a * rng.uniform(0.58, 0.72)) if half_size is None else half_size
    colour = _turf(rng)
    parts = [
        Part(box(2 * a, 2 * b), colour),
        *_stripes(2 * a, 2 * b, colour, rng),
        *_marked_pitch(a, b, rng),
    ]
    grain = ((rng.uniform(0.03, 0.1), 9.0), (0.05, 0.8))
    return Sprite("soccer_field", parts, COVER["low_vegetation"], grain, casts=False)


def _oval(straight: float, radius: float) -> Array:
    t = np.linspace(-np.pi / 2, np.pi / 2, 28)
    right = np.stack([straight / 2 + radius * exact.cos(t), radius * exact.sin(t)], 1)
    left = np.stack([-straight / 2 - radius * exact.cos(t), -radius * exact.sin(t)], 1)
    return np.concatenate([right, left])


def track_field(rng: Rng, with_pitch: bool) -> tuple[Sprite, tuple[float, float]]:
    """A running track and everything inside, with the half length and half width of its pitch.

    Without pitch the caller paints one, as an object of its own.

    Args:
        with_pitch: whether a soccer pitch is part of it.
    """
    straight, inner = rng.uniform(70, 105), rng.uniform(28, 40)
    lanes = int(rng.integers(4, 10))
    outer = inner + lanes * 1.22
    red = np.array(
        [
            (168, 84, 66),
            (146, 70, 60),
            (190, 110, 86),
            (104, 100, 98),
            (70, 72, 76),
            (128, 84, 76),
            (150, 130, 110),
            (74, 96, 136),
        ]
    )
    track = (
        red[rng.choice(8, p=[0.24, 0.18, 0.16, 0.14, 0.1, 0.08, 0.06, 0.04])]
        / 255
        * rng.uniform(0.8, 1.15)
    )
    turf = _turf(rng)
    ends = shade(track, rng.uniform(0.9, 1.05)) if rng.random() < 0.4 else turf
    parts = [Part(_oval(straight, outer), track, cover=COVER["impervious"])]
    for side in (-1.0, 1.0):
        if rng.random() < 0.5:
            x = side * (straight / 2 + rng.uniform(5, 28))
            chute = rect(min(0, x), inner, max(0, x), outer) * (1, rng.choice([-1, 1]))
            parts.append(Part(chute, track, cover=COVER["impervious"]))
    white = np.ones(3) * rng.uniform(0.7, 1.0)
    for k in range(lanes + 1):
        parts.append(
            Part(_oval(straight, inner + 1.22 * k), white, 0, 0, False, line=0.08, closed=True)
        )
    parts.append(Part(_oval(straight, inner), ends, 0, 0, False, cover=COVER["low_vegetation"]))
    a = straight / 2 * rng.uniform(0.95, 1.15)
    beyond = max(0.0, a - straight / 2)
    b = min(inner * 0.95, math.sqrt(max(inner * inner - beyond * beyond, 1)) * 0.9)
    if with_pitch:
        parts.append(Part(box(2 * a, 2 * b), turf, 0, 0, False))
        parts += _stripes(2 * a, 2 * b, turf, rng)
        parts += _marked_pitch(a, b, rng) if rng.random() < 0.75 else []
    grain = ((0.06, 12.0), (0.04, 1.0))
    return Sprite("track_field", parts, None, grain, casts=False), (a, b)


def _infield(d: float, mound: float, reach: float, strip: float, apron: float) -> Array:
    """Outline of infield dirt: the arc behind the bases, cut `strip` outside the foul lines.

    Home is at (-d, 0), second base at (d, 0); all in metres.
    """
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    ray = np.stack([exact.cos(t), exact.sin(t)], 1)
    r = np.full(len(t), reach)
    for normal, limit in (
        (np.array([-1.0, 1.0]) / np.sqrt(2), strip - (mound + d) * -1 / np.sqrt(2)),
        (np.array([-1.0, -1.0]) / np.sqrt(2), strip - (mound + d) * -1 / np.sqrt(2)),
        (np.array([-1.0, 0.0]), apron + mound + d),
    ):
        towards = ray[:, 0] * normal[0] + ray[:, 1] * normal[1]
        r = np.where(towards > 1e-3, np.minimum(r, limit / np.maximum(towards, 1e-3)), r)
    smooth = (np.roll(r, 1) + 2 * r + np.roll(r, -1)) / 4
    return np.asarray((mound, 0) + smooth[:, None] * ray)


def baseball_diamond(rng: Rng) -> Sprite:
    """The infield: dirt with home plate at the back, its grass square when it has one."""
    d = rng.uniform(12, 20)
    dirts = [(176, 136, 100), (196, 160, 122), (160, 108, 76), (190, 170, 140), (150, 126, 100)]
    dirt = np.array(dirts[rng.integers(5)]) / 255 * rng.uniform(0.85, 1.15)
    mound = d * rng.uniform(-0.12, 0.0)
    strip, apron = rng.uniform(0.8, 6.0), rng.uniform(2, 8)
    outline = _infield(d, mound, d * rng.uniform(1.3, 1.6), strip, apron)
    parts = [Part(outline, dirt)]
    if rng.random() < 0.55:
        circle = rng.uniform(3.5, 6)
        parts.append(Part(ellipse(circle, circle, -d, 0, 24), dirt))
    if rng.random() < 0.68:
        g = d * rng.uniform(0.72, 0.92)
        c = g * rng.uniform(0.04, 0.2)
        corner = [(g - c, c), (c, g - c), (-c, g - c), (-g + c, c)]
        parts.append(
            Part(symmetric(corner), _turf(rng), solid=False, cover=COVER["low_vegetation"])
        )
        parts.append(
            Part(ellipse(2.7, 2.7, mound, 0, 20), dirt, solid=False, cover=COVER["clutter"])
        )
        plate = Part(ellipse(4, 4, -d, 0, 20), dirt, solid=False, cover=COVER["clutter"])
        parts.append(plate)
        if rng.random() < 0.4:
            parts.append(Part(np.array([(mound, 0), (-d, 0)]), dirt, solid=False, line=1.8))
    elif rng.random() < 0.6:
        worn = shade(dirt, rng.uniform(0.85, 1.15))
        parts.append(Part(ellipse(2.5, 2.5, mound, 0, 20), worn, solid=False))
    white = np.ones(3) * rng.uniform(0.75, 1.0)
    if rng.random() < 0.6:
        for side in (-1, 1):
            parts.append(_line([(-d, 0), (0.6 * d, side * 1.6 * d)], white, 0.15))
    grain = ((rng.uniform(0.02, 0.07), 5.0), (0.03, 0.6))
    return Sprite("baseball_diamond", parts, COVER["clutter"], grain, casts=False)
