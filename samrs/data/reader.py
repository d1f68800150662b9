"""Tiles of a release by number, over Parquet shards, a few row groups in memory at a time.

A folder may lie on this machine or in a DVC remote (``open_remote``): shards are opened where
they are, and only the row groups that are asked for are read. Reading tiles of one row group after
each other is cheap, jumping between them is not: ``ReleaseReader.groups`` says which belong
together. Row groups are checked when they are read, as ``samrs verify`` checks them.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import IO, Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec.caching import BaseCache
from numpy.typing import NDArray

from samrs.core.errors import (
    MissingInputError,
    ParameterError,
    ProductError,
    SourceError,
    UnknownNameError,
    named_extra,
)
from samrs.core.records import Georeference, label_names
from samrs.core.shards import manifest_of
from samrs.verify.parts import Part, Said
from samrs.verify.refusal import (
    READ_AS,
    readable,
    refuse,
    refuse_manifest,
    refuse_rows,
    refuse_schema,
)

CACHE_BYTES = 256 * 2**20
"""Row groups kept by each reader, i.e. by each worker process."""

OPEN_FILES = 16
"""Shards that each reader holds open."""

TABLES = ("tiles", "instances", "semantic")
CHECKED_AS = {table: READ_AS[table] for table in ("tiles", "instances", "scenes")}
"""Tables whose rows are checked as they are read; label maps are when they are decoded."""


@dataclass(frozen=True)
class Folder:
    """A folder on this machine, or in a DVC repository with a remote.

    Args:
        path: of the folder; in the repository where there is one.
        repository: path or address of a git repository, or None for this machine.
        rev: a commit, tag or branch of it; None takes its head.
        remote: name of the DVC remote; None takes the default.
    """

    path: str
    repository: str | None = None
    rev: str | None = None
    remote: str | None = None

    def open(self, name: str) -> IO[bytes]:
        """Open a file of the folder for reading at random, in this process alone.

        Raises:
            MissingInputError: it is not there.
        """
        path = f"{self.path}/{name}"
        try:
            if self.repository is None:
                return Path(path).open("rb")
            system = _filesystem(self.repository, self.rev, self.remote, os.getpid())
            file = as_asked(system.open(path, "rb"))
        except FileNotFoundError as error:
            raise MissingInputError(
                f"{self}: no {name}, got no such file; a release's folder with manifest.json is "
                "needed; fetch it (dvc pull) or correct the path"
            ) from error
        return file

    def __str__(self) -> str:
        where = f" of {self.repository}" if self.repository else ""
        return f"{self.path}{where}{f' at {self.rev}' if self.rev else ''}"


def open_remote(
    repository: str, subset: str, *, rev: str | None = None, remote: str | None = None
) -> Folder:
    """A released subset in a DVC remote, read without pulling it.

    Args:
        repository: path or address of this project's git repository.
        subset: e.g. ``sota``.
        rev: a commit, tag or branch; None takes the head.
        remote: name of the DVC remote; None takes the default.
    """
    return Folder(f"data/release/{subset}", str(repository), rev, remote)


@lru_cache(maxsize=8)
def _filesystem(repository: str, rev: str | None, remote: str | None, process: int) -> Any:
    """dvc's file system, found by fsspec; a forked process must not use its parent's."""
    with named_extra():
        return fsspec.filesystem(
            "dvc", url=repository, rev=rev, remote=remote, skip_instance_cache=True
        )


def as_asked(file: Any) -> IO[bytes]:
    """A remote file that fetches what is read and no block around it: columns lie far apart.

    fsspec's blocks of 5 MB came to 281 MB for the columns that opening a release of 950 MB reads;
    now it is 16 MB (``benchmarks/part.py``). A file of one block still comes whole.

    Args:
        file: fsspec's, open.
    """
    if isinstance(getattr(file, "cache", None), BaseCache) and file.size > file.blocksize:
        file.cache = BaseCache(file.blocksize, file._fetch_range, file.size)
    opened: IO[bytes] = file
    return opened


@dataclass(frozen=True, kw_only=True)
class TileRecord:
    """One tile as it is stored.

    Args:
        image: encoded image.
        label_map: PNG of (H, W) label ids.
        instances: rows of the table instances.
        georeference: where the tile lies, or None.
        gsd: metres per px, or None.
    """

    tile_id: str
    scene_id: str
    split: str
    size_hw: tuple[int, int]
    image: bytes
    label_map: bytes
    instances: pa.Table
    georeference: Georeference | None = None
    gsd: float | None = None


@contextmanager
def _read(where: str) -> Iterator[None]:
    """Refuse what Arrow cannot read, and servers that send whole files only."""
    try:
        with readable(where):
            yield
    except ProductError as error:
        if "range requests" not in str(error.__cause__):  # fsspec's words for it
            raise
        raise SourceError(
            f"{where}: cannot be read in parts, got a server that sends whole files; one that "
            "answers HTTP ranges is needed; fetch the release with dvc get and open its folder"
        ) from error


class _Shards:
    """Shards of a folder, some of them open."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._open: OrderedDict[str, tuple[IO[bytes], pq.ParquetFile]] = OrderedDict()
        self._process = os.getpid()
        self._metadata: dict[str, pq.FileMetaData] = {}

    def file(self, name: str) -> pq.ParquetFile:
        """A shard opened by this process: a forked one would share its parent's place in it.

        Raises:
            MissingInputError: it is not there.
            ProductError: it is no Parquet file.
        """
        if self._process != os.getpid():
            self._open, self._process = OrderedDict(), os.getpid()
        if name in self._open:
            self._open.move_to_end(name)
            return self._open[name][1]
        while len(self._open) >= OPEN_FILES:
            _, (file, _) = self._open.popitem(last=False)
            file.close()
        file = self.folder.open(name)
        with _read(f"{self.folder}/{name}"):
            known = self._metadata.get(name)
            shard = pq.ParquetFile(file, metadata=known, pre_buffer=False)
            self._metadata[name] = shard.metadata
        self._open[name] = file, shard
        return shard


