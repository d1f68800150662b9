"""Parts of tables that are checked at a time, what they are checked against, and what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.records import (
    CONFLICTS,
    GEOREFERENCE,
    IGNORE,
    INSTANCES,
    JOINED,
    MASKS,
    QUARANTINE,
    RELEASED,
    SCENES,
    SEMANTIC,
    TILES,
    TRUTH,
    UNCERTAIN,
)
from samrs.core.shards import shard_paths
from samrs.verify.findings import NAMED, Findings

PRODUCTS: dict[str, dict[str, pa.Schema]] = {
    "normalize": {
        "tiles": TILES,
        "instances": INSTANCES,
        "truth": TRUTH,
        "semantic": SEMANTIC,
        "georeference": GEOREFERENCE,
        "uncertain": UNCERTAIN,
        "quarantine": QUARANTINE,
    },
    "sam_label": {"masks": MASKS},
    "release": {
        "tiles": TILES,
        "instances": RELEASED,
        "semantic": SEMANTIC,
        "scenes": SCENES,
        "joined": JOINED,
        "conflicts": CONFLICTS,
    },
}
"""Tables of each product."""

NEEDED = {
    "normalize": ("tiles", "instances"),
    "sam_label": ("masks",),
    "release": ("tiles", "instances", "semantic", "scenes", "joined"),
}
"""Tables that are there, whatever they hold."""


@dataclass(frozen=True)
class Said:
    """What a product's manifest says that rows are held against.

    Args:
        categories: names by label id.
        recipe: the labels' prompt recipe, or None.
        limits: what a release left masks out by, a value for each class, by parameter; empty for
            other products.
        first: the label of the first category in label maps: 1 where they tell the background.
    """

    categories: tuple[str, ...] = ()
    recipe: str | None = None
    limits: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    first: int = 0


@dataclass(frozen=True)
class Part:
    """Row groups of a shard to check.

    Args:
        table: a key of ``shard_checks.CHECKS``.
        tiles_of: product whose tiles table the rows are checked against, or None.
        masks_of: release whose masks label maps are checked against, or None.
    """

    path: Path
    table: str
    row_groups: tuple[int, ...] = ()
    tiles_of: Path | None = None
    masks_of: Path | None = None
    said: Said = Said()


@dataclass
class Checked:
    """What was found in a part.

    Args:
        label_pixels: (256,) px of each label over its label maps.
        mask_pixels: px of its masks, counted once a mask.
        pictures: (2,) tiles with a picture, and tiles without.
        quality: (3,) number, sum, and number below a half of its estimates of quality.
        people: (4,) masks clicked, drawn and accepted, and objects added by people.
        tiles: number of tiles that a table's rows name, where its keys were checked.
    """

    findings: Findings = field(default_factory=Findings)
    label_pixels: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(IGNORE + 1, dtype=np.int64)
    )
    mask_pixels: int = 0
    pictures: NDArray[np.int64] = field(default_factory=lambda: np.zeros(2, dtype=np.int64))
    quality: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    people: NDArray[np.int64] = field(default_factory=lambda: np.zeros(4, dtype=np.int64))
    tiles: int | None = None

    def add(self, other: Checked) -> None:
        """Add another part's sums.

        Args:
            other: what was found in it; its findings are joined elsewhere.
        """
        self.label_pixels += other.label_pixels
        self.mask_pixels += other.mask_pixels
        self.pictures += other.pictures
        self.quality += other.quality
        self.people += other.people


@dataclass(frozen=True)
class Rows:
    """Some rows of a shard, and what was found in them.

    Args:
        part: the shard and table they are of, and what they are checked against.
        table: the rows; columns that are not read may be left out.
        checked: takes the findings, and sums.
    """

    part: Part
    table: pa.Table
    checked: Checked

    def __getitem__(self, column: str) -> pa.ChunkedArray:
        return self.table[column]

    def __len__(self) -> int:
        return len(self.table)

    @property
    def column_names(self) -> list[str]:
        return list(self.table.column_names)

    def has(self, *columns: str) -> bool:
        """Whether all of some columns are there: who reads a part of them has that part checked.

        Args:
            columns: their names.
        """
        return set(columns) <= set(self.column_names)

    def note(self, kind: str, wrong: NDArray[np.bool_], say: Callable[[int], str]) -> None:
        """Note rows that are wrong.

        Args:
            kind: the word they are counted under.
            wrong: (N,) which of the rows are.
            say: tells of a row what is wrong.
        """
        places = np.flatnonzero(wrong).tolist()
        first = (self.named(i, say(i)) for i in places[:NAMED])
        self.checked.findings.add_many(kind, len(places), first)

    def named(self, row: int, wrong: str) -> str:
        """What is wrong with a row, behind its shard's and its own name."""
        return f"{self.part.path.name}: {name(self.table, row)}: {wrong}"


