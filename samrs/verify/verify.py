"""Check products of any kind: files, tables, ids, masks, label maps and counts.

    samrs verify data/release/sota
    samrs verify data/release/* data/normalize/*
    samrs verify data/sam_label/dota --tiles data/normalize/dota

For each product a line that says it is sound, or its findings: how many of each kind, the first ten
named by file, tile and instance. The exit status is 1 where there is a finding.

What is checked: the manifest lists all files that are there, with their sha256 and numbers of rows;
columns are those of ``core/records.py``; ids are unique; every row's tile is in the table tiles, in
its order; every mask is an encoding of its tile's size with the area and the box that its columns
say; every instance names its annotation; no row lacks its boxes, its split or its image; categories
are the manifest's; every tile of a table of label maps has one of its size with known labels; the
manifest's counts are those of the tables. Images are known by the sha256 of their file only, and
label maps are not painted anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.errors import SamrsError
from samrs.core.parallel import map_stream
from samrs.core.records import (
    GEOREFERENCE,
    INSTANCES,
    MASKS,
    QUARANTINE,
    RELEASED,
    SEMANTIC,
    TILES,
    TRUTH,
)
from samrs.verify.findings import Findings
from samrs.verify.shard_checks import (
    Checked,
    Part,
    check_bytes,
    check_keys,
    check_part,
    parts_of,
    schema_problem,
)

PRODUCTS: dict[str, dict[str, pa.Schema]] = {
    "normalize": {
        "tiles": TILES,
        "instances": INSTANCES,
        "truth": TRUTH,
        "semantic": SEMANTIC,
        "georeference": GEOREFERENCE,
        "quarantine": QUARANTINE,
    },
    "sam_label": {"masks": MASKS},
    "release": {"tiles": TILES, "instances": RELEASED, "semantic": SEMANTIC},
}
"""Tables of each product."""

NEEDED = {
    "normalize": ("tiles", "instances"),
    "sam_label": ("masks",),
    "release": ("tiles", "instances", "semantic"),
}
MANIFEST_BYTES = 64 * 2**20
PART_ROWS = {"semantic": 2048}
OTHER_PART_ROWS = 65_536
"""Rows that a process checks at once."""

MANY_ROWS = 50_000
"""From so many rows on, processes pay."""

KEYED = ("tiles", "instances", "masks", "truth", "semantic")


class Verification:
    """The check of one product.

    Args:
        tiles_of: product whose tiles its rows are checked against; None: its own, if it has any.
    """

    def __init__(self, product: Path, tiles_of: Path | None = None) -> None:
        self.product = product
        self.findings = Findings()
        self.rows: dict[str, int] = {}
        self.manifest: dict[str, Any] = {}
        self._tiles_of = tiles_of
        self._tiles_used: dict[str, int] = {}
        self._label_pixels = np.zeros(256, dtype=np.int64)

    def run(self) -> Findings:
        """Check everything and return what was found."""
        manifest = self._read_manifest()
        if manifest is None:
            return self.findings
        self.manifest = manifest
        shards = self._listed_shards()
        tables = {path: table for path, table in map(self._table, shards) if table}
        if self._tiles_of is None and "tiles" in tables.values():
            self._tiles_of = self.product
        try:
            self._check_tables(shards, tables)
        except (OSError, pa.ArrowException, ValueError, SamrsError) as error:
            self.findings.add("unreadable", f"{self.product}: {str(error)[:300]}")
        except BrokenExecutor:
            self.findings.add(
                "unreadable", f"{self.product}: a process ended while it read these files"
            )
        else:
            self._check_counts()
        return self.findings

    def summary(self) -> str:
        """One line of what the product holds."""
        rows = ", ".join(f"{count:,} {table}" for table, count in sorted(self.rows.items()))
        return f"{len(self.manifest.get('shards', []))} shards, {rows}"

    def _read_manifest(self) -> dict[str, Any] | None:
        path = self.product / "manifest.json"
        if not path.is_file():
            self.findings.add("manifest", f"{path}: there is none")
            return None
        try:
            if path.stat().st_size > MANIFEST_BYTES:
                raise ValueError(f"it has {path.stat().st_size} bytes")
            manifest = json.loads(path.read_text(encoding="utf-8"))
            problem = manifest_problem(manifest)
        except (OSError, ValueError, RecursionError) as error:
            problem = f"{type(error).__name__}: {str(error)[:200]}"
        if problem:
            self.findings.add("manifest", f"{path}: {problem}")
            return None
        return dict(manifest)

    def _listed_shards(self) -> dict[Path, dict[str, Any]]:
        """The shards that are listed and there, by path."""
        listed = {shard["file"]: shard for shard in self.manifest["shards"]}
        there = {p.name for p in self.product.iterdir()} - {"manifest.json"}
        for file in sorted(set(listed) - there):
            self.findings.add("missing_shard", file)
        for file in sorted(there - set(listed)):
            self.findings.add("extra_shard", file)
        return {self.product / file: listed[file] for file in sorted(there & set(listed))}

    def _table(self, path: Path) -> tuple[Path, str]:
        """The table of a shard, empty for one whose columns or bytes are not to be read."""
        schemas = PRODUCTS[self.manifest["product"]]
        table = path.name.rpartition("-")[0]
        if table not in schemas:
            self.findings.add("extra_shard", f"{path.name}: no table of this product")
            return path, ""
        try:
            problem = schema_problem(path, schemas[table])
            self.rows[table] = self.rows.get(table, 0) + pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException, ValueError) as error:
            self.findings.add("unreadable", f"{path.name}: {str(error)[:200]}")
            return path, ""
        if problem:
            self.findings.add("schema", problem)
            return path, ""
        return path, table

    def _check_tables(self, shards: dict[Path, dict[str, Any]], tables: dict[Path, str]) -> None:
        kind = self.manifest["product"]
        for table in NEEDED[kind]:
            if not any(s["file"].rpartition("-")[0] == table for s in self.manifest["shards"]):
                self.findings.add("missing_shard", f"{table}: the manifest lists no such table")
        for path in tables:
            rows, wanted = pq.read_metadata(path).num_rows, shards[path]["rows"]
            if rows != wanted:
                self.findings.add("rows", f"{path.name}: {rows} rows, the manifest has {wanted}")
        # A table with a part missing would tell of rows that are not wrong.
        whole = [t for t in KEYED if t in tables.values() and self._is_whole(t, shards, tables)]
        if self._tiles_of == self.product and "tiles" not in whole:
            self._tiles_of = None
        keys = [(self.product, table, self._tiles_of) for table in whole]
        tasks = [
            *((table, partial(check_keys, key)) for table, key in zip(whole, keys, strict=True)),
            *((p.name, partial(check_bytes, (p, s["sha256"]))) for p, s in shards.items()),
            *((part.path.name, partial(check_part, part)) for part in self._parts(tables)),
        ]
        many = sum(self.rows.values()) >= MANY_ROWS
        for (name, _), checked in zip(tasks, map_stream(_call, tasks, processes=many), strict=True):
            self.findings.join(checked.findings)
            self._label_pixels += checked.label_pixels
            if checked.tiles is not None:
                self._tiles_used[name] = checked.tiles

    def _is_whole(
        self, table: str, shards: dict[Path, dict[str, Any]], tables: dict[Path, str]
    ) -> bool:
        own = [p for p in shards if p.name.rpartition("-")[0] == table]
        listed = [s for s in self.manifest["shards"] if s["file"].rpartition("-")[0] == table]
        return len(own) == len(listed) and all(p in tables for p in own)

    def _parts(self, tables: dict[Path, str]) -> Iterator[Part]:
        categories = tuple(self.manifest["categories"])
        for path, table in tables.items():
            checks = (
                "released"
                if (self.manifest["product"], table) == ("release", "instances")
                else table
            )
            if table == "semantic" and self._tiles_of is None:
                continue
            part = Part(path, checks, (), self._tiles_of, categories)
            yield from parts_of(part, PART_ROWS.get(table, OTHER_PART_ROWS))

    def _check_counts(self) -> None:
        tiles = self.rows.get("tiles")
        if tiles is not None and "semantic" in self._tiles_used:
            self._count("label maps", self._tiles_used["semantic"], tiles)
        if self.manifest["product"] != "release":
            return
        counts: dict[str, Any] = self.manifest.get("counts", {})
        if not is_release_counts(counts):
            self.findings.add("counts", "manifest.json: no counts of a release")
            return
        kept = self.rows.get("instances", 0)
        self._count("tiles", counts["tiles"], tiles)
        self._count("kept", counts["kept"], kept)
        self._count("instances", counts["instances"], kept + sum(counts["dropped"].values()))
        if "instances" in self._tiles_used:
            self._count(
                "tiles_empty", counts["tiles_empty"], (tiles or 0) - self._tiles_used["instances"]
            )
        if "label_map" in self.findings.counts or "semantic" not in self._tiles_used:
            return
        self._count("pixels", counts["pixels"], int(self._label_pixels.sum()))
        self._count(
            "labelled_pixels", counts["labelled_pixels"], int(self._label_pixels[:255].sum())
        )
        found = self._label_pixels[: len(self.manifest["categories"])].tolist()
        self._count("label_pixels", self.manifest.get("label_pixels", found), found)

    def _count(self, what: str, said: Any, found: Any) -> None:
        if said != found:
            self.findings.add("counts", f"manifest.json: {what} {said}, the tables have {found}")


def _call(task: tuple[str, Callable[[], Checked]]) -> Checked:
    """Do a named task; what cannot be read is a finding."""
    name, check = task
    try:
        return check()
    except (OSError, pa.ArrowException, ValueError, MemoryError, SamrsError) as error:
        checked = Checked()
        checked.findings.add("unreadable", f"{name}: {str(error)[:300]}")
        return checked


def is_release_counts(counts: Any) -> bool:
    """Whether these are a release's counts of tiles, instances and px.

    Args:
        counts: the value in the manifest.
    """
    names = ("tiles", "tiles_empty", "instances", "kept", "pixels", "labelled_pixels")
    return (
        isinstance(counts, dict)
        and all(isinstance(counts.get(name), int) for name in names)
        and isinstance(counts.get("dropped"), dict)
        and all(isinstance(value, int) for value in counts["dropped"].values())
    )


def manifest_problem(manifest: Any) -> str | None:
    """Why a JSON value is no manifest, or None.

    Args:
        manifest: the value of ``manifest.json``.
    """
    if not isinstance(manifest, dict):
        return f"it is a {type(manifest).__name__}, an object is needed"
    if manifest.get("product") not in list(PRODUCTS):
        return f"product {manifest.get('product')!r}, one of {', '.join(PRODUCTS)} is needed"
    categories, shards = manifest.get("categories"), manifest.get("shards")
    if not isinstance(categories, list) or not all(isinstance(c, str) for c in categories):
        return "categories is no list of names"
    if not isinstance(shards, list) or not all(isinstance(s, dict) for s in shards):
        return "shards is no list of objects"
    for shard in shards:
        file, rows, digest = (shard.get(key) for key in ("file", "rows", "sha256"))
        if not isinstance(file, str) or file != Path(file).name or not file.endswith(".parquet"):
            return f"shard {str(file)[:100]!r} is no name of a Parquet file in this folder"
        if not isinstance(rows, int) or not isinstance(digest, str):
            return f"shard {file!r} lacks its number of rows or its sha256"
    if manifest["product"] == "release":
        for key in ("subset", "dataset", "terms"):
            if not isinstance(manifest.get(key), str) or not manifest[key]:
                return f"{key} {manifest.get(key)!r}, a text is needed"
    files = [shard["file"] for shard in shards]
    return "a shard is listed twice" if len(set(files)) < len(files) else None


def verify(product: Path, tiles_of: Path | None = None) -> Findings:
    """Check a product; see the module for what is checked.

    Args:
        product: folder of a product of ``normalize``, ``sam_label`` or ``release``.
        tiles_of: product whose tiles its rows are checked against; None: its own, if it has any.
    """
    return Verification(product, tiles_of).run()
