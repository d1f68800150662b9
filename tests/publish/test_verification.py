"""Products of a pulled clone, sound or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from samrs.core.errors import ProductError
from samrs.core.shards import read_manifest, write_json
from samrs.publish.repository import PublishError
from samrs.publish.verification import verify_products
from tests.products_by_hand import Thing, write

PRODUCTS = {"data/pretrain", "data/release/sior", "data/release/sota"}


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original / "data", tmp_path / "data")
    return tmp_path


def test_all_products_are_sound_and_raw_files_are_left_out(root: Path) -> None:
    things = [Thing("a__0_0", "ship", (5, 5, 10, 10))]
    write(root / "data", ["a__0_0", "b__0_0"], things)
    write_json(root / "data" / "download" / "dota" / "manifest.json", {"edition": "v2.0"})
    rows = verify_products(root)
    assert set(rows) == PRODUCTS | {"data/normalize/dota", "data/sam_label/dota"}
    assert rows["data/normalize/dota"] == 3  # 2 tiles, 1 instance
    assert rows["data/sam_label/dota"] == 1


def test_a_shard_of_other_bytes_is_named(root: Path) -> None:
    shard = root / "data" / "release" / "sior" / "instances-00000.parquet"
    shard.write_bytes(shard.read_bytes()[:-9] + b"x" + shard.read_bytes()[-8:])
    with pytest.raises(ProductError, match=r"release/sior: .*instances-00000\.parquet"):
        verify_products(root)


def test_a_file_of_a_model_is_checked_too(root: Path) -> None:
    (root / "data" / "pretrain" / "weights.safetensors").write_bytes(b"other")
    with pytest.raises(ProductError, match=r"weights\.safetensors: content differs"):
        verify_products(root)


def test_a_count_that_is_not_the_tables_is_found(root: Path) -> None:
    product = root / "data" / "release" / "sota"
    manifest = read_manifest(product)
    manifest["counts"]["kept"] += 1
    write_json(product / "manifest.json", manifest)
    with pytest.raises(ProductError, match="kept"):
        verify_products(root)


def test_nothing_is_no_release(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(PublishError, match="nothing to verify"):
        verify_products(tmp_path)
