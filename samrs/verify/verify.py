"""Check products of any kind: files, tables, ids, boxes, masks, scores, label maps and counts.

    samrs verify data/release/sota
    samrs verify data/release/* data/normalize/*
    samrs verify data/sam_label/dota --tiles data/normalize/dota
    samrs verify data/release/* --keep .work/verify

For each product a line that says it is sound, or its findings: how many of each kind, the first ten
named by file, tile and instance. The exit status is 1 where there is a finding.

What is checked: the manifest is of the form it must have and lists all files that are there, with
their sha256 and numbers of rows; columns are those of ``core/records.py``; ids are unique, made of
their scene and place, and safe as names of files; a scene is of one split; every row's tile is in
the table tiles, in its order; an instance is the same in all tiles; every mask is an encoding of
its tile's size with the area and the box that its columns say; boxes are upright and in their
tile; scores are in their range and those that follow from boxes follow; a release holds nothing
that its own thresholds leave out; every instance names its annotation; categories are the
manifest's; a picture's header is of its tile's size; every tile of a table of label maps has one
of its size and split with known labels, in a release with no more px of a class than its masks
have; the manifest's counts are those of the tables.

With --keep the rows of shards that were sound and are as they were are not checked again
(``verify/kept_checks.py``); bytes, ids and counts are at each run.

Not checked: pictures are not decoded, label maps are not painted anew, and of a folder whose
manifest was written anew after a change that breaks none of the above, only what is written
elsewhere can tell (``verify/anchor.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.errors import SamrsError
from samrs.core.parallel import map_stream
from samrs.core.records import first_label, label_names
from samrs.core.shards import shard_paths
from samrs.verify.anchor import Anchor
from samrs.verify.findings import Findings
from samrs.verify.kept_checks import KeptChecks
from samrs.verify.keys import Keyed, check_keys
from samrs.verify.manifest import MANIFEST, limits_of, read
from samrs.verify.parts import NEEDED, PRODUCTS, Checked, Part, Said, forget_tiles
from samrs.verify.scene_checks import check_scene_keys
from samrs.verify.shard_checks import check_bytes, check_part, parts_of, schema_problem

PART_ROWS = {"semantic": 2048}
OTHER_PART_ROWS = 65_536
"""Rows that a process checks at once."""

MANY_ROWS = 50_000
"""From so many rows on, processes pay."""

NEAR = 1e-4
"""By which a mean may differ: the manifest has four places."""

KEYED = ("tiles", "instances", "masks", "truth", "semantic")


Task = tuple[str, Callable[[], Checked]]
"""What is to be done, and its name for findings."""


class Verification:
    """The check of one product.

    Args:
        tiles_of: product whose tiles its rows are checked against; None: its own, if it has any.
        anchor: what somebody else says of the product, or None.
        kept: folder of what earlier runs found sound (``kept_checks.py``); None: all is checked.

    Raises:
        MissingInputError: ``tiles_of`` has no tiles.
    """

    def __init__(
        self,
        product: Path,
        tiles_of: Path | None = None,
        anchor: Anchor | None = None,
        kept: Path | None = None,
    ) -> None:
        self.product = product
        self._kept = kept
        self.findings = Findings()
        self.rows: dict[str, int] = {}
        self.manifest: dict[str, Any] = {}
        if tiles_of is not None:
            shard_paths(tiles_of, "tiles")
        self._is_given = tiles_of is not None
        self._tiles_of = tiles_of
        self._anchor = anchor
        self._tiles_used: dict[str, int] = {}
        self._totals = Checked()

    def run(self) -> Findings:
        """Check everything and return what was found."""
        forget_tiles()
        manifest = self._read_manifest()
        if manifest is None:
            return self.findings
        self.manifest = manifest
        if self._anchor and (problem := self._anchor.problem(self.product)):
            self.findings.add("against", f"{self.product}: {problem}")
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
        found = read(self.product)
        if isinstance(found, str):
            self.findings.add("manifest", f"{self.product / MANIFEST}: {found}")
            return None
        return found

    def _listed_shards(self) -> dict[Path, dict[str, Any]]:
        """The shards that are listed and there, by path."""
        listed = {shard["file"]: shard for shard in self.manifest["shards"]}
        there = {p.name for p in self.product.iterdir()} - {MANIFEST}
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
        there = [t for t in PRODUCTS[kind] if t in tables.values()]
        whole = [t for t in there if self._is_whole(t, shards, tables)]
        if self._tiles_of == self.product and "tiles" not in whole:
            self._tiles_of = None
        keyed = [t for t in KEYED if t in whole]
        keys = [Keyed(self.product, t, self._tiles_of, self._is_given) for t in keyed]
        tasks: list[Task] = [(of.table, partial(check_keys, of)) for of in keys]
        if {"scenes", "joined", "instances"} <= set(whole):
            tasks.append(("joined", partial(check_scene_keys, self.product)))
        for (name, _), checked in self._done(tasks):
            if checked.tiles is not None:
                self._tiles_used[name] = checked.tiles
        read = [(p.name, partial(check_bytes, (p, s["sha256"]))) for p, s in shards.items()]
        sound = {name for (name, _), checked in self._done(read) if not checked.findings}
        digests = {p: said["sha256"] for p, said in shards.items() if p.name in sound}
        self._check_parts(list(self._parts(tables, whole)), digests)
        with_picture, without = self._totals.pictures.tolist()
        if with_picture and without:
            self.findings.add("image", f"tiles: {without} of {with_picture + without} have none")

    def _check_parts(self, parts: list[Part], digests: dict[Path, str]) -> None:
        """Check parts, but for those that were sound before and are as they were."""
        kept = KeptChecks(self._kept, self.product)
        missing: list[tuple[Part, str | None]] = []
        for part in parts:
            key, before = kept.find(part, digests.get(part.path))
            if before is None:
                missing.append((part, key))
            else:
                self._totals.add(before)
        tasks: list[Task] = [(part.path.name, partial(check_part, part)) for part, _ in missing]
        for (_, key), (_, checked) in zip(missing, self._done(tasks), strict=True):
            kept.add(key, checked)
        kept.write()

    def _done(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Checked]]:
        """Each task with what it found, which is joined to the findings of all."""
        many = sum(self.rows.values()) >= MANY_ROWS and len(tasks) > 1
        for task, checked in zip(tasks, map_stream(_call, tasks, processes=many), strict=True):
            self.findings.join(checked.findings)
            self._totals.add(checked)
            yield task, checked

    def _is_whole(
        self, table: str, shards: dict[Path, dict[str, Any]], tables: dict[Path, str]
    ) -> bool:
        own = [p for p in shards if p.name.rpartition("-")[0] == table]
        listed = [s for s in self.manifest["shards"] if s["file"].rpartition("-")[0] == table]
        return len(own) == len(listed) and all(p in tables for p in own)

    def _parts(self, tables: dict[Path, str], whole: list[str]) -> Iterator[Part]:
        is_release = self.manifest["product"] == "release"
        said = Said(
            tuple(self.manifest["categories"]),
            self.manifest.get("recipe") if self.manifest["product"] != "normalize" else None,
            limits_of(self.manifest["parameters"], self.manifest) if is_release else {},
            first_label(self.manifest),
        )
        masks_of = self.product if is_release and {"tiles", "instances"} <= set(whole) else None
        for path, table in tables.items():
            checks = "released" if is_release and table == "instances" else table
            if table == "semantic" and self._tiles_of is None:
                continue
            if table == "joined" and "scenes" not in whole:
                continue
            part = Part(path, checks, (), self._tiles_of, masks_of, said)
            yield from parts_of(part, PART_ROWS.get(table, OTHER_PART_ROWS))

    def _check_counts(self) -> None:
        tiles = self.rows.get("tiles")
        if tiles is not None and "semantic" in self._tiles_used:
            self._count("label maps", self._tiles_used["semantic"], tiles)
        if self.manifest["product"] != "release":
            return
        counts: dict[str, Any] = self.manifest["counts"]
        kept = self.rows.get("instances", 0)
        self._count("tiles", counts["tiles"], tiles)
        self._count("kept", counts["kept"], kept)
        if "scenes" in self.rows:
            said = counts["scenes"]
            self._count("scenes", said["scenes"], self.rows["scenes"])
            self._count("scenes.instances", said["instances"], self.rows.get("joined", 0))
        self._check_people(counts["corrections"], counts["instances"], kept)
        if "instances" in self._tiles_used:
            self._count(
                "tiles_empty", counts["tiles_empty"], (tiles or 0) - self._tiles_used["instances"]
            )
            self._check_quality(counts["quality"])
        if "label_map" not in self.findings.counts and "semantic" in self._tiles_used:
            self._check_pixels(counts)

    def _check_people(self, said: dict[str, Any], instances: int, kept: int) -> None:
        """Each annotated instance is kept, dropped, or rejected by a person; others were added."""
        dropped = sum(self.manifest["counts"]["dropped"].values())
        self._count("instances", instances, kept - said["added"] + dropped + said["rejected"])
        conflicts = sum(said["conflicts"].values())
        self._count("conflicts", conflicts, self.rows.get("conflicts", 0))
        if "instances" in self._tiles_used:
            names = ("clicked", "drawn", "accepted", "added")
            for name, found in zip(names, self._totals.people.tolist(), strict=True):
                self._count(name, said[name], found)

    def _check_quality(self, said: dict[str, Any]) -> None:
        number, total, bad = self._totals.quality.tolist()
        if not number:  # masks of people have no estimate
            self._count("quality", said, {"mean": None, "below_half": None})
            return
        for name, found in (("mean", total / number), ("below_half", bad / number)):
            if said[name] is None or abs(said[name] - found) > NEAR:
                self._count(f"quality {name}", said[name], round(found, 4))

    def _check_pixels(self, counts: dict[str, Any]) -> None:
        pixels = self._totals.label_pixels
        names = label_names(self.manifest)
        first = first_label(self.manifest)
        labelled = int(pixels[first:255].sum())
        background = counts["background_pixels"]
        self._count("pixels", counts["pixels"], int(pixels.sum()))
        self._count("labelled_pixels", counts["labelled_pixels"], labelled)
        self._count("background_pixels", background, int(pixels[:first].sum()))
        found = pixels[: len(names)].tolist()
        self._count("label_pixels", self.manifest["label_pixels"], found)
        if "mask" in self.findings.counts or "instances" not in self._tiles_used:
            return
        again = self._totals.mask_pixels - labelled  # px painted over, once for each mask below
        over, contested = counts["overpainted_pixels"], counts["contested_pixels"]
        if not (contested <= over <= again and (over > 0) == (again > 0)):
            self._count("overpainted_pixels and contested_pixels", (over, contested), again)

    def _count(self, what: str, said: Any, found: Any) -> None:
        if said != found:
            self.findings.add("counts", f"manifest.json: {what} {said}, the tables have {found}")


def _call(task: Task) -> Checked:
    """Do a named task; what cannot be read is a finding."""
    name, check = task
    try:
        return check()
    except (OSError, pa.ArrowException, ValueError, MemoryError, SamrsError) as error:
        checked = Checked()
        checked.findings.add("unreadable", f"{name}: {str(error)[:300]}")
        return checked


def verify(
    product: Path,
    tiles_of: Path | None = None,
    anchor: Anchor | None = None,
    kept: Path | None = None,
) -> Findings:
    """Check a product; see the module for what is checked.

    Args:
        product: folder of a product of ``normalize``, ``sam_label`` or ``release``.
        tiles_of: product whose tiles its rows are checked against; None: its own, if it has any.
        anchor: what somebody else says of the product, or None.
        kept: folder of what earlier runs found sound, see ``kept_checks.py``; None: all is checked.

    Raises:
        MissingInputError: ``tiles_of`` has no tiles.
    """
    return Verification(product, tiles_of, anchor, kept).run()
