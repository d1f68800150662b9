"""Vessels from dinghies to tankers, container ships and warships."""

import numpy as np

from samrs.scenes import exact
from samrs.scenes.palette import any_colour, car_paint, shade
from samrs.scenes.sprite import Array, Part, Sprite, box, ellipse, rect, rounded, symmetric
from samrs.scenes.world import COVER

Rng = np.random.Generator


def _hull(length: float, width: float, bow: float, stern: float) -> Array:
    """Outline with a pointed bow of length share `bow`; stern width share `stern`."""
    front, side = length / 2, width / 2
    t = np.linspace(0, 1, 7)
    half = [
        (front - bow * length * float(s), side * exact.power(exact.sin(float(s) * np.pi / 2), 0.8))
        for s in t
    ]
    half += [
        (-front + length * 0.12, side),
        (-front + length * 0.02, side * (0.5 + 0.5 * stern)),
        (-front, side * stern),
    ]
    return symmetric(half)


def _scaled(points: Array, factor: float, across: float | None = None) -> Array:
    return points * (factor, factor if across is None else across)


def boat(rng: Rng, length: float | None = None) -> Sprite:
    """A motor boat, yacht or sailing boat of 4 to 25 m."""
    if length is None:
        length = float(
            rng.choice(
                [rng.uniform(4, 9), rng.uniform(8, 16), rng.uniform(14, 28)], p=[0.4, 0.45, 0.15]
            )
        )
    width = length * rng.uniform(0.26, 0.38) if length < 12 else length * rng.uniform(0.2, 0.29)
    hull_colour = np.ones(3) * rng.uniform(0.8, 1.0) if rng.random() < 0.75 else car_paint(rng)
    hull = _hull(length, width, rng.uniform(0.3, 0.5), rng.uniform(0.7, 0.95))
    parts = [Part(hull, hull_colour, 1.0)]
    deck = (
        shade(hull_colour, rng.uniform(0.75, 1.0))
        if rng.random() < 0.6
        else np.array([0.62, 0.5, 0.36]) * rng.uniform(0.7, 1.3)
    )
    parts.append(Part(_scaled(hull, 0.9, 0.8), deck, 1.1, 0, False))
    style = rng.random()
    if style < 0.3:
        cover = rounded(-length * 0.42, -width * 0.34, length * 0.16, width * 0.34, width * 0.2, 4)
        colour = (
            shade(any_colour(rng, 0.5), 0.7)
            if rng.random() < 0.5
            else np.ones(3) * rng.uniform(0.3, 0.95)
        )
        parts.append(Part(cover, colour, 1.6, 1, False))
    elif style < 0.75:
        cabin = rounded(
            -length * 0.2,
            -width * 0.33,
            length * rng.uniform(0.12, 0.25),
            width * 0.33,
            width * 0.2,
            4,
        )
        parts.append(Part(cabin, shade(hull_colour, rng.uniform(0.85, 1.05)), 2.2, 1, False))
        x = length * rng.uniform(0.04, 0.14)
        parts.append(
            Part(
                rect(x, -width * 0.27, x + length * 0.06, width * 0.27),
                (0.12, 0.14, 0.18),
                2.2,
                1,
                False,
            )
        )
        well = rounded(-length * 0.44, -width * 0.32, -length * 0.22, width * 0.32, 0.3, 3)
        parts.append(Part(well, shade(deck, 0.7), 1, 1, False))
    else:
        line = np.array([[length * 0.45, 0], [-length * 0.4, 0]])
        parts.append(Part(line, np.ones(3) * rng.uniform(0.5, 1), 2, 1, False, line=0.25))
        parts.append(
            Part(
                box(length * 0.22, width * 0.4, -length * 0.08),
                shade(hull_colour, 0.85),
                1.5,
                1,
                False,
            )
        )
    return Sprite("ship", parts, COVER["clutter"], ((0.03, 0.6),), 0.5)


def _bridge_house(
    parts: list[Part], x0: float, x1: float, width: float, z: float, rng: Rng
) -> None:
    white = np.ones(3) * rng.uniform(0.78, 1.0)
    for k in range(int(rng.integers(2, 4))):
        inset = 0.1 * k
        span = (x1 - x0) * (0.5 - 0.12 * k)
        middle = (x0 + x1) / 2
        house = rect(middle - span, -width * (0.47 - inset), middle + span, width * (0.47 - inset))
        parts.append(
            Part(house, shade(white, 0.82 + 0.1 * k), z + 3 * (k + 1), z, False, shade(white, 0.55))
        )
    wing = rect(x1 - (x1 - x0) * 0.3, -width * 0.5, x1 - (x1 - x0) * 0.12, width * 0.5)
    parts.append(Part(wing, shade(white, 0.95), z + 9, z + 9, False))
    funnel = ellipse(width * 0.08, width * 0.07, x0 + (x1 - x0) * 0.15, 0, 10)
    parts.append(Part(funnel, shade(car_paint(rng), 0.7), z + 12, z, False))


