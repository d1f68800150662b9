"""SAM's frame: between a tile's pixels and the square the model sees.

The model sees a tile resized so that its long side is ``frame`` px (1024), at the top left of a
square; mask prompts and low-resolution logits are that square at a quarter of the size. The
resizes are ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``, as in
segment_anything's ``Sam.postprocess_masks``, done only where a mask can be.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

Logits = NDArray[np.float32]

INSIDE, OUTSIDE = 1000.0, -1000.0
"""Logits of a mask prompt, as SAMRS sets them."""


def input_size(size_hw: tuple[int, int], frame: int) -> tuple[int, int]:
    """Height and width of a tile resized to a long side of ``frame`` px."""
    scale = frame / max(size_hw)
    return int(size_hw[0] * scale + 0.5), int(size_hw[1] * scale + 0.5)


def points_in_frame(
    points_xy: NDArray[np.float64], size_hw: tuple[int, int], frame: int
) -> NDArray[np.float64]:
    """Points (..., 2) of a tile as they lie in the frame.

    Args:
        points_xy: px of the tile.
        size_hw: the tile's.
        frame: side of SAM's frame, px.
    """
    height, width = input_size(size_hw, frame)
    scaled = np.asarray(points_xy, np.float64) * [width / size_hw[1], height / size_hw[0]]
    return np.asarray(scaled, np.float64)


def resized(image: NDArray[np.uint8], frame: int) -> NDArray[np.uint8]:
    """An image (H, W, 3) uint8 with a long side of ``frame`` px, by Pillow, as SamPredictor's."""
    height, width = input_size((image.shape[0], image.shape[1]), frame)
    found = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(found, np.uint8)


def mask_to_prompt(mask: NDArray[np.bool_], frame: int, prompt_hw: tuple[int, int]) -> torch.Tensor:
    """SAMRS's mask prompt (1, h, w) of a tile's mask (H, W): +1000 inside, -1000 outside.

    Args:
        frame: side of SAM's frame, px.
        prompt_hw: size of SAM's mask prompt, usually (256, 256).
    """
    logits = torch.from_numpy(np.where(mask, np.float32(INSIDE), np.float32(OUTSIDE)))[None, None]
    height, width = input_size((mask.shape[0], mask.shape[1]), frame)
    logits = functional.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
    logits = functional.pad(logits, (0, frame - width, 0, frame - height), value=OUTSIDE)
    return functional.interpolate(logits, prompt_hw, mode="bilinear", align_corners=False)[0]


def soft_rectangle(
    corners: NDArray[np.float64],
    slope: float,
    cell_wh: tuple[float, float],
    prompt_hw: tuple[int, int],
) -> torch.Tensor:
    """A mask prompt (1, h, w) that is unsure at a rectangle's border.

    Args:
        corners: (4, 2) xy, in order around the rectangle.
        slope: the logit at the middle line; 0 at the border, ``-slope`` as far out as the middle
            is in and beyond.
        cell_wh: of the mask prompt's cells, in the corners' px.
        prompt_hw: size of SAM's mask prompt, usually (256, 256).
    """
    middle = corners.mean(axis=0)
    xs = (np.arange(prompt_hw[1]) + 0.5) * cell_wh[0] - middle[0]
    ys = (np.arange(prompt_hw[0]) + 0.5) * cell_wh[1] - middle[1]
    sides = np.array([corners[1] - corners[0], corners[2] - corners[1]])
    lengths = np.maximum(np.hypot(sides[:, 0], sides[:, 1]), 1e-6)
    ways = sides / lengths[:, None]
    # distances from the middle lines, as sums of a row and a column
    across = [(way[0] * xs).astype("f4") + (way[1] * ys).astype("f4")[:, None] for way in ways]
    away = np.maximum(
        *(np.abs(d) - np.float32(n / 2) for d, n in zip(across, lengths, strict=True))
    )
    logits = np.clip(-away / np.float32(lengths.min() / 2), -1, 1) * np.float32(slope)
    return torch.from_numpy(logits)[None]


