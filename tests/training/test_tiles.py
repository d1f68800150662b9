from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import samrs.training.tiles
from samrs.core.errors import ProductError
from samrs.core.records import IGNORE
from samrs.core.shards import write_manifest
from samrs.training.sampling import Draws, split_batch
from samrs.training.tiles import Crops, SemanticTiles, augment, background_ids
from tests.training import discs


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return discs.write(tmp_path / "sota", ["red", "green"], ["train", "train", "val"])


def checkerboard(side: int) -> tuple[np.ndarray, np.ndarray]:
    """An image whose red channel tells its label: 40 x label."""
    labels = (np.indices((side, side)).sum(axis=0) // 8 % 4).astype(np.uint8)
    return np.repeat((labels * 40)[..., None], 3, axis=2), labels


def test_tiles_come_with_their_label_map_and_split(product: Path, tmp_path: Path) -> None:
    tiles = SemanticTiles(product, tmp_path / "cache")
    assert len(tiles) == 3
    assert tiles.splits == ["train", "train", "val"]
    image, labels = tiles.read(1)
    assert image.shape == (64, 64, 3)
    assert set(np.unique(labels)) <= {0, 1, IGNORE}
    assert (image[labels == 1] == discs.COLOURS["green"]).all()


def test_decoded_tiles_are_held_up_to_a_limit(
    product: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samrs.training.tiles, "CACHE_BYTES", 2 * 64 * 64 * 4)
    tiles = SemanticTiles(product, tmp_path / "cache")
    for index in (0, 1, 2):
        tiles.read(index)
    assert list(tiles._decoded) == [1, 2]
    assert tiles._held == 2 * 64 * 64 * 4


def test_a_label_without_a_category_is_refused(product: Path, tmp_path: Path) -> None:
    write_manifest(product, {"dataset": "sota", "categories": ["red"]})
    tiles = SemanticTiles(product, tmp_path / "cache")
    with pytest.raises(ProductError, match="label without a category, got 1; 0 to 0 and 255"):
        tiles.read(0)


def test_a_tile_without_label_map_is_refused(product: Path, tmp_path: Path) -> None:
    other = discs.write(tmp_path / "other", ["red", "green"], ["train"])
    (other / "semantic-00000.parquet").replace(product / "semantic-00000.parquet")
    with pytest.raises(ProductError, match="2 of them not one of each"):
        SemanticTiles(product, tmp_path / "cache")


@pytest.mark.parametrize("name", ["tiles.bin", "index.json"])
def test_a_damaged_cache_is_made_again(product: Path, tmp_path: Path, name: str) -> None:
    right = [SemanticTiles(product, tmp_path / "cache").read(index) for index in range(3)]
    path, rng = tmp_path / "cache" / name, random.Random(1)
    whole = path.read_bytes()
    for bit in rng.sample(range(8 * len(whole)), 100):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        tiles = SemanticTiles(product, tmp_path / "cache")
        assert path.read_bytes() == whole
        for index, (image, labels) in enumerate(right):
            assert np.array_equal(tiles.read(index)[0], image)
            assert np.array_equal(tiles.read(index)[1], labels)
    path.unlink()
    assert len(SemanticTiles(product, tmp_path / "cache")) == 3
    assert path.read_bytes() == whole


def test_labels_stay_on_their_pixels_through_scale_crop_flip_and_turn() -> None:
    image, labels = checkerboard(96)
    # Edges of squares are blurred by resampling; colour is shifted by less than half a step.
    for seed in range(10):
        seen, known = augment(image, labels, 64, (IGNORE,), np.random.default_rng(seed))
        assert seen.shape == (64, 64, 3)
        means = [seen[known == label].mean() for label in range(4)]
        assert means == sorted(means)


def test_outside_a_small_tile_is_unlabelled() -> None:
    image, labels = checkerboard(16)
    _, known = augment(image, labels, 64, (IGNORE,), np.random.default_rng(0))
    assert known.shape == (64, 64)
    assert (known == IGNORE).mean() > 0.5
    assert (known != IGNORE).any()


def test_crops_find_small_categories() -> None:
    labels = np.full((400, 400), IGNORE, np.uint8)
    labels[200:, :] = 0
    labels[7:15, 391:399] = 3
    image = np.zeros((400, 400, 3), np.uint8)
    rng = np.random.default_rng(0)
    found = [(augment(image, labels, 64, (IGNORE,), rng)[1] == 3).any() for _ in range(60)]
    # A third of the crops on this category, next to none by chance.
    assert 0.2 < np.mean(found) < 0.5


def test_background_is_no_foreground() -> None:
    assert background_ids(["background", "ship"]) == (IGNORE, 0)
    assert background_ids(["building", "tree"]) == (IGNORE,)


def test_worker_processes_change_no_pixel(product: Path, tmp_path: Path) -> None:
    tiles = {"sota": SemanticTiles(product, tmp_path / "cache")}
    parts = split_batch({"sota": 3}, 2)
    batches = []
    for workers in (0, 2):
        draws = Draws({"sota": 3}, parts, seed=0)
        crops = Crops(tiles, {"sota": [0, 1, 2]}, draws, crop=32, seed=0)
        loader = DataLoader(crops, sampler=range(4), batch_size=None, num_workers=workers)
        batches.append(list(loader))
    for a, b in zip(*batches, strict=True):
        assert a["images"].shape == (2, 3, 32, 32)
        assert torch.equal(a["images"], b["images"])
        assert torch.equal(a["labels"], b["labels"])


def test_a_crop_holds_a_labelled_pixel_wherever_the_tile_has_one() -> None:
    image, labels = np.zeros((300, 300, 3), np.uint8), np.full((300, 300), IGNORE, np.uint8)
    labels[7, 290] = 3
    for seed in range(200):
        _, known = augment(image, labels, 64, (IGNORE,), np.random.default_rng(seed))
        assert 3 in known


def test_a_tile_tells_its_labels_without_being_read(product: Path, tmp_path: Path) -> None:
    tiles = SemanticTiles(product, tmp_path / "cache")
    again = SemanticTiles(product, tmp_path / "cache")
    for index in range(len(tiles)):
        found = sorted(set(np.unique(tiles.read(index)[1]).tolist()) - {IGNORE})
        assert list(tiles.labels_of(index)) == list(again.labels_of(index)) == found
