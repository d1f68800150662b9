"""Cars, vans, lorries, buses, trailers."""

import numpy as np

from samrs.scenes import exact
from samrs.scenes.palette import car_paint, shade
from samrs.scenes.sprite import Part, Sprite, rect, rounded, symmetric
from samrs.scenes.world import COVER

Rng = np.random.Generator

GLASS = (0.10, 0.12, 0.15)


def car(rng: Rng) -> Sprite:
    """A car, estate, pickup or van of 3.6 to 5.6 m."""
    style = rng.choice(["saloon", "estate", "pickup", "van"], p=[0.45, 0.3, 0.12, 0.13])
    length = {"saloon": rng.uniform(4.0, 4.9), "estate": rng.uniform(3.6, 4.8)}.get(
        str(style), rng.uniform(4.8, 5.7)
    )
    width = rng.uniform(1.68, 1.95) + (0.1 if style in ("pickup", "van") else 0)
    height = 2.1 if style == "van" else rng.uniform(1.35, 1.75)
    paint = car_paint(rng)
    glass = np.array(GLASS) * rng.uniform(0.7, 2.2)
    back, front, side = -length / 2, length / 2, width / 2
    r = width * 0.22
    parts = [Part(rounded(back, -side, front, side, r), shade(paint, 0.92), 0.8)]
    parts.append(
        Part(rounded(back + 0.1, -side + 0.1, front - 0.1, side - 0.1, r), paint, height * 0.8)
    )
    cabin_front = front - length * (0.12 if style == "van" else rng.uniform(0.24, 0.31))
    cabin_back = {
        "saloon": back + length * rng.uniform(0.12, 0.18),
        "estate": back + length * 0.03,
        "pickup": back + length * 0.45,
        "van": back + length * 0.03,
    }[str(style)]
    inset = width * 0.07
    house = symmetric(
        [(cabin_front, 0), (cabin_front - 0.12, side - inset), (cabin_back, side - inset)]
    )
    parts.append(Part(house, glass, height * 0.9, 0.8, False))
    roof_front = cabin_front - length * rng.uniform(0.1, 0.16)
    roof_back = cabin_back + length * rng.uniform(0.03, 0.12)
    top = rounded(roof_back, -side + inset * 2, roof_front, side - inset * 2, 0.2, 3)
    gloss = rng.uniform(1.0, 1.18)
    parts.append(Part(top, shade(paint, gloss), height, 0.8, False))
    if rng.random() < 0.25:
        hatch = rect(
            (roof_front + roof_back) / 2 - 0.1, -side * 0.45, roof_front - 0.2, side * 0.45
        )
        parts.append(Part(hatch, glass, height, 0.8, False))
    if style == "pickup":
        bed = rect(back + 0.2, -side + 0.2, cabin_back - 0.15, side - 0.2)
        parts.append(Part(bed, shade(paint, rng.uniform(0.3, 0.8)), 0.9, 0.8, False))
    return Sprite("small_vehicle", parts, COVER["car"], ((0.02, 0.4),), 0.5)


def lorry(rng: Rng) -> Sprite:
    """A bus, rigid lorry, tanker or tractor with trailer of 7 to 18 m."""
    style = rng.choice(["bus", "rigid", "artic", "tanker"], p=[0.25, 0.3, 0.33, 0.12])
    length = float(
        {"bus": rng.uniform(9, 14), "rigid": rng.uniform(6.5, 10)}.get(
            str(style), rng.uniform(13, 18)
        )
    )
    width, height = rng.uniform(2.35, 2.65), rng.uniform(2.8, 3.9)
    paint = car_paint(rng)
    load = np.ones(3) * rng.uniform(0.7, 0.98) if rng.random() < 0.6 else car_paint(rng)
    back, front, side = -length / 2, length / 2, width / 2
    parts: list[Part] = []
    if style == "bus":
        parts.append(
            Part(rounded(back, -side, front, side, 0.3, 3), paint, height, wall=shade(paint, 0.6))
        )
        parts.append(
            Part(rect(front - 0.5, -side * 0.85, front - 0.1, side * 0.85), GLASS, height, 1, False)
        )
        for x in np.linspace(back + 1.5, front - 2, int(rng.integers(1, 4))):
            parts.append(
                Part(
                    rect(x - 0.7, -0.6, x + 0.7, 0.6),
                    shade(paint, rng.uniform(0.6, 1.2)),
                    height,
                    1,
                    False,
                )
            )
        return Sprite("large_vehicle", parts, COVER["car"], ((0.03, 0.6),), 0.6)
    cab = rng.uniform(1.7, 2.4)
    gap = 0.25 if style == "rigid" else rng.uniform(0.4, 1.0)
    chassis = rect(back + 0.2, -side * 0.7, front - 0.3, side * 0.7)
    parts.append(Part(chassis, (0.12, 0.12, 0.12), 1.0))
    parts.append(
        Part(
            rounded(front - cab, -side * 0.95, front, side * 0.95, 0.25, 3),
            paint,
            height * 0.85,
            wall=shade(paint, 0.6),
        )
    )
    parts.append(
        Part(
            rect(front - 0.6, -side * 0.8, front - 0.15, side * 0.8), GLASS, height * 0.8, 1, False
        )
    )
    if style == "tanker":
        for k, light in enumerate((0.7, 0.9, 1.05, 0.9, 0.7)):
            y = side * (0.4 * k - 1)
            parts.append(
                Part(
                    rect(back, y, front - cab - gap, y + side * 0.4),
                    shade(load, light),
                    height * 0.85,
                    1,
                )
            )
    else:
        body = rect(back, -side, front - cab - gap, side)
        parts.append(Part(body, load, height, 1, wall=shade(load, 0.6)))
        if rng.random() < 0.4:
            for x in exact.spaced(back + 0.6, front - cab - gap - 0.3, 0.9):
                parts.append(
                    Part(
                        np.array([[x, -side], [x, side]]),
                        shade(load, 0.85),
                        height,
                        1,
                        False,
                        line=0.12,
                    )
                )
        if rng.random() < 0.2:
            inner = rect(back + 0.2, -side + 0.2, front - cab - gap - 0.2, side - 0.2)
            parts.append(Part(inner, shade(car_paint(rng), 0.6), height - 0.5, 1, False))
    return Sprite("large_vehicle", parts, COVER["car"], ((0.03, 0.6),), 0.6)
