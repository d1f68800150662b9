"""Band-limited random fields, the raw material of every texture."""

import math

import numpy as np

from samrs.scenes.filters import cubic, resample

Array = np.ndarray


def blobs(rng: np.random.Generator, size_hw: tuple[int, int], scale_px: float) -> Array:
    """One octave of smooth noise.

    Args:
        rng: Source of randomness.
        size_hw: Height and width in pixels.
        scale_px: Correlation length in pixels; below 1.5 the noise is white.

    Returns:
        (H, W) float32, zero mean, about unit variance.
    """
    h, w = size_hw
    if scale_px < 1.5:
        return rng.standard_normal((h, w), dtype=np.float32)
    gh, gw = int(h / scale_px) + 3, int(w / scale_px) + 3
    grid = rng.standard_normal((gh, gw), dtype=np.float32)
    columns = cubic(gw, np.arange(w) / scale_px + rng.random())
    rows = cubic(gh, np.arange(h) / scale_px + rng.random())
    return resample(grid, rows, columns)


def nearest_power(scale: float) -> int:
    """The power of two that is nearest to a scale by its logarithm, 0 to 9."""
    scale = max(scale, 1.0)
    return min(math.frexp(scale * scale)[1] // 2, 9)


class NoiseBank:
    """Noise fields of one scene by scale, made once and reused in shifted, flipped crops.

    A crop costs a copy where a fresh field costs a resampling; at the same scale two textures
    of a scene then share their noise, which no eye can tell.
    """

    def __init__(self, rng: np.random.Generator, size_hw: tuple[int, int]):
        self.rng = rng
        self.size_hw = size_hw
        self._fields: dict[int, Array] = {}

    def crop(self, size_hw: tuple[int, int], scale_px: float) -> Array:
        """Noise of a scale rounded to a power of two, (h, w) float32 of unit variance."""
        h, w = size_hw
        level = nearest_power(scale_px)
        if level not in self._fields:
            self._fields[level] = blobs(self.rng, self.size_hw, 2.0**level)
        field = self._fields[level]
        if h > field.shape[0] or w > field.shape[1]:
            return blobs(self.rng, size_hw, 2.0**level)
        y = int(self.rng.integers(0, field.shape[0] - h + 1))
        x = int(self.rng.integers(0, field.shape[1] - w + 1))
        crop = field[y : y + h, x : x + w]
        flip_y, flip_x = 1 - 2 * self.rng.integers(0, 2, 2)
        return np.ascontiguousarray(crop[::flip_y, ::flip_x])