def logits_to_crop(
    low_res: Logits, frame: int, size_hw: tuple[int, int], floor: float
) -> tuple[Logits, int, int]:
    """Bring low-resolution logits to a tile's pixels, but only where they can exceed ``floor``.

    Args:
        low_res: (h, w) logits of the whole frame; h and w divide ``frame``.
        frame: side in px of the square the model sees.
        size_hw: the tile's size in px.
        floor: everything beyond the returned crop is at most this; bilinear values never exceed
            their neighbours, so the crop is the same as that of ``Sam.postprocess_masks``.

    Returns:
        The crop (h', w') of logits in tile px, the column x0 and the row y0 of its first pixel;
        a crop of no pixels where nothing exceeds ``floor``. Its memory runs down the columns, as
        run-length encoding reads it.
    """
    cell = frame // len(low_res)
    inner_hw = input_size(size_hw, frame)
    # what lies beyond the tile is padding, but for the neighbour of its last cell
    low_res = low_res[: inner_hw[0] // cell + 2, : inner_hw[1] // cell + 2]
    return _cropped(low_res, cell, inner_hw, size_hw, floor)


def stretched_to_crop(
    low_res: Logits, size_hw: tuple[int, int], floor: float
) -> tuple[Logits, int, int]:
    """``logits_to_crop`` where the logits (h, w) are of the whole tile, whatever its proportions:
    as ``post_process_masks`` of transformers' SAM 2, in one resize.

    Args:
        low_res: these logits.
        size_hw: the tile's size in px.
        floor: as ``logits_to_crop`` takes it.
    """
    height, width = low_res.shape
    return _cropped(low_res, 1, (height, width), size_hw, floor)


def _cropped(
    low_res: Logits, cell: int, inner_hw: tuple[int, int], size_hw: tuple[int, int], floor: float
) -> tuple[Logits, int, int]:
    """What ``logits_to_crop`` returns.

    Args:
        cell: px of the frame in a cell.
        inner_hw: px of the frame that the tile covers.
    """
    above = np.asarray(low_res > floor)
    if not above.any():
        return np.zeros((0, 0), np.float32), 0, 0
    rows = _Span.around(np.asarray(above.any(axis=1)), cell, inner_hw[0], size_hw[0])
    columns = _Span.around(np.asarray(above.any(axis=0)), cell, inner_hw[1], size_hw[1])
    turned = np.ascontiguousarray(low_res[rows.cells, columns.cells].T)
    turned = _resized(turned, columns.seen, rows.seen)[columns.inner, rows.inner]
    return _resized(turned, columns.size, rows.size).T, columns.start, rows.start


@dataclass(frozen=True)
class _Span:
    """Along one axis, what of the logits is read and where it lies in the tile.

    Both ends are edges of pixels before and after each resize, where its taps are the same as
    those of a resize of the whole.

    Args:
        cells: of the logits.
        seen: px of the frame they cover.
        inner: what of these is resized to the tile's px.
        start: first of the tile's px.
        size: how many they are.
    """

    cells: slice
    seen: int
    inner: slice
    start: int
    size: int

    @classmethod
    def around(cls, above: NDArray[np.bool_], cell: int, inner: int, size: int) -> _Span:
        """The span of the true cells and their neighbours.

        Args:
            above: (cells,) from the tile's first on; one is true.
            cell: px of the frame in a cell.
            inner: px of the frame that the tile covers.
            size: the tile's px.
        """
        found = np.flatnonzero(above)
        low, high = (int(found[0]) - 1) * cell, (int(found[-1]) + 2) * cell
        # `step` px of the frame are `tile_step` px of the tile, and so are their edges
        parts = math.gcd(inner, size)
        step, tile_step = inner // parts, size // parts
        first = min(max(low // step, 0), parts - 1)
        last = min(-(-high // step), parts)
        # one more, for at the tile's end the frame goes on
        cells = slice(first * step // cell, min(-(-last * step // cell) + 1, len(above)))
        return cls(
            cells=cells,
            seen=(cells.stop - cells.start) * cell,
            inner=slice(first * step - cells.start * cell, last * step - cells.start * cell),
            start=first * tile_step,
            size=(last - first) * tile_step,
        )


def _resized(values: Logits, height: int, width: int) -> Logits:
    """Bilinear resize, pixels being squares, as ``interpolate(align_corners=False)``."""
    if values.shape == (height, width):
        return values
    # OpenCV's takes another path on each maker's CPUs
    given = torch.from_numpy(values)[None, None]
    found = functional.interpolate(given, (height, width), mode="bilinear", align_corners=False)
    return np.asarray(found[0, 0].numpy())
