"""Colours of things, RGB in 0..1."""

import numpy as np

from samrs.scenes.sprite import Array, Colour

Rng = np.random.Generator


def shade(colour: Colour, light: float) -> Array:
    """The colour under more (above 1) or less light."""
    return np.minimum(np.asarray(colour, float) * light, 1.0)


def any_colour(rng: Rng, saturation: float | None = None) -> Array:
    """A colour of random hue.

    Args:
        saturation: 0 to 1; None for a random one.
    """
    hue = rng.uniform(0, 6)
    value = rng.uniform(0.25, 0.95)
    s = rng.uniform(0.2, 0.9) if saturation is None else saturation
    ramp = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    return np.asarray(value * (1 - s + s * ramp))


def car_paint(rng: Rng) -> Array:
    """Colours of cars: white, silver, grey, black, then red, blue and the rest."""
    roll = rng.random()
    if roll < 0.3:
        base = np.ones(3) * rng.uniform(0.82, 1.0)
    elif roll < 0.52:
        base = np.ones(3) * rng.uniform(0.45, 0.75)
    elif roll < 0.72:
        base = np.ones(3) * rng.uniform(0.08, 0.3)
    elif roll < 0.82:
        base = np.array([rng.uniform(0.45, 0.8), 0.12, 0.12]) + rng.uniform(0, 0.1)
    elif roll < 0.92:
        base = np.array([0.12, 0.2, rng.uniform(0.35, 0.65)]) + rng.uniform(0, 0.15)
    else:
        base = any_colour(rng)
    return np.clip(base + rng.normal(0, 0.02, 3), 0, 1)


def roof(rng: Rng) -> Array:
    """Colours of roofs: greys, whites, browns, tiles, metal blue and green."""
    roll = rng.random()
    if roll < 0.3:
        base = np.ones(3) * rng.uniform(0.3, 0.65)
    elif roll < 0.5:
        base = np.ones(3) * rng.uniform(0.7, 0.97)
    elif roll < 0.72:
        base = np.array([0.5, 0.38, 0.32]) * rng.uniform(0.6, 1.3)
    elif roll < 0.86:
        base = np.array([0.66, 0.36, 0.26]) * rng.uniform(0.6, 1.2)
    elif roll < 0.94:
        base = np.array([0.3, 0.45, 0.62]) * rng.uniform(0.6, 1.3)
    else:
        base = any_colour(rng, 0.4)
    return np.clip(base + rng.normal(0, 0.02, 3), 0.05, 1)


def foliage(rng: Rng) -> Array:
    """Colours of tree crowns."""
    greens = np.array([(62, 82, 44), (48, 66, 36), (84, 100, 56), (104, 106, 62), (120, 100, 60)])
    base = greens[rng.choice(5, p=[0.35, 0.3, 0.2, 0.1, 0.05])] / 255
    return np.asarray(np.clip(base * rng.uniform(0.75, 1.2) + rng.normal(0, 0.015, 3), 0.03, 1))


def sport_surface(rng: Rng) -> Array:
    """Colours of hard courts: blue, green, red, purple, grey, clay."""
    colours = np.array(
        [(62, 84, 132), (70, 104, 82), (140, 76, 62), (92, 80, 120), (110, 110, 108),
         (176, 112, 80), (60, 70, 96), (96, 124, 104), (150, 150, 144), (84, 110, 140)]
    )  # fmt: skip
    base = colours[rng.integers(len(colours))] / 255
    return np.asarray(np.clip(base * rng.uniform(0.75, 1.25) + rng.normal(0, 0.02, 3), 0.05, 1))
