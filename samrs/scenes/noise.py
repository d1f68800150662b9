"""Band-limited random fields, the raw material of every texture."""

import cv2
import numpy as np

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
    matrix = np.array(
        [[1 / scale_px, 0, rng.random()], [0, 1 / scale_px, rng.random()]], dtype=np.float32
    )
    return cv2.warpAffine(
        grid,
        matrix,
        (w, h),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def fractal(
    rng: np.random.Generator,
    size_hw: tuple[int, int],
    scale_px: float,
    octaves: int = 4,
    gain: float = 0.6,
) -> Array:
    """Sum of octaves, each half as large as the one before and `gain` as strong.

    Returns:
        (H, W) float32, zero mean, unit variance by construction of the weights.
    """
    total = np.zeros(size_hw, np.float32)
    weight, power = 1.0, 0.0
    for _ in range(octaves):
        total += weight * blobs(rng, size_hw, scale_px)
        power += weight * weight
        weight *= gain
        scale_px /= 2
        if scale_px < 0.75:
            break
    return total / np.float32(np.sqrt(power))


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
        level = int(np.clip(round(np.log2(max(scale_px, 1.0))), 0, 9))
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
