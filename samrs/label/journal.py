"""Tiles that are labelled already: what a killed or outdated labelling run leaves to the next one.

DVC removes a stage's outputs before the stage runs, so finished work lives beside them, in a work
folder: ``<folder>/<fingerprint>/000000.parquet ...``, a file for every few tiles, each row with the
key of its tile. The fingerprint is a hash of all that decides a mask but the tile (recipe, weights,
code, libraries), the key one of all that the tile brings (pixels, instances, boxes): whatever
changed is labelled again and nothing else is. A killed run loses at most the file that is being
collected and the tiles in work, one or two for each thread or actor. The rows read back are the
rows written, so a resumed run ends with the same bytes as one that was never stopped.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.errors import ProductError

log = logging.getLogger("samrs")
Row = dict[str, Any]

CHUNK_TILES = 64
CHUNK_ROWS = 8192
CHUNK_SECONDS = 10.0
"""A file holds so many tiles or rows, or what this time brings: what a killed run loses at most,
together with the tiles in work."""
PATIENCE = 30.0
"""Seconds to wait for another process to finish its tile."""
LIBRARIES = ("torch", "numpy", "opencv-python-headless", "pycocotools", "segment-anything")
"""Their versions may change a mask."""


class Journal:
    """The finished tiles of one labelling job; a context manager, which writes what is pending.

    Args:
        folder: of this dataset's jobs; made if missing.
        schema: of the rows.
        made_by: what decides the masks besides code, libraries and tiles.

    Raises:
        ProductError: another process labels with this folder now.
    """

    def __init__(self, folder: Path, schema: pa.Schema, made_by: Mapping[str, Any]) -> None:
        self.folder = folder
        self.job = folder / fingerprint(made_by)
        self.schema = schema.append(pa.field("key", pa.string()))
        self.found = 0
        self._pending: list[Row] = []
        self._tiles, self._since = 0, time.monotonic()
        self._used: set[Path] = set()
        self._open: tuple[Path, dict[str, list[Row]]] | None = None
        self.job.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        self._take_lock()
        self._where = self._index()

    def _take_lock(self) -> None:
        """The lock falls with its process; one that was told to stop is given time to do so."""
        for _ in range(int(PATIENCE / 0.1)):
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.1)
        self._lock.close()
        raise ProductError(
            f"{self.folder}: in use, another process labels this dataset now; one at a time is "
            "allowed; wait for it or stop it"
        )

    def _index(self) -> dict[str, Path]:
        """The file of every key; files cut short by a full disk or a crash are removed."""
        where: dict[str, Path] = {}
        for path in sorted(self.job.glob("*.parquet")):
            try:
                keys = pq.read_table(path, columns=["key"])["key"].unique().to_pylist()
            except (pa.ArrowInvalid, OSError):
                log.warning("%s: does not read, removed; its tiles are labelled again", path)
                path.unlink()
                continue
            where.update(dict.fromkeys(keys, path))
        return where

    def get(self, key: str) -> list[Row] | None:
        """The rows of a tile, None where it is not labelled yet."""
        path = self._where.get(key)
        if path is None:
            return None
        if self._open is None or self._open[0] != path:
            by_key: dict[str, list[Row]] = {}
            for row in pq.read_table(path, schema=self.schema).to_pylist():
                by_key.setdefault(row.pop("key"), []).append(row)
            self._open = (path, by_key)
        self._used.add(path)
        self.found += 1
        return self._open[1][key]

    def put(self, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep a tile's rows; there is at least one."""
        self._pending += [{**row, "key": key} for row in rows]
        self._tiles += 1
        full = self._tiles >= CHUNK_TILES or len(self._pending) >= CHUNK_ROWS
        if full or time.monotonic() - self._since >= CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending, whole or not at all.

        Raises:
            ProductError: it cannot be written, as on a full disk; earlier files are whole.
        """
        if self._pending:
            numbers = [int(p.stem) for p in self.job.glob("*.parquet")]
            path = self.job / f"{max(numbers, default=-1) + 1:06d}.parquet"
            table = pa.Table.from_pylist(self._pending, schema=self.schema)
            pending, self._pending = self._pending, []
            try:
                pq.write_table(table, path.with_suffix(".part"), compression="zstd")
                path.with_suffix(".part").replace(path)
            except OSError as error:
                path.with_suffix(".part").unlink(missing_ok=True)
                raise ProductError(
                    f"{path}: cannot be written, got {error}; {len(pending)} masks are lost, "
                    "earlier ones are kept; make room and run again"
                ) from error
            self._used.add(path)
        self._pending, self._tiles, self._since = [], 0, time.monotonic()

    def prune(self) -> None:
        """Remove what the run that ends here did not need: other jobs, tiles that are gone."""
        self.flush()
        for path in self.job.iterdir():
            if path not in self._used:
                path.unlink()
        for other in self.folder.iterdir():
            if other.is_dir() and other != self.job:
                shutil.rmtree(other)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.flush()
        finally:
            self._lock.close()


def fingerprint(made_by: Mapping[str, Any]) -> str:
    """Hash of `made_by`, of the source of every loaded module of this package but those that say
    where the work is done, and of LIBRARIES."""
    code = {
        name: hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()
        for name, module in sorted(sys.modules.items())
        if name.split(".")[0] == "samrs"
        and not name.startswith("samrs.executors")
        and module.__file__ is not None
    }
    libraries = {name: version(name) for name in LIBRARIES}
    said = json.dumps([dict(made_by), code, libraries], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def tile_key(tile: Mapping[str, Any], instances: Sequence[Mapping[str, Any]]) -> str:
    """Hash of a tile's pixels and instances, rows of the tables tiles and instances."""
    digest = hashlib.sha256(tile["image"]["bytes"])
    about = [tile["tile_id"], tile["width"], tile["height"], list(instances)]
    digest.update(json.dumps(about, sort_keys=True).encode())
    return digest.hexdigest()
