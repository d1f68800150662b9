"""A release out of its units: those that did not change are taken as an earlier run made them.

A unit's key is the sha256 of the bytes of all its shards, not what a manifest says of them: each
file is read once, those of tiles while they are copied into the release.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.errors import SamrsError, naming
from samrs.core.parallel import MANY, map_stream
from samrs.core.progress import progress
from samrs.core.records import JOINED, RELEASED, SCENES, SEMANTIC
from samrs.core.shards import json_text, sha256, write_table
from samrs.corrections.records import Corrections, Key, Record
from samrs.release.units import Unit, units_of
from samrs.work.fingerprint import fingerprint
from samrs.work.parts import Part, Parts

log = logging.getLogger("samrs")

CODE = ("samrs.release.release",)
LIBRARIES = ("numpy", "opencv-python-headless", "pyarrow", "pycocotools", "scipy", "zlib-ng")

ALWAYS: dict[str, pa.Schema] = {
    "instances": RELEASED, "semantic": SEMANTIC, "scenes": SCENES, "joined": JOINED,
}  # fmt: skip
"""Tables that a release has, with rows or without."""

BLOCK = 2**20
"""Bytes that are copied at once."""

Counts = dict[str, Any]
Make = Callable[[Path, Path, Path, Corrections], Counts]
"""Writes the release of two products into a folder with what people said of their masks, and gives
its counts: sums of any depth."""


class _Plan(NamedTuple):
    """A unit, its key, and where it is worked on."""

    number: int
    unit: Unit
    key: str
    folder: Path
    said: Corrections


@dataclass
class Written:
    """What was written.

    Args:
        counts: the sums over all units.
        digests: sha256 of shards by name, where they were read.
        made: number of units that were made anew.
    """

    counts: Counts = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    made: int = 0


@contextmanager
def kept_units(
    work: Path | None, parameters: Mapping[str, Any], inputs: list[Path]
) -> Iterator[Parts | None]:
    """The kept units of a subset, for one process at a time; None where none are kept.

    Args:
        work: folder of the subset's kept units, or None.
        parameters: all that decides a unit beside its rows and files; JSON values.
        inputs: files that decide it, too.

    Raises:
        ProductError: another process holds them.
    """
    if work is None:
        yield None
        return
    job = fingerprint(parameters, code=CODE, libraries=LIBRARIES, inputs=inputs)
    with Parts(work, job, "releases this subset") as parts:
        yield parts


def write_units(
    normalized: Path,
    labelled: Path,
    out: Path,
    said: Corrections,
    make: Make,
    kept: Parts | None,
) -> Written:
    """Write all tables of a release, tiles included.

    Args:
        normalized: the dataset's normalize product.
        labelled: its sam_label product.
        out: the release product, empty.
        said: what people said of the dataset's masks.
        make: makes a unit; importable, as units are made in processes where there are many tiles.
        kept: units of earlier runs, to which those of this one are added; or None.
    """
    done, work = Written(), out / "units"
    units = units_of(normalized, labelled)
    plans = [
        _planned(number, unit, out, work / str(number), done, own)
        for number, (unit, own) in enumerate(zip(units, _parted(said, units), strict=True))
    ]
    build = partial(_build, make=make, named=(str(normalized), str(labelled)))
    found = {plan.key: None if kept is None else kept.get(plan.key) for plan in plans}
    missing = [plan for plan in plans if found[plan.key] is None]
    many = len(missing) > 1 and sum(map(_num_tiles, missing)) >= MANY
    answers = map_stream(build, missing, processes=many)
    tables = _Tables(out)
    total = sum(map(_num_tiles, plans))
    desc = f"release {out.name}"
    for plan in progress(plans, desc=desc, unit="tile", total=total, size=_num_tiles):
        part = found[plan.key]
        if part is not None and kept is not None and tables.take(part, kept, done.digests):
            done.counts = added(done.counts, part.about)
            continue
        counts = next(answers) if part is None else build(plan)
        files = tables.move(plan.folder / "released")
        if kept is not None:
            digests = {file.name: sha256(file) for file in files}
            kept.keep(plan.key, counts, files, digests)
            done.digests |= digests
        done.counts = added(done.counts, counts)
        done.made += 1
        shutil.rmtree(plan.folder)
    tables.complete()
    shutil.rmtree(work, ignore_errors=True)
    if kept is not None:
        log.info("release %s: %d of %d units made", out.name, done.made, len(plans))
        kept.prune()
    return done


def _num_tiles(plan: _Plan) -> int:
    return len(plan.unit.tile_ids)


def _parted(said: Corrections, units: list[Unit]) -> list[Corrections]:
    """What people said of each unit; of tiles that there are not, it is said of the first."""
    unit_of = {tile: number for number, unit in enumerate(units) for tile in unit.tile_ids}
    records: list[dict[Key, Record]] = [{} for _ in units]
    for key, record in said.records.items():
        records[unit_of.get(record.anchor.tile_id, 0)][key] = record
    return [Corrections(some) for some in records]


def _planned(
    number: int, unit: Unit, out: Path, folder: Path, done: Written, own: Corrections
) -> _Plan:
    """Copy a unit's tiles and find its key; tiles follow one another over all units."""
    said = {"corrections": [own.digest()]}
    for table, paths in unit.shards.items():
        if table == "tiles":
            said[table] = [_copied(path, out / path.name) for path in paths]
            names = (path.name for path in paths)
            done.digests |= zip(names, said[table], strict=True)
        else:
            said[table] = [sha256(path) for path in paths]
    key = hashlib.sha256(json_text(said, sort_keys=True).encode()).hexdigest()[:32]
    return _Plan(number, unit, key, folder, own)


