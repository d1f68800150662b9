"""SAM's frame: between a tile's pixels and the square the model sees.

The model sees a tile resized so that its long side is ``frame`` px (1024), at the top left of a
square; mask prompts and low-resolution logits are that square at a quarter of the size. The
resizes are ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``, as in
segment_anything's ``Sam.postprocess_masks``, done only where a mask can be.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything.utils.transforms import ResizeLongestSide
from torch.nn import functional

Logits = NDArray[np.float32]

INSIDE, OUTSIDE = 1000.0, -1000.0
"""Logits of a mask prompt, as SAMRS sets them."""


def input_size(size_hw: tuple[int, int], frame: int) -> tuple[int, int]:
    """Height and width of a tile resized to a long side of ``frame`` px."""
    height, width = ResizeLongestSide.get_preprocess_shape(size_hw[0], size_hw[1], frame)
    return int(height), int(width)


def mask_to_prompt(mask: NDArray[np.bool_], frame: int, prompt_hw: tuple[int, int]) -> torch.Tensor:
    """SAMRS's mask prompt (1, h, w) of a tile's mask (H, W): +1000 inside, -1000 outside."""
    logits = torch.from_numpy(np.where(mask, np.float32(INSIDE), np.float32(OUTSIDE)))[None, None]
    height, width = input_size((mask.shape[0], mask.shape[1]), frame)
    logits = functional.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
    logits = functional.pad(logits, (0, frame - width, 0, frame - height), value=OUTSIDE)
    return functional.interpolate(logits, prompt_hw, mode="bilinear", align_corners=False)[0]


def logits_to_crop(
    low_res: Logits, frame: int, size_hw: tuple[int, int], floor: float
) -> tuple[Logits, int, int]:
    """Bring low-resolution logits to a tile's pixels, but only where they can exceed ``floor``.

    Args:
        low_res: (h, w) logits of the whole frame.
        frame: side in px of the square the model sees.
        size_hw: the tile's size in px.
        floor: everything beyond the returned crop is at most this; bilinear values never exceed
            their neighbours, so the crop is the same as that of ``Sam.postprocess_masks``.

    Returns:
        The crop (h', w') of logits in tile px, the column x0 and the row y0 of its first pixel;
        a crop of no pixels where nothing exceeds ``floor``.
    """
    above = low_res > floor
    if not above.any():
        return np.zeros((0, 0), np.float32), 0, 0
    frame_hw = input_size(size_hw, frame)
    rows, tile_rows, y0 = _taps(np.asarray(above.any(axis=1)), frame, frame_hw[0], size_hw[0])
    columns, tile_columns, x0 = _taps(np.asarray(above.any(axis=0)), frame, frame_hw[1], size_hw[1])
    crop = _interpolate(_interpolate(low_res, rows, columns), tile_rows, tile_columns)
    return crop, x0, y0


Taps = tuple[NDArray[np.int64], NDArray[np.int64], Logits]
"""For each output position of a linear resize: lower source, upper source, weight of the upper."""


def _taps(above: NDArray[np.bool_], frame: int, inner: int, size: int) -> tuple[Taps, Taps, int]:
    """Along one axis: taps into the logits, taps into those resized, first tile position."""
    cells = np.flatnonzero(above)
    cell = frame / len(above)
    start = max(math.floor((cells[0] - 1) * cell * size / inner) - 1, 0)
    stop = min(math.ceil((cells[-1] + 2) * cell * size / inner) + 1, size)
    low, high, weight = _linear(start, max(stop, start), inner, size)
    first = int(low[0]) if len(low) else 0
    last = int(high[-1]) + 1 if len(high) else 0
    return _linear(first, last, len(above), frame), (low - first, high - first, weight), start


def _linear(start: int, stop: int, source: int, target: int) -> Taps:
    """torch's bilinear taps along one axis for outputs start..stop of source -> target px."""
    scale = np.float32(source) / np.float32(target)
    half = np.float32(0.5)
    at = np.maximum((np.arange(start, stop, dtype=np.float32) + half) * scale - half, 0)
    low = np.minimum(at.astype(np.int64), source - 1)
    return low, np.minimum(low + 1, source - 1), at - low.astype(np.float32)


def _interpolate(values: Logits, rows: Taps, columns: Taps) -> Logits:
    """Bilinear resize of (h, w) at the given taps, columns first, as torch does it."""
    low, high, weight = columns
    span = slice(int(rows[0].min(initial=0)), int(rows[1].max(initial=-1)) + 1)
    part = values[span]
    part = part[:, low] * (1 - weight) + part[:, high] * weight
    low, high, weight = rows[0] - span.start, rows[1] - span.start, rows[2][:, None]
    return np.asarray(part[low] * (1 - weight) + part[high] * weight, dtype=np.float32)
