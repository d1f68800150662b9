from __future__ import annotations

import fcntl
import logging
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import ProductError
from samrs.core.records import IGNORE
from samrs.core.shards import read_manifest, write_manifest
from samrs.training.tiles import SemanticTiles, prune_tiles
from tests.training import discs


@pytest.fixture
def product(tmp_path: Path) -> Path:
    return discs.write(tmp_path / "sota", ["red", "green"], ["train", "train", "val"])


def test_tiles_come_with_their_label_map_and_split(product: Path, tmp_path: Path) -> None:
    tiles = SemanticTiles(product, tmp_path / "cache")
    assert len(tiles) == 3
    assert tiles.splits == ["train", "train", "val"]
    image, labels = tiles.read(1)
    assert image.shape == (64, 64, 3)
    assert set(np.unique(labels)) <= {0, 1, IGNORE}
    assert (image[labels == 1] == discs.COLOURS["green"]).all()


def test_a_label_without_a_category_is_refused(product: Path, tmp_path: Path) -> None:
    write_manifest(product, {"dataset": "sota", "categories": ["red"]})
    with pytest.raises(ProductError, match="label without a category, got 1; 0 to 0 and 255"):
        SemanticTiles(product, tmp_path / "cache")


def test_a_tile_without_label_map_is_refused(product: Path, tmp_path: Path) -> None:
    other = discs.write(tmp_path / "other", ["red", "green"], ["train"])
    (other / "semantic-00000.parquet").replace(product / "semantic-00000.parquet")
    with pytest.raises(ProductError, match="got 3 tiles and 1 label maps"):
        SemanticTiles(product, tmp_path / "cache")


@pytest.mark.parametrize("name", ["tiles.bin", "index.json"])
def test_a_damaged_cache_is_made_again(product: Path, tmp_path: Path, name: str) -> None:
    right = [SemanticTiles(product, tmp_path / "cache").read(index) for index in range(3)]
    ((path,), rng) = (tmp_path / "cache").glob(f"*/{name}"), random.Random(1)
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


def test_a_tile_tells_its_labels_without_being_read(product: Path, tmp_path: Path) -> None:
    tiles = SemanticTiles(product, tmp_path / "cache")
    again = SemanticTiles(product, tmp_path / "cache")
    for index in range(len(tiles)):
        found = sorted(set(np.unique(tiles.read(index)[1]).tolist()) - {IGNORE})
        assert list(tiles.labels_of(index)) == list(again.labels_of(index)) == found


def test_all_trainings_share_the_packed_tiles_of_a_product(product: Path, tmp_path: Path) -> None:
    SemanticTiles(product, tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    before = (folder / "tiles.bin").stat()
    shutil.copytree(product, tmp_path / "copy")
    again = SemanticTiles(tmp_path / "copy", tmp_path / "cache")
    after = (folder / "tiles.bin").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(again) == 3
    other = discs.write(tmp_path / "other", ["red", "green"], ["train", "val"])
    assert len(SemanticTiles(other, tmp_path / "cache")) == 2
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_packed_tiles_of_products_that_changed_are_removed_unless_they_are_read(
    tmp_path: Path,
) -> None:
    store = tmp_path / "cache"
    products = [discs.write(tmp_path / n, ["red", "green"], ["train", "val"]) for n in "abc"]
    for number, path in enumerate(products):
        sign(path, number)
    read, kept, gone = (SemanticTiles(path, store) for path in products)
    folders = [tiles._file.parent for tiles in (read, kept, gone)]
    del gone, kept
    sign(products[0], 7)
    shutil.rmtree(products[2])
    (store / "of a user").mkdir()
    prune_tiles(store)
    assert [folder.is_dir() for folder in folders] == [True, True, False]
    assert read.read(0)[0].shape[2] == 3
    del read
    prune_tiles(store)
    assert [folder.is_dir() for folder in folders] == [False, True, False]
    assert (store / "of a user").is_dir()


def sign(product: Path, number: int) -> None:
    """Make a product another one."""
    write_manifest(product, {**read_manifest(product), "number": number})


def test_packing_waits_for_another_process(
    product: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SemanticTiles(product, tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    told = threading.Event()
    log = logging.getLogger("samrs")
    hear = logging.Handler()
    hear.emit = lambda record: told.set()  # type: ignore[method-assign]
    log.addHandler(hear)
    with caplog.at_level(logging.INFO, "samrs"), ThreadPoolExecutor(1) as pool:
        with (folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            waiting = pool.submit(SemanticTiles, product, tmp_path / "cache")
            assert told.wait(60)
            assert not waiting.done()
        assert len(waiting.result(60)) == 3
    log.removeHandler(hear)
    assert "another process packs or checks these tiles; waiting" in caplog.text
