"""Logits brought to a tile's pixels only where a mask can be, as the official resizes bring all."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from segment_anything.utils.transforms import ResizeLongestSide
from torch.nn import functional

from samrs.sam import frame

SIDE, FLOOR = 1024, -1.0
SIZES = [
    (1024, 1024), (512, 512), (800, 800), (797, 641), (2048, 2048), (100, 333), (1, 50), (3000, 17),
]  # fmt: skip


def official(low: NDArray[np.float32], size_hw: tuple[int, int]) -> NDArray[np.float32]:
    """``Sam.postprocess_masks`` of (h, w) logits."""
    height, width = frame.input_size(size_hw, SIDE)
    logits = torch.from_numpy(low)[None, None]
    logits = functional.interpolate(logits, (SIDE, SIDE), mode="bilinear", align_corners=False)
    logits = logits[..., :height, :width]
    logits = functional.interpolate(logits, size_hw, mode="bilinear", align_corners=False)
    return np.asarray(logits[0, 0].numpy())


def blobs(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Logits of a few small masks on a background below the floor."""
    low = rng.normal(-5, 0.1, (256, 256)).astype(np.float32)
    for _ in range(count):
        y, x = rng.integers(0, 256, 2)
        height, width = rng.integers(1, 40, 2)
        low[y : y + height, x : x + width] += np.float32(rng.uniform(3, 12))
    return low


def noise(rng: np.random.Generator) -> NDArray[np.float32]:
    """Logits of a mask that is everywhere."""
    return cv2.GaussianBlur(rng.normal(0, 8, (256, 256)).astype(np.float32), (0, 0), 2)


@pytest.mark.parametrize("size_hw", SIZES, ids=str)
def test_the_crop_is_the_official_mask_and_beyond_it_there_is_none(
    size_hw: tuple[int, int],
) -> None:
    rng = np.random.default_rng(5)
    for low in [blobs(rng, 1), blobs(rng, 1), blobs(rng, 3), noise(rng)]:
        theirs = official(low, size_hw)
        crop, x0, y0 = frame.logits_to_crop(low, SIDE, size_hw, FLOOR)
        ours = np.full(size_hw, -9, np.float32)
        ours[y0 : y0 + crop.shape[0], x0 : x0 + crop.shape[1]] = crop
        where = (theirs > FLOOR) | (ours > FLOOR)
        assert np.abs(ours - theirs)[where].max(initial=0) < 1e-3
        assert ((ours > 0) != (theirs > 0)).sum() <= 1e-5 * (theirs > 0).sum()


def test_a_small_mask_costs_a_small_crop() -> None:
    low = np.full((256, 256), -5, np.float32)
    low[100:110, 40:60] = 5
    crop, x0, y0 = frame.logits_to_crop(low, SIDE, (1024, 1024), FLOOR)
    assert crop.shape == (4 * (10 + 2), 4 * (20 + 2))
    assert (x0, y0) == (4 * 39, 4 * 99)


def test_logits_in_the_padding_are_no_mask() -> None:
    low = np.full((256, 256), -5, np.float32)
    low[200:] = 5
    crop, _, _ = frame.logits_to_crop(low, SIDE, (400, 1024), FLOOR)
    assert crop.size == 0


@pytest.mark.parametrize("size_hw", SIZES, ids=str)
def test_images_and_points_come_to_the_frame_as_segment_anything_brings_them(
    size_hw: tuple[int, int],
) -> None:
    rng, theirs = np.random.default_rng(3), ResizeLongestSide(SIDE)
    assert frame.input_size(size_hw, SIDE) == theirs.get_preprocess_shape(*size_hw, SIDE)
    points = rng.uniform(0, 3000, (4, 5, 2))
    ours = frame.points_in_frame(points, size_hw, SIDE)
    assert (ours == theirs.apply_coords(points, size_hw)).all()
    image = rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    assert (frame.resized(image, SIDE) == theirs.apply_image(image)).all()