def freighter(rng: Rng, length: float | None = None) -> Sprite:
    """A tanker, bulk carrier, container ship, barge or ferry of 40 to 330 m."""
    if length is None:
        length = float(
            rng.choice(
                [rng.uniform(40, 110), rng.uniform(100, 220), rng.uniform(200, 330)],
                p=[0.5, 0.35, 0.15],
            )
        )
    width = length * rng.uniform(0.13, 0.19)
    hull = _hull(length, width, rng.uniform(0.1, 0.22), rng.uniform(0.55, 0.9))
    rim = (
        np.array(
            [(90, 40, 36), (40, 42, 46), (40, 62, 96), (44, 80, 66), (150, 150, 150), (170, 84, 60)]
        )[rng.integers(6)]
        / 255
    )
    deck_colours = np.array(
        [
            (146, 70, 56),
            (112, 116, 116),
            (74, 112, 92),
            (160, 150, 132),
            (96, 74, 66),
            (180, 180, 176),
            (60, 84, 104),
        ]
    )
    deck = deck_colours[rng.integers(7)] / 255 * rng.uniform(0.75, 1.25)
    z = 4 + length * 0.02
    parts = [
        Part(hull, rim, z, wall=shade(rim, 0.7)),
        Part(_scaled(hull, 0.985, 0.92), deck, z, 0, False),
    ]
    fore = rng.random() < 0.12
    h0 = length * (0.28 if fore else rng.uniform(-0.46, -0.4))
    h1 = h0 + length * rng.uniform(0.07, 0.13)
    start, end = (
        (-length * 0.45, h0 - length * 0.02) if fore else (h1 + length * 0.02, length * 0.38)
    )
    style = rng.choice(
        ["tanker", "bulk", "container", "plain", "ferry"], p=[0.25, 0.27, 0.25, 0.13, 0.1]
    )
    if style == "tanker":
        pipes = shade(deck, rng.uniform(0.6, 1.6))
        for y in (-0.06, 0.0, 0.06):
            parts.append(
                Part(
                    np.array([[start, y * width], [end, y * width]]),
                    pipes,
                    z + 1,
                    z,
                    False,
                    line=width * 0.025,
                )
            )
        middle = (start + end) / 2
        parts.append(
            Part(
                np.array([[middle, -width * 0.4], [middle, width * 0.4]]),
                pipes,
                z + 1,
                z,
                False,
                line=width * 0.05,
            )
        )
        for x in np.linspace(start, end, int(rng.integers(4, 9))):
            parts.append(
                Part(
                    np.array([[x, -width * 0.46], [x, width * 0.46]]),
                    shade(deck, 0.8),
                    z,
                    z,
                    False,
                    line=width * 0.02,
                )
            )
    elif style == "bulk":
        hatches = int(rng.integers(3, 9))
        colour = shade(deck, rng.uniform(0.65, 1.5)) if rng.random() < 0.7 else any_colour(rng, 0.4)
        pitch = (end - start) / hatches
        open_hatch = rng.random() < 0.2
        for k in range(hatches):
            hatch = box(pitch * 0.72, width * rng.uniform(0.58, 0.64), start + pitch * (k + 0.5))
            parts.append(
                Part(
                    hatch,
                    shade(colour, rng.uniform(0.94, 1.06)),
                    z + 2,
                    z,
                    False,
                    shade(colour, 0.6),
                )
            )
            if open_hatch:
                parts.append(
                    Part(
                        _scaled(hatch - hatch.mean(0), 0.85) + hatch.mean(0),
                        shade(colour, 0.35),
                        z + 2,
                        z,
                        False,
                    )
                )
            elif rng.random() < 0.4:
                crane = np.array(
                    [
                        [start + pitch * k, 0],
                        [start + pitch * (k + 0.7), width * rng.uniform(-0.2, 0.2)],
                    ]
                )
                parts.append(Part(crane, (0.8, 0.75, 0.6), z + 5, z, False, line=width * 0.05))
    elif style == "container":
        bay = 13.0 if length > 90 else 6.5
        for x in exact.spaced(start + bay / 2, end - bay / 2, bay * 1.1):
            if rng.random() < 0.08:
                continue
            reach = 0.5 if x < length * 0.28 else 0.36
            rows = max(2, int(width * reach * 2 / 2.6))
            for k in range(rows):
                y = (k - (rows - 1) / 2) * (width * reach * 1.84 / rows)
                colour = any_colour(rng) if rng.random() < 0.6 else deck
                height = z + 2.6 * rng.integers(2, 5)
                parts.append(
                    Part(
                        box(bay, width * reach * 1.84 / rows * 0.95, x, y),
                        shade(colour, 0.85),
                        height,
                        z,
                        False,
                    )
                )
    elif style == "ferry":
        top = rounded(-length * 0.44, -width * 0.44, length * 0.3, width * 0.44, width * 0.3)
        white = np.ones(3) * rng.uniform(0.8, 1.0)
        parts.append(Part(top, white, z + 6, z, False, shade(white, 0.6)))
        parts.append(Part(_scaled(top, 0.8, 0.6), shade(white, 0.85), z + 8, z, False))
        for x in np.linspace(-0.3, 0.2, 4):
            parts.append(
                Part(
                    box(length * 0.05, width * 0.7, x * length),
                    shade(white, rng.uniform(0.5, 0.9)),
                    z + 8,
                    z,
                    False,
                )
            )
    if style != "ferry":
        _bridge_house(parts, h0, h1, width, z, rng)
    winch = _hull(length * 0.1, width * 0.6, 0.5, 0.9) + (length * 0.43, 0)
    parts.append(Part(winch, shade(deck, 0.75), z + 1, z, False))
    return Sprite("ship", parts, COVER["clutter"], ((0.05, 6.0), (0.04, 1.2)), 1.0)