class _Table:
    """Rows of a table by number.

    Args:
        files: its shards, as the manifest lists them.
    """

    def __init__(
        self,
        shards: _Shards,
        table: str,
        files: list[dict[str, Any]],
        categories: tuple[str, ...],
        cache: _Cache,
    ) -> None:
        self._shards, self._cache = shards, cache
        self.table, self.categories = table, categories
        self.files = [shard["file"] for shard in files]
        self.groups: list[tuple[str, int, int]] = []  # file, row group, number of its first row
        self.rows = 0
        for shard in files:
            name, where = shard["file"], f"{shards.folder}/{shard['file']}"
            file = shards.file(name)
            refuse_schema(where, table, file.schema_arrow)
            metadata = file.metadata
            if metadata.num_rows != shard["rows"]:
                refuse(where, f"{metadata.num_rows} rows, where the manifest has {shard['rows']}")
            for group in range(metadata.num_row_groups):
                self.groups.append((name, group, self.rows))
                self.rows += metadata.row_group(group).num_rows
        self._firsts = [first for _, _, first in self.groups]

    def column(self, *names: str) -> pa.Table:
        """Whole columns of the table."""
        parts = []
        for name in self.files:
            file = self._shards.file(name)
            with _read(f"{self._shards.folder}/{name}"):
                parts.append(file.read(columns=list(names)))
        return pa.concat_tables(parts)

    def row_group(self, name: str, group: int) -> pa.Table:
        """A row group of a shard, checked."""
        file = self._shards.file(name)
        with _read(f"{self._shards.folder}/{name}"):
            rows = file.read_row_group(group)
            rows.validate(full=True)
        if self.table in CHECKED_AS:
            part = Part(Path(name), CHECKED_AS[self.table], said=Said(tuple(self.categories)))
            refuse_rows(self._shards.folder, part, rows)
        return rows

    def read(self, begin: int, end: int) -> pa.Table:
        """The rows from ``begin`` to ``end``."""
        parts = []
        place = bisect_right(self._firsts, begin) - 1
        while begin < end:
            file, group, first = self.groups[place]
            rows = self._cache.get(file, group, self)
            part = rows.slice(begin - first, end - begin)
            parts.append(part)
            begin += len(part)
            place += 1
        if parts:
            return pa.concat_tables(parts)
        return self._shards.file(self.files[0]).schema_arrow.empty_table()


