"""Products on disk: folders of Parquet shards with a manifest.

A product is a folder ``<product>/<table>-00000.parquet ...`` plus ``manifest.json`` with each
shard's rows and sha256. The same rows give the same bytes: rows come sorted from the caller,
writer options are pinned, nothing of the clock or the host goes in.
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.errors import MissingInputError, ProductError, naming

SHARD_BYTES = 128 * 2**20
"""Uncompressed Arrow bytes after which a new shard begins: 32-256 MB a shard at scale."""

BATCH_ROWS = 512
BATCH_BYTES = 32 * 2**20
"""Rows, or bytes of their images, held in memory before they go to the file as one row group."""


class ShardWriter:
    """Writes rows of one table of a product, a shard at a time, in bounded memory.

    Use as a context manager; an empty table still gets one (empty) shard, so that readers find
    its schema.

    Args:
        shard_bytes: a new shard begins after so many Arrow bytes; None: ``SHARD_BYTES``.

    Attributes:
        finished: the shards that are whole, in order.
    """

    def __init__(
        self, product: Path, table: str, schema: pa.Schema, shard_bytes: int | None = None
    ) -> None:
        self.product, self.table, self.schema = product, table, schema
        self._most = SHARD_BYTES if shard_bytes is None else shard_bytes
        structs = [field for field in schema if pa.types.is_struct(field.type)]
        self._images = [f.name for f in structs if f.type.get_field_index("bytes") >= 0]
        self._rows: list[Mapping[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self._bytes, self._pending = 0, 0
        self.finished: list[Path] = []
        product.mkdir(parents=True, exist_ok=True)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add one row; its keys are the schema's names."""
        self._rows.append(row)
        self._pending += sum(len(row[name]["bytes"]) for name in self._images if row[name])
        if len(self._rows) >= BATCH_ROWS or self._pending >= BATCH_BYTES:
            self._flush()

    def write_table(self, rows: pa.Table) -> None:
        """Add many rows without images at once: the same bytes as one by one, sooner."""
        if self._rows:
            rows = pa.concat_tables([pa.Table.from_pylist(self._rows, schema=self.schema), rows])
            self._rows = []
        whole = len(rows) - len(rows) % BATCH_ROWS
        for begin in range(0, whole, BATCH_ROWS):
            self._flush_table(rows.slice(begin, BATCH_ROWS))
        self._rows = rows.slice(whole).to_pylist()

    def _flush(self) -> None:
        batch = pa.Table.from_pylist(self._rows, schema=self.schema)
        self._rows, self._pending = [], 0
        self._flush_table(batch)

    def _flush_table(self, batch: pa.Table) -> None:
        """Write rows as a row group."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, self.schema, compression="zstd", version="2.6", store_schema=True
            )
        with naming(self._path):
            self._writer.write_table(batch)
        self._bytes += batch.nbytes
        if self._bytes >= self._most:
            self._finish_shard()

    def end_shard(self) -> None:
        """Let the next row begin a new shard; without rows in this one nothing happens."""
        if self._rows:
            self._flush()
        self._finish_shard()

    def _finish_shard(self) -> None:
        if self._writer is not None:
            with naming(self._path):
                self._writer.close()
            self._writer, self._bytes = None, 0
            self.finished.append(self._path)

    @property
    def _path(self) -> Path:
        return self.next_paths(1)[0]

    def next_paths(self, number: int) -> list[Path]:
        """Where the shards behind those that are finished stand.

        Args:
            number: of shards.
        """
        first = len(self.finished)
        names = (f"{self.table}-{first + i:05d}.parquet" for i in range(number))
        return [self.product / name for name in names]

    def adopt(self, shards: Sequence[Path]) -> None:
        """Count shards that somebody else put where ``next_paths`` says; no row is pending.

        Args:
            shards: these paths.
        """
        assert self._writer is None
        assert not self._rows
        assert list(shards) == self.next_paths(len(shards))
        self.finished += shards

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and (self._rows or (not self.finished and self._writer is None)):
            self._flush()
        self._finish_shard()


def fresh_product(product: Path) -> Path:
    """An empty folder for a product; what stood there before is removed."""
    if product.exists():
        shutil.rmtree(product)
    product.mkdir(parents=True)
    return product


def shard_paths(product: Path, table: str) -> list[Path]:
    """The shards of one table, in order.

    Raises:
        MissingInputError: the product has no such table.
    """
    paths = sorted(product.glob(f"{table}-[0-9]*.parquet"))
    if not paths:
        raise MissingInputError(
            f"{product}: no {table} shards, got {_listing(product)}; a product folder with "
            f"{table}-00000.parquet is needed; run the stage that writes it (dvc repro)"
        )
    return paths


def has_table(product: Path, table: str) -> bool:
    """Whether the product holds that table."""
    return any(product.glob(f"{table}-[0-9]*.parquet"))


def _listing(product: Path) -> str:
    if not product.is_dir():
        return "no such folder"
    return ", ".join(sorted(p.name for p in product.iterdir())[:5]) or "an empty folder"


def read_table(product: Path, table: str, columns: list[str] | None = None) -> pa.Table:
    """A whole table (without images this is small; iterate where images are concerned)."""
    return pa.concat_tables(
        pq.read_table(path, columns=columns) for path in shard_paths(product, table)
    )


def iter_rows(
    product: Path, table: str, columns: list[str] | None = None, batch_rows: int = 64
) -> Iterator[dict[str, Any]]:
    """Rows as dicts in stored order, a few at a time in memory.

    Args:
        batch_rows: rows held in memory.
    """
    for path in shard_paths(product, table):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_rows, columns=columns):
                yield from batch.to_pylist()


def iter_tables(
    product: Path, table: str, columns: list[str] | None = None, batch_rows: int = 16384
) -> Iterator[pa.Table]:
    """A table in pieces of ``batch_rows`` rows, the last one smaller, whatever its shards hold."""
    held: list[pa.RecordBatch] = []
    count = 0
    for path in shard_paths(product, table):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_rows, columns=columns):
                held.append(batch)
                count += len(batch)
                if count >= batch_rows:
                    rows = pa.Table.from_batches(held)
                    yield rows.slice(0, batch_rows).combine_chunks()
                    held, count = rows.slice(batch_rows).to_batches(), count - batch_rows
    if held:
        yield pa.Table.from_batches(held).combine_chunks()


def by_tile(
    product: Path,
    tiles: Iterable[dict[str, Any]],
    rows: Iterable[dict[str, Any]],
    key: str = "tile_id",
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Every tile with its rows of another table, tiles without rows included.

    Args:
        key: the column that says which tile a row is of; ``scene_id`` where scenes stand for tiles.

    Raises:
        ProductError: the rows do not stand in the order of the tiles.
    """
    groups = groupby(rows, key=itemgetter(key))
    tile_id, group = next(groups, (None, iter(())))
    for tile in tiles:
        if tile[key] != tile_id:
            yield tile, []
            continue
        yield tile, list(group)
        tile_id, group = next(groups, (None, iter(())))
    if tile_id is not None:
        raise ProductError(
            f"{product}: instances do not follow the {key[:-3]}s, got those of {tile_id!r} out of "
            f"turn; the order of the table {key[:-3]}s is allowed; run the stage normalize again"
        )