def warship(rng: Rng) -> Sprite:
    """A grey, slender ship of 50 to 200 m, or an aircraft carrier."""
    carrier = rng.random() < 0.1
    length = rng.uniform(220, 330) if carrier else rng.uniform(50, 200)
    width = length * (rng.uniform(0.2, 0.23) if carrier else rng.uniform(0.1, 0.135))
    grey = rng.uniform(0.38, 0.7) * np.array([0.98, 1.0, 1.03])
    z = 4 + length * 0.02
    if carrier:
        deck = symmetric(
            [
                (length * 0.5, 0),
                (length * 0.48, width * 0.2),
                (length * 0.2, width * 0.34),
                (length * 0.05, width * 0.5),
                (-length * 0.4, width * 0.5),
                (-length * 0.5, width * 0.35),
            ]
        )
        parts = [Part(deck, shade(grey, 0.7), z + 10, wall=shade(grey, 0.5))]
        parts.append(
            Part(box(length * 0.12, width * 0.12, 0, width * 0.38), grey, z + 30, z + 10, False)
        )
        parts.append(
            Part(
                np.array([[-length * 0.48, width * 0.05], [length * 0.25, -width * 0.3]]),
                np.ones(3) * 0.85,
                z + 10,
                z,
                False,
                line=1.5,
            )
        )
        return Sprite("ship", parts, COVER["clutter"], ((0.06, 6.0), (0.03, 1.0)), 1.0)
    hull = _hull(length, width, rng.uniform(0.3, 0.45), rng.uniform(0.75, 0.95))
    parts = [Part(hull, shade(grey, 0.85), z, wall=shade(grey, 0.6))]
    parts.append(Part(_scaled(hull, 0.97, 0.88), shade(grey, rng.uniform(0.75, 1.0)), z, 0, False))
    for x, size in ((0.12, 0.16), (-0.12, 0.14), (-0.02, 0.06)):
        w = width * rng.uniform(0.55, 0.8)
        x += rng.uniform(-0.03, 0.03)
        parts.append(
            Part(
                box(length * size, w, x * length),
                shade(grey, 1.1),
                z + 6,
                z,
                False,
                shade(grey, 0.6),
            )
        )
        parts.append(
            Part(
                box(length * size * 0.5, w * 0.6, x * length),
                shade(grey, rng.uniform(0.7, 1.3)),
                z + 10,
                z,
                False,
            )
        )
    parts.append(
        Part(
            ellipse(width * 0.16, width * 0.16, length * 0.3, 0, 12),
            shade(grey, 1.15),
            z + 3,
            z,
            False,
        )
    )
    parts.append(
        Part(
            np.array([[length * 0.3, 0], [length * 0.36, 0]]),
            shade(grey, 0.6),
            z + 3,
            z,
            False,
            line=width * 0.06,
        )
    )
    if rng.random() < 0.6:
        pad = ellipse(width * 0.3, width * 0.3, -length * 0.4, 0, 20)
        parts.append(Part(pad, np.ones(3) * 0.85, z, z, False, line=0.6, closed=True))
    return Sprite("ship", parts, COVER["clutter"], ((0.04, 4.0), (0.03, 1.0)), 1.0)


def ship(rng: Rng, size: str = "any") -> Sprite:
    """A random vessel; size is any, small or large."""
    if size == "small" or (size == "any" and rng.random() < 0.35):
        return boat(rng)
    return warship(rng) if rng.random() < 0.2 else freighter(rng)