class _Cache:
    """Row groups that were read last, up to some bytes."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._groups: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()

    def get(self, file: str, group: int, table: _Table) -> pa.Table:
        key = (file, group)
        if key in self._groups:
            self._groups.move_to_end(key)
            return self._groups[key]
        rows = table.row_group(file, group)
        self._groups[key] = rows
        self._held += rows.nbytes
        while self._held > self._most and len(self._groups) > 1:
            self._held -= self._groups.popitem(last=False)[1].nbytes
        return rows


class ReleaseReader:
    """The tiles of a release in stored order; see ``Folder`` for where it may lie.

    ``categories`` are the names of instances' classes by number, ``labels`` those of the label ids
    in label maps: the same, after the background where maps tell it.

    Args:
        folder: of the release.
        cache_bytes: of images that are held in memory.

    Raises:
        MissingInputError: there is no such folder, or not all of it is there.
        ProductError: it is no release, or its tables do not belong together.

    Reading raises a ProductError, too, where ``samrs verify`` would find fault with what is read.
    """

    def __init__(self, folder: Folder | Path | str, cache_bytes: int = CACHE_BYTES) -> None:
        self.folder = folder if isinstance(folder, Folder) else Folder(str(folder))
        self.manifest = _manifest(self.folder)
        self.categories: tuple[str, ...] = tuple(self.manifest["categories"])
        self.labels = label_names(self.manifest)
        self._cache_bytes = cache_bytes
        self._make_tables()
        ids = self._tables["tiles"].column("tile_id", "split", "height", "width")
        self.tile_ids = ids["tile_id"].combine_chunks()
        self.splits: list[str] = ids["split"].to_pylist()
        self._sizes_hw = np.stack([ids["height"].to_numpy(), ids["width"].to_numpy()], axis=1)
        self.places = self._read_places()
        self._first_instance = self._firsts("instances")
        self._label_map = self._firsts("semantic")
        if len(self.splits) != self._tables["semantic"].rows:
            raise self._wrong("tables tiles and semantic differ in rows")

    def _make_tables(self) -> None:
        cache, shards = _Cache(self._cache_bytes), _Shards(self.folder)
        listed = sorted(self.manifest["shards"], key=itemgetter("file"))
        self._tables = {
            table: _Table(
                shards,
                table,
                [shard for shard in listed if shard["file"].rpartition("-")[0] == table],
                self.categories,
                cache,
            )
            for table in (*TABLES, "scenes")
        }

    def _read_places(self) -> dict[str, Georeference]:
        """Where scenes lie, by their ids: those of which it is known."""
        if not self._tables["scenes"].files:
            return {}
        rows = self._tables["scenes"].read(0, self._tables["scenes"].rows).to_pylist()
        return {
            row["scene_id"]: Georeference(row["crs"], tuple(row["transform"]))
            for row in rows
            if row["crs"] is not None
        }

    def _firsts(self, table: str) -> NDArray[np.int64]:
        """(T + 1,) where each tile's rows begin in a table."""
        ids = self._tables[table].column("tile_id")["tile_id"]
        found = pc.fill_null(pc.index_in(ids, value_set=self.tile_ids), -1)
        places = found.to_numpy().astype(np.int64)
        if (np.diff(places, prepend=0) < 0).any():
            raise self._wrong(f"rows of {table} do not follow the tiles")
        return np.searchsorted(places, np.arange(len(self.tile_ids) + 1))

    def _wrong(self, what: str) -> ProductError:
        return ProductError(
            f"{self.folder}: {what}, got another order; that of the table tiles is allowed; "
            "fetch it again and run samrs verify"
        )

    def __len__(self) -> int:
        return len(self.tile_ids)

    def in_splits(self, splits: Sequence[str] | None) -> list[int]:
        """Numbers of the tiles of some splits; None: all.

        Raises:
            UnknownNameError: no tile has that split.
            ParameterError: it is one text, whose letters would be taken for splits.
        """
        if splits is None:
            return list(range(len(self)))
        known = sorted(set(self.splits))
        if isinstance(splits, str):
            raise ParameterError(
                f"{self.folder}: splits are one text, got {splits!r}; a list of some of "
                f"{', '.join(known)} is allowed; write [{splits!r}]"
            )
        for split in splits:
            if split not in known:
                raise UnknownNameError(
                    f"{self.folder}: unknown split, got {split!r}; {', '.join(known)} are allowed; "
                    "use one of these"
                )
        return [i for i, split in enumerate(self.splits) if split in splits]

    def groups(self) -> list[range]:
        """Tiles that are read together, as ranges of their numbers."""
        firsts = [first for _, _, first in self._tables["tiles"].groups]
        return [range(a, b) for a, b in zip(firsts, [*firsts[1:], len(self)], strict=True)]

    def instances(self, tile: int) -> pa.Table:
        """The instances of a tile by its number, without its image."""
        instances = self._tables["instances"].read(*self._first_instance[tile : tile + 2].tolist())
        sizes = pc.struct_field(instances["rle"].combine_chunks(), "size").to_pylist()
        size = self._sizes_hw[tile].tolist()
        if any(of_mask != size for of_mask in sizes):
            name = self.tile_ids[tile].as_py()
            refuse(self.folder, f"masks of another size than tile {name!r}, {size}")
        return instances

    def image(self, tile: int) -> bytes:
        """The encoded image of a tile by its number, alone."""
        image: bytes = self._tables["tiles"].read(tile, tile + 1)["image"][0]["bytes"].as_py()
        return image

    def read(self, tile: int) -> TileRecord:
        """A tile by number."""
        row = self._tables["tiles"].read(tile, tile + 1).to_pylist()[0]
        begin, end = self._label_map[tile : tile + 2].tolist()
        maps = self._tables["semantic"].read(begin, end).column("label_map").to_pylist()
        instances = self.instances(tile)
        place = self.places.get(row["scene_id"])
        return TileRecord(
            tile_id=row["tile_id"],
            scene_id=row["scene_id"],
            split=row["split"],
            size_hw=(row["height"], row["width"]),
            image=row["image"]["bytes"],
            label_map=maps[0]["bytes"],
            instances=instances,
            georeference=place and place.of_part(row["x0"], row["y0"]),
            gsd=row["gsd"],
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without what is open: each worker process opens its own."""
        return {k: v for k, v in self.__dict__.items() if k != "_tables"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_tables()


def _manifest(folder: Folder) -> dict[str, Any]:
    with folder.open("manifest.json") as file:
        manifest = manifest_of(file.read(), f"{folder}/manifest.json")
    refuse_manifest(f"{folder}/manifest.json", manifest)
    files = [shard["file"] for shard in manifest["shards"]]
    for table in TABLES:
        if not any(file.rpartition("-")[0] == table for file in files):
            refuse(folder, f"a manifest that lists no shard of {table}")
    return manifest
