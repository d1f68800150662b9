"""Crops are where and what they ought to be, the same as of whole decoded tiles."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.crops import whole
from samrs.core.records import IGNORE
from samrs.training.augmentation import augment
from samrs.training.blocks import packed


def checkerboard(side: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose red channel tells its label: 40 x label."""
    labels = (np.indices((side, side)).sum(axis=0) // 8 % 4).astype(np.uint8)
    return np.repeat((labels * 40)[..., None], 3, axis=2), labels


def test_labels_stay_on_their_pixels_through_scale_crop_flip_and_turn() -> None:
    image, labels = checkerboard(96)
    # Edges of squares are blurred by resampling; colour is shifted by less than half a step.
    for seed in range(10):
        seen, known = augment(packed(image, labels), 64, (IGNORE,), np.random.default_rng(seed))
        assert seen.shape == (3, 64, 64)
        means = [seen[:, known == label].mean() for label in range(4)]
        assert means == sorted(means)


def test_outside_a_small_tile_is_unlabelled() -> None:
    image, labels = checkerboard(16)
    _, known = augment(packed(image, labels), 64, (IGNORE,), np.random.default_rng(0))
    assert known.shape == (64, 64)
    assert (known == IGNORE).mean() > 0.5
    assert (known != IGNORE).any()


def test_crops_find_small_categories() -> None:
    labels = np.full((400, 400), IGNORE, np.uint8)
    labels[200:, :] = 0
    labels[7:15, 391:399] = 3
    image = np.zeros((400, 400, 3), np.uint8)
    rng, tile = np.random.default_rng(0), packed(image, labels)
    found = [(augment(tile, 64, (IGNORE,), rng)[1] == 3).any() for _ in range(60)]
    # A third of the crops on this category, next to none by chance.
    assert 0.2 < np.mean(found) < 0.5


def test_a_crop_holds_a_labelled_pixel_wherever_the_tile_has_one() -> None:
    image, labels = np.zeros((300, 300, 3), np.uint8), np.full((300, 300), IGNORE, np.uint8)
    labels[7, 290] = 3
    for seed in range(200):
        _, known = augment(packed(image, labels), 64, (IGNORE,), np.random.default_rng(seed))
        assert 3 in known


@pytest.mark.parametrize("size_hw", [(300, 420), (40, 500), (30, 20)])
@pytest.mark.parametrize("known", ["all", "few", "none"])
def test_crops_are_the_bytes_of_crops_of_whole_tiles(size_hw: tuple[int, int], known: str) -> None:
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    labels = np.full(size_hw, IGNORE, np.uint8)
    labels[: 3 if known == "few" else None, :9] = {"all": 2, "few": 2, "none": IGNORE}[known]
    if known == "all":
        labels[:, 9:] = rng.integers(0, 3, (size_hw[0], size_hw[1] - 9), dtype=np.uint8)
    tile = packed(image, labels)
    for seed in range(12):
        one, other = np.random.default_rng(seed), np.random.default_rng(seed)
        seen, found = augment(tile, 64, (IGNORE, 0), one)
        wanted, truth = whole(image, labels, 64, (IGNORE, 0), other)
        assert np.array_equal(seen, wanted.transpose(2, 0, 1))
        assert np.array_equal(found, truth)
        assert one.bit_generator.state == other.bit_generator.state
