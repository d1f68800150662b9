"""Random crops of tiles by SAMRS's recipe: scale 0.5-2, pad, crop, flips, quarter turns, colour.

One addition, from nnU-Net (Isensee et al., Nature Methods 2021): some crops are placed on a random
pixel of a random foreground category of the tile, the others anywhere. Most of a released tile is
unlabelled and teaches nothing, and small categories would hardly ever be seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.records import IGNORE
from samrs.training.blocks import Image, PackedTile, Window

PAD_RGB = (124, 116, 104)
"""ImageNet's mean colour, which stands for "nothing" after normalization."""

SCALES = (0.5, 2.0)
ON_FOREGROUND = 0.67
"""Share of the crops that are placed on a foreground category."""

COLOUR = 0.25
"""Brightness, contrast and saturation change by up to this share, each."""


def augment(
    tile: PackedTile, crop: int, background: Sequence[int], rng: np.random.Generator
) -> tuple[Image, Image]:
    """A random crop (3, crop, crop) RGB and its labels (crop, crop) of a tile.

    Only the part that is kept is unpacked and resampled: the image linearly, labels to the nearest.
    Outside the tile the image is grey and the labels 255. A crop holds a labelled pixel where the
    tile has one.

    Args:
        crop: side in px.
        background: labels that do not count as foreground.
    """
    side = round(crop / rng.uniform(*SCALES))
    window, known = _placed(tile, side, crop, background, rng)
    if (known == IGNORE).all() and side > crop:  # a small object that the smaller scale skips
        side = crop
        window, known = _placed(tile, side, crop, background, rng)
    part = tile.image(window)
    below, right = side - window.height, side - window.width
    if below or right:
        part = cv2.copyMakeBorder(
            part, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PAD_RGB
        ).astype(np.uint8, copy=False)
    part = cv2.resize(part, (crop, crop), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    turns = int(rng.integers(4))
    part, known = np.rot90(part, turns), np.rot90(known, turns)
    for axis in (0, 1):
        if rng.random() < 0.5:
            part, known = np.flip(part, axis), np.flip(known, axis)
    return shift_colour(part, rng), np.ascontiguousarray(known)


def _placed(
    tile: PackedTile, side: int, crop: int, background: Sequence[int], rng: np.random.Generator
) -> tuple[Window, Image]:
    """The part of a window of ``side`` px that lies in the tile, and the window's labels in
    ``crop`` px."""
    frame = tile.frame
    width, height = min(side, frame.width), min(side, frame.height)
    last_x, last_y = frame.width - width, frame.height - height
    x, y = int(rng.integers(last_x + 1)), int(rng.integers(last_y + 1))
    categories = [label for label in tile.present if label not in background]
    window = Window(x, y, width, height)
    wanted: int | None = None
    known: Image | None = None
    if categories and rng.random() < ON_FOREGROUND:
        wanted = int(rng.choice(categories))
        moved = True
    else:
        known = tile.labels(window)
        moved = bool((known == IGNORE).all())
    place = tile.place(wanted, lambda count: int(rng.integers(count))) if moved else None
    if place is not None:
        row, column = place
        x = min(max(column - int(rng.integers(side)), 0), last_x)
        y = min(max(row - int(rng.integers(side)), 0), last_y)
        window, known = Window(x, y, width, height), None
    if known is None:
        known = tile.labels(window)
    below, right = side - height, side - width
    if below or right:
        known = np.pad(known, ((0, below), (0, right)), constant_values=IGNORE)
    resized = cv2.resize(known, (crop, crop), interpolation=cv2.INTER_NEAREST_EXACT)
    return window, resized.astype(np.uint8, copy=False)


def shift_colour(image: Image, rng: np.random.Generator) -> Image:
    """Change saturation, contrast and brightness of (H, W, 3) RGB at random; (3, H, W).

    Plane by plane and in place, a third of the time of whole pictures.
    """
    saturation, contrast, brightness = rng.uniform(-COLOUR, COLOUR, 3)
    sums = image[..., 0].astype(np.uint16)
    sums += image[..., 1]
    sums += image[..., 2]
    grey = sums.astype(np.float32)
    grey /= 3
    level = grey.mean()
    base = grey.astype(np.float64)
    out = np.empty((3, *image.shape[:2]), np.uint8)
    for channel in range(3):
        away = image[..., channel].astype(np.float32)
        away -= grey
        pixels: NDArray[np.float64] = np.multiply(away, 1 + saturation, dtype=np.float64)
        pixels += base
        pixels -= level
        pixels *= 1 + contrast
        pixels += level
        pixels += 255 * brightness / 2
        np.rint(pixels, out=pixels)
        np.clip(pixels, 0, 255, out=pixels)
        out[channel] = pixels
    return out
