"""The parts of a dataset that are released each by itself: shards that share no scene.

A unit is the fewest shards of tiles, one after the other, such that no scene and no shard of
another table of tiles has rows in two units. ``normalize`` ends the shards of all tables after the
same scene and ``sam-label`` ends those of masks there, too, so most units have one shard of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.records import INSTANCES, MASKS
from samrs.core.shards import shard_paths, write_table

Ints = NDArray[np.int64]
Span = tuple[int, int]
"""A first and a last shard of tiles."""

NOT_RELEASED = ("quarantine", "truth", "semantic")
"""Tables of a normalize product that no release is made of."""

NEEDED = {"instances": INSTANCES, "masks": MASKS}
"""Tables that are there even if they have no rows."""


@dataclass(frozen=True)
class Unit:
    """Shards that are released together.

    Args:
        shards: their paths by table, in order; tables without rows here are left out.
        tile_ids: of its tiles, in order.
        manifests: of the normalize product and that of labels.
    """

    shards: dict[str, list[Path]]
    tile_ids: list[str]
    manifests: tuple[Path, Path]

    def link(self, folder: Path) -> tuple[Path, Path]:
        """Two products in a folder that hold the unit's shards alone, as links.

        Args:
            folder: an empty one, made if missing.

        Returns:
            The normalize product and that of labels; their manifests are those of all shards.
        """
        normalized, labelled = folder / "normalized", folder / "labelled"
        for product, manifest in zip((normalized, labelled), self.manifests, strict=True):
            product.mkdir(parents=True)
            (product / manifest.name).symlink_to(manifest.resolve())
        for table in self.shards.keys() | NEEDED.keys():
            product = labelled if table == "masks" else normalized
            for number, path in enumerate(self.shards.get(table, [])):
                (product / f"{table}-{number:05d}.parquet").symlink_to(path.resolve())
            if table not in self.shards:
                write_table(product, table, NEEDED[table], [])
        return normalized, labelled


def units_of(normalized: Path, labelled: Path) -> list[Unit]:
    """The units of a dataset, in the order of its tiles; one where rows name tiles there are not.

    Args:
        normalized: its normalize product.
        labelled: its sam_label product.

    Raises:
        MissingInputError: a table is missing.
    """
    paths = shard_paths(normalized, "tiles")
    tables = [pq.read_table(path, columns=["tile_id", "scene_id"]) for path in paths]
    tiles = pa.concat_tables(tables)
    shard_of = np.repeat(np.arange(len(paths)), [len(table) for table in tables])
    spans = {name: _spans(tiles[name], shard_of) for name in tiles.column_names}
    together = list(spans["scene_id"].values())
    touched: dict[str, list[tuple[Path, Span]]] = {}
    others = {path.name.rpartition("-")[0] for path in normalized.glob("*.parquet")}
    for table in sorted((others | NEEDED.keys()) - {"tiles", *NOT_RELEASED}):
        touched[table] = []
        for path in shard_paths(labelled if table == "masks" else normalized, table):
            column = "tile_id" if "tile_id" in pq.read_schema(path).names else "scene_id"
            names = pc.unique(pq.read_table(path, columns=[column])[column]).to_pylist()
            if names:
                span = _touched(names, spans[column], len(paths))
                touched[table].append((path, span))
                together += [span] if column == "tile_id" else []
    ends = _ends(np.array(together, np.int64).reshape(-1, 2), len(paths))
    manifests = (normalized / "manifest.json", labelled / "manifest.json")
    return [Unit(*_shards_of(paths, tables, touched, begin, end), manifests) for begin, end in ends]


def _spans(names: pa.ChunkedArray, shard_of: Ints) -> dict[str, Span]:
    """The first and the last shard with rows of each name."""
    found: dict[str, Span] = {}
    for name, shard in zip(names.to_pylist(), shard_of.tolist(), strict=True):
        first, last = found.get(name, (shard, shard))
        found[name] = (min(first, shard), max(last, shard))
    return found


def _touched(names: list[str], spans: dict[str, Span], number: int) -> Span:
    """The first and the last shard of tiles with some names, all of them where one is unknown."""
    known = [spans[name] for name in names if name in spans]
    if len(known) < len(names):
        return 0, number - 1
    return min(first for first, _ in known), max(last for _, last in known)


def _ends(together: Ints, number: int) -> list[tuple[int, int]]:
    """Where units begin and end among shards of which some are not to be parted.

    Args:
        together: (N, 2) a first and a last shard of those that belong together.
        number: of shards.
    """
    steps = np.zeros(number + 1, dtype=np.int64)
    np.add.at(steps, together[:, 0], 1)
    np.add.at(steps, together[:, 1], -1)
    joined = np.cumsum(steps)[:number] > 0  # with the next shard
    begins = [0, *(np.flatnonzero(~joined[:-1]) + 1).tolist()]
    return list(zip(begins, [*begins[1:], number], strict=True))


def _shards_of(
    paths: list[Path],
    tables: list[pa.Table],
    touched: dict[str, list[tuple[Path, Span]]],
    begin: int,
    end: int,
) -> tuple[dict[str, list[Path]], list[str]]:
    """Shards by table, and the tiles, of some shards of tiles."""
    shards = {"tiles": paths[begin:end]}
    for table, some in touched.items():
        own = [path for path, span in some if span[0] < end and span[1] >= begin]
        if own:
            shards[table] = own
    ids = [name for table in tables[begin:end] for name in table["tile_id"].to_pylist()]
    return shards, ids