def write_table(product: Path, table: str, schema: pa.Schema, rows: Iterable[Any]) -> int:
    """Write all rows of a table; returns their number.

    Args:
        schema: columns and types, one of ``samrs/core/records.py``.
    """
    count = 0
    with ShardWriter(product, table, schema) as writer:
        for row in rows:
            writer.write(row)
            count += 1
    return count


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write ``json_bytes``, so that equal values are equal files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path):
        path.write_bytes(json_bytes(value))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table as CSV.

    Args:
        header: names of the columns.
        rows: cells, as many a row as there are columns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with naming(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def json_bytes(value: Any) -> bytes:
    """JSON with sorted keys and a final newline; see ``json_text``."""
    return f"{json_text(value, indent=2, sort_keys=True)}\n".encode()


def json_text(
    value: Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    spaces: bool = True,
    ascii: bool = False,
) -> str:
    """A value as JSON: the one place that writes it.

    NaN and infinity are no JSON: readers of other languages refuse a whole file for one of them.

    Args:
        indent: blanks a level; None: one line.
        sort_keys: whether equal values are equal texts.
        spaces: whether blanks follow the commas and colons of a line.
        ascii: whether letters of other scripts are written as escapes.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(
        value,
        indent=indent,
        sort_keys=sort_keys,
        ensure_ascii=ascii,
        allow_nan=False,
        separators=None if spaces else (",", ":"),
    )


def write_manifest(
    product: Path, about: Mapping[str, Any], digests: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write ``manifest.json``: what the caller says of the product plus its shards.

    Args:
        about: parameters, model hash, terms, categories and the like; JSON values.
        digests: sha256 of those shards, by name, that were read for it already; None: of none.
    """
    known = digests or {}
    shards = [
        {
            "file": p.name,
            "rows": pq.read_metadata(p).num_rows,
            "sha256": known.get(p.name) or sha256(p),
        }
        for p in sorted(product.glob("*.parquet"))
    ]
    manifest = {**about, "shards": shards}
    write_json(product / "manifest.json", manifest)
    return manifest


def read_manifest(product: Path) -> dict[str, Any]:
    """The product's manifest.

    Raises:
        MissingInputError: there is none.
        ProductError: it is no JSON object.
    """
    path = product / "manifest.json"
    if not path.is_file():
        raise MissingInputError(
            f"{path}: no manifest, got {_listing(product)}; a finished product has one; "
            "run the stage that writes it (dvc repro)"
        )
    return manifest_of(path.read_bytes(), str(path))


def manifest_of(data: bytes, where: str) -> dict[str, Any]:
    """A manifest out of a file's bytes.

    Raises:
        ProductError: it is no JSON object.
    """
    try:
        manifest = json.loads(data)
        problem = "" if isinstance(manifest, dict) else f"a {type(manifest).__name__}"
    except (ValueError, RecursionError) as error:
        problem = f"{type(error).__name__}: {str(error)[:200]}"
    if problem:
        raise ProductError(
            f"{where}: no manifest, got {problem}; a JSON object is allowed; fetch or make the "
            "product again"
        )
    return dict(manifest)


def verify_product(product: Path) -> int:
    """Check every shard against the manifest; returns the number of rows.

    Raises:
        ProductError: a shard is missing, added, or has other bytes or rows.
    """
    shards = read_manifest(product)["shards"]
    listed, found = {s["file"] for s in shards}, {p.name for p in product.glob("*.parquet")}
    if listed != found:
        raise ProductError(
            f"{product}: shards differ from the manifest, got {sorted(found ^ listed)} on one "
            "side only; the listed shards are allowed; fetch or make the product again"
        )
    for shard in shards:
        path = product / shard["file"]
        if sha256(path) != shard["sha256"] or pq.read_metadata(path).num_rows != shard["rows"]:
            raise ProductError(
                f"{path}: content differs from the manifest, got sha256 {sha256(path)}; "
                f"{shard['sha256']} is allowed; fetch or make the product again"
            )
    return sum(int(s["rows"]) for s in shards)