@dataclass(frozen=True)
class Tiles:
    """The tiles of a product in stored order: ids, scenes, splits, (T, 2) height and width and
    (T, 2) x and y in their scene, px."""

    ids: pa.Array
    scenes: pa.Array
    splits: pa.Array
    sizes_hw: NDArray[np.int64]
    places_xy: NDArray[np.int64]


@cache
def tiles_in(product: Path) -> Tiles:
    """The tiles table without images; null numbers are 0."""
    columns = ["tile_id", "scene_id", "split", "height", "width", "x0", "y0"]
    parts = [pq.read_table(path, columns=columns) for path in shard_paths(product, "tiles")]
    table = pa.concat_tables(parts)
    numbers = np.stack([whole_numbers(table[n], 0) for n in columns[3:]], axis=1)
    ids, scenes, splits = (table[n].combine_chunks() for n in columns[:3])
    return Tiles(ids, scenes, splits, numbers[:, :2], numbers[:, 2:])


@cache
def scenes_in(release: Path) -> Tiles:
    """The scenes of a release as if each were one tile, whose id is the scene's."""
    columns = ["scene_id", "split", "height", "width"]
    parts = [pq.read_table(path, columns=columns) for path in shard_paths(release, "scenes")]
    table = pa.concat_tables(parts)
    sizes = np.stack([whole_numbers(table[n], 0) for n in columns[2:]], axis=1)
    ids, splits = (table[n].combine_chunks() for n in columns[:2])
    return Tiles(ids, ids, splits, sizes, np.zeros_like(sizes))


def tiles_of(part: Part) -> Tiles | None:
    """What the rows of a part lie on: tiles, or scenes; None where that is not known."""
    if part.tiles_of is None:
        return None
    return scenes_in(part.path.parent) if part.table == "joined" else tiles_in(part.tiles_of)


@cache
def mask_areas(release: Path, num_categories: int) -> NDArray[np.int64]:
    """(T, num_categories + 1) px of the masks of each class in each tile, each mask by itself, and
    last those of its largest mask."""
    tiles = tiles_in(release)
    found = np.zeros((len(tiles.ids), num_categories + 1), dtype=np.int64)
    for path in shard_paths(release, "instances"):
        rows = pq.read_table(path, columns=["tile_id", "category_id", "area"])
        places, ids = places_in(tiles, rows), whole_numbers(rows["category_id"], -1)
        there = (places >= 0) & (ids >= 0) & (ids < num_categories)
        areas = whole_numbers(rows["area"], 0)[there]
        np.add.at(found, (places[there], ids[there]), areas)
        np.maximum.at(found[:, -1], places[there], areas)
    return found


def forget_tiles() -> None:
    """Read tiles anew when they are next needed: a product may have been replaced."""
    tiles_in.cache_clear()
    scenes_in.cache_clear()
    mask_areas.cache_clear()


def places_in(tiles: Tiles, rows: pa.Table | Rows) -> NDArray[np.int64]:
    """(N,) place of each row's tile among ``tiles``, -1 where it has none."""
    found = pc.index_in(rows["tile_id"], value_set=tiles.ids)
    return whole_numbers(found, -1)


def whole_numbers(column: pa.Array | pa.ChunkedArray, null: int) -> NDArray[np.int64]:
    """(N,) of a column of integers.

    Args:
        null: what stands for null.
    """
    return np.asarray(pc.fill_null(column, null).to_numpy().astype(np.int64))


def numbers(column: pa.Array | pa.ChunkedArray) -> NDArray[np.float64]:
    """(N,) of a column of numbers, NaN for null."""
    return np.asarray(pc.fill_null(column, np.nan).to_numpy().astype(np.float64))


def coordinates(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """(N, K) of a column of lists of K numbers, NaN for null."""
    values = flat(column)
    there = pc.is_valid(values).to_numpy(zero_copy_only=False)
    found = np.full((len(values), values.type.list_size), np.nan)
    found[there] = numbers(values.flatten()).reshape(-1, values.type.list_size)
    return found


def truths(column: pa.Array | pa.ChunkedArray, null: bool) -> NDArray[np.bool_]:
    """(N,) of a column of truth values.

    Args:
        null: what stands for null.
    """
    values = pc.fill_null(column, null)
    if isinstance(values, pa.ChunkedArray):
        return np.asarray(values.to_numpy())
    return np.asarray(values.to_numpy(zero_copy_only=False))


def flat(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    return pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)


def name(rows: pa.Table, row: int) -> str:
    """A row's instance and tile for a finding."""
    named = [n for n in ("instance_id", "tile_id") if n in rows.column_names]
    named = named or [n for n in ("scene_id", "source_file") if n in rows.column_names]
    words = (n.removesuffix("_id").replace("_", " ") for n in named)
    return " in ".join(f"{w} {rows[n][row].as_py()!r}" for w, n in zip(words, named, strict=True))
