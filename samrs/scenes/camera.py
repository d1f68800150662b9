"""From ideal scene to photograph: light, atmosphere, optics, sensor, compression.

Nothing here moves an edge: every blur is symmetric and every resampling is undone about the
same centre.
"""

import cv2
import numpy as np

from samrs.scenes import exact
from samrs.scenes.filters import area, blur, cubic, linear, positions, resample
from samrs.scenes.sprite import Array
from samrs.scenes.world import COVER, World

BRIGHTEST = 1.3
LEVELS = 1 << 14
"""Of brightness from 0 to 1, in the table of the tone curve."""


def photograph(world: World) -> Array:
    """The scene as (H, W, 3) uint8 RGB."""
    rng = world.rng
    image: Array = np.clip(world.image, 0, 1.5)
    if rng.random() < world.infrared:
        image = _infrared(world, image)
    image = _light(rng, image)
    image = _optics(rng, image)
    image = _tone(rng, image)
    if rng.random() < 0.05:
        image = np.repeat(_grey(image)[..., None], 3, 2)
    noise = float(
        rng.choice([0.0, rng.uniform(0.003, 0.012), rng.uniform(0.01, 0.025)], p=[0.3, 0.5, 0.2])
    )
    if noise:
        image = image + noise * world.noise.crop(world.size_hw, 1)[..., None]
    result: Array = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.55:
        result = _jpeg(rng, result)
    return result


def _grey(image: Array) -> Array:
    red, green, blue = (image[..., k] for k in range(3))
    return np.asarray(red * np.float32(0.3) + green * np.float32(0.59) + blue * np.float32(0.11))


def _infrared(world: World, image: Array) -> Array:
    """Near infrared, red, green shown as red, green, blue: vegetation turns red."""
    rng = world.rng
    # Band order red, green, blue: how much greener than red and blue, and on vegetation at all.
    excess = image[..., 1] - 0.5 * (image[..., 0] + image[..., 2])
    plants: Array = np.isin(world.cover, (COVER["low_vegetation"], COVER["tree"])).astype(
        np.float32
    )
    plants = blur(plants, 0.8)
    light = _grey(image)
    lush = plants * np.clip(0.25 + rng.uniform(3, 7) * excess / (light + 0.05), 0.1, 1.3)
    nir = light * (1 + rng.uniform(0.6, 1.3) * lush)
    nir[world.cover == COVER["water"]] *= 0.5
    dim = (1 - 0.35 * lush)[..., None]
    return np.concatenate([nir[..., None], image[..., :2] * dim], 2)


def _light(rng: np.random.Generator, image: Array) -> Array:
    """Exposure, colour cast, uneven light and haze."""
    h, w = image.shape[:2]
    cast = rng.uniform(0.75, 1.2) * (1 + rng.normal(0, 0.035, 3))
    image = image * cast.astype(np.float32)
    if rng.random() < 0.35:
        grid = (1 + rng.normal(0, 0.09, (2, 2))).astype(np.float32)
        rows, columns = (linear(2, positions(2, n)) for n in (h, w))
        image *= resample(grid, rows, columns)[..., None]
    if rng.random() < 0.5:
        haze = float(rng.uniform(0.02, 0.28))
        air = np.array([0.68, 0.74, 0.8]) * rng.uniform(0.6, 1.1)
        image = image * (1 - haze) + (air * haze).astype(np.float32)
    return image


def _optics(rng: np.random.Generator, image: Array) -> Array:
    """Point spread, resampling and sharpening."""
    h, w = image.shape[:2]
    sigma = float(
        rng.choice(
            [rng.uniform(0.25, 0.6), rng.uniform(0.5, 1.0), rng.uniform(0.9, 1.7)],
            p=[0.4, 0.42, 0.18],
        )
    )
    image = blur(image, sigma)
    if rng.random() < 0.15:
        factor = rng.uniform(0.5, 0.9)
        rows, columns = max(8, int(h * factor)), max(8, int(w * factor))
        small = resample(image, area(h, rows), area(w, columns))
        up, along = (cubic(a, positions(a, b)) for a, b in ((rows, h), (columns, w)))
        image = resample(small, up, along)
    if rng.random() < 0.4:
        amount = np.float32(rng.uniform(0.3, 1.3))
        image = image + amount * (image - blur(image, rng.uniform(0.8, 1.8)))
    return np.asarray(np.clip(image, 0, BRIGHTEST))


def _tone(rng: np.random.Generator, image: Array) -> Array:
    """Gamma, contrast, saturation; some scenes dark and flat as many real ones are."""
    gamma = exact.power(np.arange(int(BRIGHTEST * LEVELS) + 1) / LEVELS, rng.uniform(0.75, 1.35))
    curve = np.rint(gamma * (1 << 16)).astype(np.int32)
    toned = curve.take((image * LEVELS + 0.5).astype(np.int32))
    mean = np.float32(int(toned.sum(dtype=np.int64)) / toned.size / (1 << 16))
    image = toned.astype(np.float32) / np.float32(1 << 16)
    contrast = np.float32(rng.uniform(0.7, 1.3))
    image = mean + contrast * (image - mean)
    grey = (image[..., :1] + image[..., 1:2] + image[..., 2:]) / np.float32(3)
    image = grey + np.float32(rng.uniform(0.45, 1.35)) * (image - grey)
    return np.asarray(image + np.float32(rng.normal(0, 0.03)))


def _jpeg(rng: np.random.Generator, image: Array) -> Array:
    quality = int(rng.integers(45, 96))
    bgr = np.ascontiguousarray(image[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])
