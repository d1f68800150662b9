"""Blurs and resamplings that give the same bits on every CPU.

OpenCV's of floating point do not. These add products one by one, a strip of rows at a time, which
stays in the CPU's cache. Beyond its border an image goes on as its mirror image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from samrs.scenes.exact import exp

Array = np.ndarray
_STRIP = 1 << 16
"""Numbers of a strip."""


@dataclass(frozen=True)
class Taps:
    """How each of n new rows or columns is made of old ones.

    Attributes:
        index: (taps, n), of the old ones.
        weight: (taps, n) float32, how much of each.
    """

    index: Array
    weight: Array


def blur(image: Array, sigma: float) -> Array:
    """Gaussian blur of (H, W) or (H, W, C) float32.

    Args:
        sigma: standard deviation in px; the kernel ends at three.
    """
    reach = max(1, math.ceil(3 * sigma))
    kernel = [exp(-k * k / (2 * sigma * sigma)) for k in range(reach + 1)]
    total = kernel[0]
    for value in kernel[1:]:
        total += 2 * value
    weights = [np.float32(value / total) for value in kernel]
    h, w, flat = _flat(image)
    step = flat.shape[1] // w
    result = np.empty((h, w * step), np.float32)
    rows, columns = _mirrored(h, reach), _mirrored(w, reach)
    for start, stop in _strips(h, w * step):
        strip = flat[rows[start : stop + 2 * reach]]
        down = _convolve([strip[k : k + stop - start] for k in range(2 * reach + 1)], weights)
        wide = down.reshape(stop - start, w, step)[:, columns].reshape(stop - start, -1)
        shifted = [wide[:, k * step : (k + w) * step] for k in range(2 * reach + 1)]
        result[start:stop] = _convolve(shifted, weights)
    return result.reshape(image.shape)


def _convolve(shifted: list[Array], weights: list[np.float32]) -> Array:
    """Sum of an array's shifts by a symmetric kernel, of which the middle comes first."""
    reach = len(weights) - 1
    total = shifted[reach] * weights[0]
    for k in range(1, reach + 1):
        pair = shifted[reach - k] + shifted[reach + k]
        pair *= weights[k]
        total += pair
    return total


def resample(image: Array, rows: Taps, columns: Taps) -> Array:
    """New rows and columns of (H, W) or (H, W, C) float32."""
    narrow = _weighted(image, columns, axis=1)
    _, width, flat = _flat(narrow)
    n = rows.index.shape[1]
    result = np.empty((n, flat.shape[1]), np.float32)
    for start, stop in _strips(n, flat.shape[1]):
        part = Taps(rows.index[:, start:stop], rows.weight[:, start:stop])
        result[start:stop] = _weighted(flat, part, axis=0)
    return result.reshape(n, width, *image.shape[2:])


def _weighted(image: Array, taps: Taps, axis: int) -> Array:
    shape = [1] * image.ndim
    shape[axis] = -1
    total = None
    for index, weight in zip(taps.index, taps.weight, strict=True):
        part = image.take(index, axis)
        part *= weight.reshape(shape)
        total = part if total is None else np.add(total, part, out=total)
    return np.asarray(total)


def cubic(count: int, positions: Array) -> Taps:
    """Bicubic interpolation at positions among so many rows or columns, whose middles are whole."""
    below = np.floor(positions)
    t = (positions - below).astype(np.float32)
    a, weights = np.float32(-0.75), []
    for x in (t + 1, t, 1 - t, 2 - t):
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        weights.append(np.where(x <= 1, near, far))
    index = below.astype(np.int64) + np.arange(-1, 3)[:, None]
    return Taps(_mirror(index, count), np.stack(weights))


def linear(count: int, positions: Array) -> Taps:
    """Linear interpolation between the two nearest rows or columns; constant beyond the last.

    Args:
        positions: (n,) where new rows or columns lie among ``count`` old ones, px.
    """
    inside = np.clip(positions, 0, count - 1)
    below = np.minimum(np.floor(inside), count - 2)
    t = (inside - below).astype(np.float32)
    return Taps(below.astype(np.int64) + np.arange(2)[:, None], np.stack([1 - t, t]))


def area(count: int, n: int) -> Taps:
    """Means that make n rows or columns of more, of at most twice as many."""
    scale = count / n
    start = np.arange(n) * scale
    index = np.floor(start).astype(np.int64) + np.arange(3)[:, None]
    share = np.minimum(index + 1, start + scale) - np.maximum(index, start)
    weight = np.clip(share, 0, 1) / scale
    return Taps(np.minimum(index, count - 1), weight.astype(np.float32))


def positions(count: int, n: int) -> Array:
    """Where the middles of n new rows or columns lie among the old ones."""
    return np.asarray((np.arange(n) + 0.5) * (count / n) - 0.5)


def shares(image: Array, scale: int) -> Array:
    """Sums of squares of scale x scale px of (H, W) or (H, W, C) uint8, as uint16."""
    rows = image[::scale].astype(np.uint16)
    for k in range(1, scale):
        rows += image[k::scale]
    total = rows[:, ::scale].copy()
    for k in range(1, scale):
        total += rows[:, k::scale]
    return total


def slopes(field: Array) -> tuple[Array, Array]:
    """Slopes along x and y per px, smoothed across (Sobel).

    Args:
        field: (H, W) float32.
    """
    h, w = field.shape
    wide = field[_mirrored(h, 1)][:, _mirrored(w, 1)]
    dx, dy = wide[:, 2:] - wide[:, :-2], wide[2:] - wide[:-2]
    eighth = np.float32(0.125)
    along_x = (dx[:-2] + dx[2:] + 2 * dx[1:-1]) * eighth
    along_y = (dy[:, :-2] + dy[:, 2:] + 2 * dy[:, 1:-1]) * eighth
    return along_x, along_y


def _flat(image: Array) -> tuple[int, int, Array]:
    """Height, width and the image as float32 with its channels side by side in its rows."""
    h, w = image.shape[:2]
    return h, w, np.ascontiguousarray(image, np.float32).reshape(h, -1)


def _strips(rows: int, width: int) -> list[tuple[int, int]]:
    step = max(1, _STRIP // max(width, 1))
    return [(start, min(start + step, rows)) for start in range(0, rows, step)]


def _mirrored(count: int, reach: int) -> Array:
    """Indices of so many rows with `reach` more at both ends."""
    return _mirror(np.arange(-reach, count + reach), count)


def _mirror(index: Array, count: int) -> Array:
    """Indices beyond the first and last of so many, mirrored about these."""
    if count == 1:
        return np.zeros_like(index)
    turn = np.abs(index) % (2 * count - 2)
    return np.asarray(np.minimum(turn, 2 * count - 2 - turn))
