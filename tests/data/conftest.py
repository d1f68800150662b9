"""A small release of several row groups and shards."""

from __future__ import annotations

from pathlib import Path

import pytest

from samrs.core import shards
from samrs.core.records import INSTANCES, TILES
from samrs.core.shards import iter_rows, write_manifest, write_table
from tests.products_by_hand import Thing, write
from tests.released import write_release

NUM_TILES = 23


def tile_name(number: int) -> str:
    return f"t{number:02d}__0_0"


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """23 tiles in small row groups and shards: tile i has i % 4 instances, every third is val."""
    root = tmp_path_factory.mktemp("products")
    names = [tile_name(i) for i in range(NUM_TILES)]
    things = [
        Thing(name, "ship", (k, k, k + 5 + i, k + 6), f"t{i:02d}#{k}")
        for i, name in enumerate(names)
        for k in range(i % 4)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "BATCH_ROWS", 4)
        patch.setattr(shards, "SHARD_BYTES", 80_000)
        normalized, labelled = write(root, names, things)
        rows = list(iter_rows(normalized, "tiles"))
        for i, row in enumerate(rows):
            row["split"] = "val" if i % 3 == 0 else "train"
        about = shards.read_manifest(normalized)
        write_table(normalized, "tiles", TILES, rows)
        write_table(normalized, "instances", INSTANCES, list(iter_rows(normalized, "instances")))
        write_manifest(normalized, about)
        return write_release(normalized, labelled, root / "data" / "release" / "sota")