def _copied(source: Path, target: Path) -> str:
    """Copy a file; returns its sha256."""
    digest = hashlib.sha256()
    with source.open("rb") as read, naming(target), target.open("wb") as write:
        while block := read.read(BLOCK):
            digest.update(block)
            write.write(block)
    return digest.hexdigest()


def _build(plan: _Plan, make: Make, named: tuple[str, str]) -> Counts:
    """Make a unit; errors name the products and not the links to a unit's shards."""
    products = plan.unit.link(plan.folder)
    try:
        released = plan.folder / "released"
        released.mkdir()
        return make(*products, released, plan.said)
    except SamrsError as error:
        text = str(error)
        for product, name in zip(products, named, strict=True):
            text = text.replace(str(product), name)
        raise type(error)(text) from error


class _Tables:
    """The shards of a release's tables but tiles, numbered over all units."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._numbers: dict[str, int] = {}

    def _next(self, table: str) -> Path:
        number = self._numbers.get(table, 0)
        self._numbers[table] = number + 1
        return self._out / f"{table}-{number:05d}.parquet"

    def take(self, part: Part, kept: Parts, digests: dict[str, str]) -> bool:
        """Take the shards of a kept unit; False where they are damaged, and nothing changed then.

        Args:
            part: the unit.
            kept: whose it is.
            digests: takes the sha256 of each.
        """
        before = dict(self._numbers)
        targets = {name: self._next(name.rpartition("-")[0]) for name in part.files}
        if not kept.take(part, targets):
            self._numbers = before
            return False
        digests |= {path.name: part.files[name] for name, path in targets.items()}
        return True

    def move(self, folder: Path) -> list[Path]:
        """Take the shards with rows of a unit that was just made; returns where they are.

        Args:
            folder: of the unit's release.
        """
        moved = []
        for path in sorted(folder.glob("*.parquet")):
            if pq.read_metadata(path).num_rows:
                moved.append(path.rename(self._next(path.name.rpartition("-")[0])))
        return moved

    def complete(self) -> None:
        """Write those tables without rows that every release has."""
        for table in ALWAYS.keys() - self._numbers.keys():
            write_table(self._out, table, ALWAYS[table], [])


def added(first: Counts, second: Mapping[str, Any]) -> Counts:
    """The sums of two counts: numbers, lists of numbers, and maps of these.

    Args:
        first: of some units.
        second: of others.
    """
    found = dict(first)
    for name, value in second.items():
        known = found.get(name)
        if known is None:
            found[name] = value
        elif isinstance(value, dict):
            found[name] = added(known, value)
        elif isinstance(value, list):
            found[name] = [a + b for a, b in zip(known, value, strict=True)]
        else:
            found[name] = known + value
    return found
