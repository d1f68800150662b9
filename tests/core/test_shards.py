"""Products: shards, manifests, and the same bytes for the same rows."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from samrs.core import shards
from samrs.core.errors import MissingInputError, ProductError
from samrs.core.shards import (
    ShardWriter,
    fresh_product,
    has_table,
    iter_rows,
    json_bytes,
    json_text,
    read_manifest,
    read_table,
    sha256,
    shard_paths,
    verify_product,
    write_manifest,
    write_table,
)

SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ]
)


def rows(number: int) -> Iterator[dict[str, Any]]:
    for i in range(number):
        yield {"name": f"row{i}", "image": {"bytes": bytes([i % 256]) * 100, "path": f"{i}.png"}}


def write(product: Path, number: int = 5) -> None:
    write_table(fresh_product(product), "tiles", SCHEMA, rows(number))
    write_manifest(product, {"product": "test"})


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "p", 1200)
    assert [row["name"] for row in iter_rows(tmp_path / "p", "tiles")] == [
        f"row{i}" for i in range(1200)
    ]
    assert verify_product(tmp_path / "p") == 1200


def test_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == ["manifest.json", "tiles-00000.parquet"]
    assert all(sha256(tmp_path / "a" / f) == sha256(tmp_path / "b" / f) for f in files)


def test_large_tables_are_several_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1000)
    monkeypatch.setattr(shards, "BATCH_ROWS", 10)
    write(tmp_path / "p", 35)
    assert [p.name for p in shard_paths(tmp_path / "p", "tiles")] == [
        f"tiles-0000{i}.parquet" for i in range(4)
    ]
    assert read_table(tmp_path / "p", "tiles").num_rows == 35
    assert verify_product(tmp_path / "p") == 35


def test_empty_table_is_one_shard_with_its_schema(tmp_path: Path) -> None:
    write(tmp_path / "p", 0)
    assert read_table(tmp_path / "p", "tiles").schema.names == ["name", "image"]


def test_failed_writer_leaves_no_open_file(tmp_path: Path) -> None:
    def fail() -> None:
        with ShardWriter(tmp_path, "tiles", SCHEMA) as writer:
            writer.write(next(rows(1)))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert not has_table(tmp_path, "tiles")


def test_missing_table_says_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "p")
    with pytest.raises(MissingInputError, match=r"no masks shards, got manifest.json, tiles-00000"):
        shard_paths(tmp_path / "p", "masks")
    with pytest.raises(MissingInputError, match="got no such folder"):
        read_manifest(tmp_path / "q")


def test_changed_bytes_are_noticed(tmp_path: Path) -> None:
    write(tmp_path / "p")
    write_table(tmp_path / "p", "tiles", SCHEMA, rows(6))
    with pytest.raises(ProductError, match="content differs from the manifest"):
        verify_product(tmp_path / "p")


def test_added_and_removed_shards_are_noticed(tmp_path: Path) -> None:
    write(tmp_path / "p")
    path = tmp_path / "p" / "tiles-00000.parquet"
    path.rename(tmp_path / "p" / "tiles-00001.parquet")
    with pytest.raises(ProductError, match=r"shards differ .+ \['tiles-00000.parquet'"):
        verify_product(tmp_path / "p")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_never_written_as_json(value: float) -> None:
    for write_json in (json_text, json_bytes):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json({"a": [value]})


ROOT = Path(__file__).parents[2]
PLACES = sorted(p for folder in ("samrs", "stages", "tools") for p in (ROOT / folder).rglob("*.py"))


def test_json_is_written_in_one_place() -> None:
    """Python's own writer takes NaN, which is no JSON, unless it is told not to.

    The anchor writes no file: it hashes names of files as DVC does.
    """
    writers = ("json.dump", "json.dumps", "json.JSONEncoder")
    found = set()
    for path in PLACES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_writer = isinstance(node, ast.Attribute) and ast.unparse(node) in writers
            if is_writer or (isinstance(node, ast.ImportFrom) and node.module == "json"):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == {"samrs/core/shards.py", "samrs/verify/anchor.py"}
