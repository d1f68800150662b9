"""What is read of a release is refused, in one sentence, where ``samrs verify`` would find fault.

Rows are checked as they are read, by the checks of ``shard_checks.py``: a reader need not wait for
a whole verification, nor trust that there was one. Bytes are not hashed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.errors import ProductError
from samrs.core.shards import read_manifest, shard_paths
from samrs.verify.manifest import manifest_problem
from samrs.verify.parts import NEEDED, PRODUCTS, Checked, Part, Rows, Said, forget_tiles
from samrs.verify.shard_checks import CHECKS

READ_AS = {
    "tiles": "tiles",
    "instances": "masks",
    "semantic": "semantic",
    "scenes": "scenes",
    "joined": "joined",
}
"""Which checks go for a table of a release; that of sources is left to ``samrs verify``."""

SCHEMAS = PRODUCTS["release"]
IDS = ("tile_id", "scene_id", "instance_id")


def refuse(where: object, found: str) -> NoReturn:
    """Raise the one sentence.

    Args:
        where: the product, or a file of it.
        found: what is wrong with it.

    Raises:
        ProductError: always.
    """
    raise _unsound(where, found)


def _unsound(where: object, found: str) -> ProductError:
    return ProductError(
        f"{where}: cannot be trusted, got {found}; a release that samrs verify finds sound is "
        "allowed; run samrs verify on it, then fetch or make it again"
    )


@contextmanager
def readable(where: object) -> Iterator[None]:
    """Refuse what Arrow cannot read.

    Args:
        where: the file that is read in the body.

    Raises:
        ProductError: instead of what Arrow raises.
    """
    try:
        yield
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's; Arrow's own, of a broken footer, have no number
        raise _unsound(where, f"content that is no Parquet: {str(error)[:300]}") from error


def refuse_manifest(where: object, manifest: Any) -> None:
    """Refuse what is no manifest of a release.

    Args:
        where: what to name in the error.
        manifest: the value of ``manifest.json``.

    Raises:
        ProductError: it is none.
    """
    if problem := manifest_problem(manifest):
        refuse(where, problem)
    if manifest["product"] != "release":
        refuse(where, f"product {manifest['product']!r} where a release belongs")


def refuse_schema(where: object, table: str, schema: pa.Schema) -> None:
    """Refuse a shard whose columns are not those of its table.

    Args:
        where: what to name in the error.
        table: tiles, instances or semantic.
        schema: the shard's.

    Raises:
        ProductError: they are not.
    """
    wanted = SCHEMAS[table]
    if not schema.equals(wanted):
        odd = next((f for f in wanted if f not in list(schema)), None)
        refuse(where, f"columns {', '.join(schema.names)}" if odd is None else f"no column {odd}")


def listed_release(product: Path) -> dict[str, Any]:
    """The manifest of a release whose shards are those that it lists, row for row.

    Raises:
        MissingInputError: there is no manifest, or no shard of a table.
        ProductError: it is no release's, or the shards are others.
    """
    forget_tiles()
    manifest = read_manifest(product)
    refuse_manifest(product / "manifest.json", manifest)
    listed = {shard["file"]: shard["rows"] for shard in manifest["shards"]}
    there = {path.name for table in NEEDED["release"] for path in shard_paths(product, table)}
    there |= {path.name for path in product.glob("*.parquet")}
    for file in sorted(there ^ set(listed)):
        refuse(product, f"{file}, which is {'not listed' if file in there else 'not there'}")
    for file, rows in listed.items():
        path = product / file
        table = file.rpartition("-")[0]
        if table not in SCHEMAS:
            refuse(path, "no table of a release")
        with readable(path), pq.ParquetFile(path) as shard:
            refuse_schema(path, table, shard.schema_arrow)
            if shard.metadata.num_rows != rows:
                refuse(path, f"{shard.metadata.num_rows} rows, where the manifest has {rows}")
    return manifest


def refuse_rows(where: object, part: Part, rows: pa.Table) -> None:
    """Refuse rows that ``samrs verify`` would find fault with.

    Args:
        where: what to name in the error.
        part: the shard and table they are of, and what they are checked against.
        rows: some of its rows; columns that are not read may be left out.

    Raises:
        ProductError: there is a finding; the first is told.
    """
    checked = Checked()
    for column in IDS:
        if column in rows.column_names and rows[column].null_count:
            refuse(where, f"a row of {part.path.name} without {column}")
    for check in CHECKS[part.table]:
        check(Rows(part, rows, checked))
    for kind, named in checked.findings.named.items():
        refuse(where, f"{named[0]} ({kind}, {checked.findings.counts[kind]} of the rows read)")


def sound_rows(
    product: Path, table: str, categories: Sequence[str], columns: Sequence[str], batch_rows: int
) -> Iterator[dict[str, Any]]:
    """Rows of a release in stored order, each checked before it is given out.

    Args:
        table: as of ``sound_tables``.
        categories: names by label id.
        columns: of the table; what lies in a column is named with a dot.
        batch_rows: rows held in memory.

    Raises:
        ProductError: ``samrs verify`` would find fault with a row.
    """
    for rows in sound_tables(product, table, categories, columns, batch_rows):
        yield from rows.to_pylist()


def sound_tables(
    product: Path, table: str, categories: Sequence[str], columns: Sequence[str], batch_rows: int
) -> Iterator[pa.Table]:
    """A table of a release in stored order, some rows at a time, checked as they are read.

    Args:
        table: one of READ_AS.
        categories: names by label id.
        columns: of the table; what lies in a column is named with a dot.
        batch_rows: rows held in memory.

    Raises:
        ProductError: ``samrs verify`` would find fault with a row.
    """
    for path in shard_paths(product, table):
        part = Part(path, READ_AS[table], tiles_of=product, said=Said(tuple(categories)))
        with readable(path), pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=batch_rows, columns=list(columns)):
                batch.validate(full=True)
                rows = pa.Table.from_batches([batch])
                whole = "image" in columns or "image" not in rows.column_names
                refuse_rows(product, part, rows if whole else rows.drop_columns(["image"]))
                yield rows
