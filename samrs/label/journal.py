"""Tiles that are labelled already: what a killed or outdated labelling run leaves to the next one.

DVC removes a stage's outputs before the stage runs, so finished work lives beside them, in a work
folder: ``<folder>/<fingerprint>/000000.tiles ...``, a file for every few tiles. The fingerprint is
a hash of all that decides a mask but the tile (recipe, weights, code, libraries); each tile has a
key, a hash of what it brings (pixels, instances, boxes): whatever changed is labelled again and
nothing else is. Each tile is sealed by itself (``work/kept.py``), so one that a bad disk damaged is
labelled again, too. A killed run loses at most the file that is being collected and the tiles in
work, one or two for each thread or actor. The rows read back are the rows written, so a resumed run
ends with the same bytes as one that was never stopped.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from samrs.core.errors import ProductError
from samrs.core.shards import json_text
from samrs.work import lock
from samrs.work.kept import seal, unseal, write_whole

log = logging.getLogger("samrs")
Row = dict[str, Any]

CHUNK_TILES = 64
CHUNK_ROWS = 8192
CHUNK_SECONDS = 10.0
"""A file holds so many tiles or rows, or what this time brings: what a killed run loses at most,
together with the tiles in work."""


class _Sealed(NamedTuple):
    """Where a sealed tile stands."""

    path: Path
    begin: int
    end: int


class Journal:
    """The finished tiles of one labelling job; a context manager, which writes what is pending.

    Args:
        folder: of this dataset's jobs; made if missing.
        job: a name of all that decides the masks but the tiles, see ``work/fingerprint.py``.

    Raises:
        ProductError: another process labels with this folder now.
    """

    def __init__(self, folder: Path, job: str) -> None:
        self.folder = folder
        self.job = folder / job
        self.found = self.damaged = 0
        self._pending: list[bytes] = []
        self._rows, self._since = 0, time.monotonic()
        self._used: set[Path] = set()
        self._sealed: dict[str, _Sealed] = {}
        self._lock = lock.locked(folder, "labels this dataset", lock.PATIENCE)
        self.job.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.job.glob("*.tiles")):
            self._index(path)

    def _index(self, path: Path) -> None:
        """Note where a file's tiles stand; damaged ones are taken out of it and counted."""
        data = path.read_bytes()
        parts = [(data[begin:end], content) for begin, end, content in unseal(data)]
        good = [(sealed, content) for sealed, content in parts if content is not None]
        if damaged := len(parts) - len(good):
            log.warning("%s: %d damaged parts, removed; they are labelled again", path, damaged)
            self.damaged += damaged
            if good:
                write_whole(path, b"".join(sealed for sealed, _ in good))
            else:
                path.unlink()
        begin = 0
        for sealed, content in good:
            end = begin + len(sealed)
            self._sealed[_parted(content)[0]] = _Sealed(path, begin, end)
            begin = end

    def get(self, key: str) -> list[Row] | None:
        """The rows of a tile, None where it is not labelled yet.

        Args:
            key: see ``tile_key``.
        """
        sealed = self._sealed.get(key)
        if sealed is None:
            return None
        with sealed.path.open("rb") as file:
            file.seek(sealed.begin)
            data = file.read(sealed.end - sealed.begin)
        content = next((content for _, _, content in unseal(data)), None)
        found, rows = ("", b"") if content is None else _parted(content)
        if found != key:
            log.warning("%s: a tile is damaged; it is labelled again", sealed.path)
            self.damaged += 1
            return None
        self._used.add(sealed.path)
        self.found += 1
        return list(json.loads(zlib.decompress(rows)))

    def put(self, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep a tile's rows: values that JSON can hold; there is at least one row."""
        text = json_text(list(rows))
        self._pending.append(seal(key.encode() + b"\n" + zlib.compress(text.encode(), 1)))
        self._rows += len(rows)
        full = len(self._pending) >= CHUNK_TILES or self._rows >= CHUNK_ROWS
        if full or time.monotonic() - self._since >= CHUNK_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending, whole or not at all.

        Raises:
            ProductError: it cannot be written, as on a full disk; earlier files are whole.
        """
        pending, rows = self._pending, self._rows
        self._pending, self._rows, self._since = [], 0, time.monotonic()
        if not pending:
            return
        numbers = [int(p.stem) for p in self.job.glob("*.tiles")]
        path = self.job / f"{max(numbers, default=-1) + 1:06d}.tiles"
        try:
            write_whole(path, b"".join(pending))
        except OSError as error:
            raise ProductError(
                f"{path}: cannot be written, got {error}; {rows} masks are lost, "
                "earlier ones are kept; make room and run again"
            ) from error
        self._used.add(path)

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

    def __exit__(self, *raised: object) -> None:
        try:
            self.flush()
        finally:
            self._lock.close()


def _parted(content: bytes) -> tuple[str, bytes]:
    """A tile's key and its packed rows."""
    key, _, rows = content.partition(b"\n")
    return key.decode(), rows


def tile_key(tile: Mapping[str, Any], instances: Sequence[Mapping[str, Any]]) -> str:
    """Hash of a tile's pixels and instances, rows of the tables tiles and instances."""
    digest = hashlib.sha256(tile["image"]["bytes"])
    about = [tile["tile_id"], tile["width"], tile["height"], list(instances)]
    digest.update(json_text(about, sort_keys=True, ascii=True).encode())
    return digest.hexdigest()
