"""Checks of one part of a table at a time, in whatever process it stands.

Nothing here trusts the file: what Arrow cannot read is a finding, and ids are shown as they can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.errors import ImageError
from samrs.core.label_png import LabelCounts, label_counts
from samrs.core.records import IGNORE
from samrs.core.runs import decode_runs, text_buffers
from samrs.core.shards import sha256, shard_paths
from samrs.verify.findings import NAMED, Findings
from samrs.verify.mask_boxes import mask_boxes

BATCH_ROWS = 8192

NEVER_NULL = (
    "scene_id", "split", "x0", "y0", "image", "hbb", "hbb_annotated", "mask_hbb", "difficult",
    "visible",
)  # fmt: skip
"""Columns that every row of a table with them has; other checks see to ids, sizes and masks."""


@dataclass(frozen=True)
class Part:
    """Row groups of a shard to check.

    Args:
        tiles_of: product whose tiles table the rows are checked against, or None.
        categories: names by label id.
    """

    path: Path
    table: str
    row_groups: tuple[int, ...]
    tiles_of: Path | None
    categories: tuple[str, ...]


@dataclass
class Checked:
    """What was found in a part.

    Args:
        label_pixels: (256,) px of each label over its label maps.
        tiles: number of tiles that a table's rows name, where its keys were checked.
    """

    findings: Findings = field(default_factory=Findings)
    label_pixels: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros(IGNORE + 1, dtype=np.int64)
    )
    tiles: int | None = None


@dataclass(frozen=True)
class Tiles:
    """The tiles of a product in stored order: ids and (T, 2) height and width in px."""

    ids: pa.Array
    sizes_hw: NDArray[np.int64]


def read_tiles(product: Path) -> Tiles:
    """The tiles table without images; null sizes are 0."""
    parts = [
        pq.read_table(path, columns=["tile_id", "height", "width"])
        for path in shard_paths(product, "tiles")
    ]
    table = pa.concat_tables(parts)
    sizes = [pc.fill_null(table[n], 0).to_numpy().astype(np.int64) for n in ("height", "width")]
    return Tiles(table["tile_id"].combine_chunks(), np.stack(sizes, axis=1))


@cache
def _tiles(product: Path) -> Tiles:
    return read_tiles(product)


def forget_tiles() -> None:
    """Read tiles anew when they are next needed: a product may have been replaced."""
    _tiles.cache_clear()


def check_bytes(shard: tuple[Path, str]) -> Checked:
    """Check a file's sha256.

    Args:
        shard: its path and the sha256 that the manifest says.
    """
    path, wanted = shard
    checked = Checked()
    got = sha256(path)
    if got != wanted:
        checked.findings.add("checksum", f"{path.name}: sha256 {got}, the manifest has {wanted}")
    return checked


def check_keys(of: tuple[Path, str, Path | None]) -> Checked:
    """Check over all shards of a table that keys are unique and rows follow the tiles.

    Args:
        of: product, table, and the product whose tiles table holds the tiles, or None.
    """
    product, table, tiles_of = of
    checked = Checked()
    paths = shard_paths(product, table)
    columns = [n for n in ("instance_id", "tile_id") if n in pq.read_schema(paths[0]).names]
    last = 0
    keys = []
    for path in paths:
        rows = pq.read_table(path, columns=columns)
        keys.append(rows)
        _check_nulls(path, rows, checked)
        if table != "tiles":
            last = _check_order(path, rows, checked, tiles_of, last)
    every = pa.concat_tables(keys)
    grouped = every.group_by(columns).aggregate([([], "count_all")])
    again = grouped.filter(pc.greater(grouped["count_all"], 1))
    checked.findings.add_many(
        "duplicate",
        pc.sum(again["count_all"]).as_py() - len(again) if len(again) else 0,
        (
            f"{table}: {name(again, i)} stands {again['count_all'][i]} times"
            for i in range(min(len(again), NAMED))
        ),
    )
    checked.tiles = len(pc.unique(every["tile_id"]))
    return checked


def _check_nulls(path: Path, rows: pa.Table, checked: Checked) -> None:
    for column in rows.column_names:
        wrong = pc.fill_null(pc.equal(rows[column], ""), True).to_numpy()
        _note(
            path,
            rows,
            checked,
            "tile" if column == "tile_id" else "source",
            wrong,
            lambda i: "no id",
        )


def _check_order(
    path: Path, rows: pa.Table, checked: Checked, tiles_of: Path | None, last: int
) -> int:
    """Note rows of tiles that are not there or come before ``last``; returns the last tile."""
    if tiles_of is None or not len(rows):
        return last
    places = _places(tiles_of, rows)
    _note(path, rows, checked, "unknown_tile", places < 0, lambda i: "there is no such tile")
    highest = np.maximum.accumulate(np.maximum(places, last))
    wrong = (places >= 0) & (places < highest)
    _note(path, rows, checked, "order", wrong, lambda i: "stands after rows of a later tile")
    return int(highest[-1])


def check_part(part: Part) -> Checked:
    """Check the rows of some row groups.

    Args:
        part: which rows of which shard, and what they are checked against.
    """
    checked = Checked()
    with pq.ParquetFile(part.path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=list(part.row_groups)):
            batch.validate(full=True)
            rows = pa.Table.from_batches([batch])
            for check in CHECKS[part.table]:
                check(part, rows, checked)
    return checked


def _note(
    path: Path,
    rows: pa.Table,
    checked: Checked,
    kind: str,
    wrong: NDArray[np.bool_],
    say: Callable[[int], str],
) -> None:
    """Note rows that are wrong; ``say`` tells of a row what is."""
    places = np.flatnonzero(wrong).tolist()
    first = (f"{path.name}: {name(rows, i)}: {say(i)}" for i in places[:NAMED])
    checked.findings.add_many(kind, len(places), first)


def name(rows: pa.Table, row: int) -> str:
    """A row's instance and tile for a finding."""
    named = [n for n in ("instance_id", "tile_id") if n in rows.column_names]
    return " in ".join(f"{n[:-3]} {rows[n][row].as_py()!r}" for n in named)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(column.chunks) if column.num_chunks != 1 else column.chunk(0)


def _tile_rows(part: Part, rows: pa.Table, checked: Checked) -> None:
    sizes = np.stack([pc.fill_null(rows[n], 0).to_numpy() for n in ("height", "width")], axis=1)
    wrong = np.min(sizes, axis=1) <= 0
    _note(part.path, rows, checked, "tile", wrong,
          lambda i: f"{sizes[i].tolist()} px, 1 or more needed")  # fmt: skip


def _values(part: Part, rows: pa.Table, checked: Checked) -> None:
    for column in [n for n in NEVER_NULL if n in rows.column_names]:
        values = _flat(rows[column])
        wrong = pc.is_null(values).to_numpy(zero_copy_only=False)
        if column == "image":
            data = pc.struct_field(values, "bytes")  # empty in a release without pixels
            wrong |= pc.is_null(data).to_numpy(zero_copy_only=False)
        elif pa.types.is_fixed_size_list(values.type):
            finite = pc.fill_null(pc.is_finite(values.flatten()), False)
            wrong[~wrong] = ~finite.to_numpy(zero_copy_only=False).reshape(-1, 4).all(axis=1)
        _note(part.path, rows, checked, "value", wrong, _lacks(column))


def _lacks(column: str) -> Callable[[int], str]:
    return lambda i: f"no {column}"


def _places(tiles_of: Path, rows: pa.Table) -> NDArray[np.int64]:
    """(N,) place of each row's tile among the tiles of a product, -1 where it has none."""
    found = pc.index_in(rows["tile_id"], value_set=_tiles(tiles_of).ids)
    return np.asarray(pc.fill_null(found, -1).to_numpy().astype(np.int64))


def _categories(part: Part, rows: pa.Table, checked: Checked) -> None:
    ids = pc.fill_null(rows["category_id"], -1).to_numpy()
    known: NDArray[np.bool_] = (ids >= 0) & (ids < len(part.categories))
    names = pa.array(part.categories, pa.string())
    wanted = names.take(pa.array(np.where(known, ids, 0))) if part.categories else None
    right: NDArray[np.bool_] = (
        pc.fill_null(pc.equal(rows["category"], wanted), False).to_numpy() if wanted else known
    )
    given = [rows["category_id"], rows["category"]]
    _note(part.path, rows, checked, "category", np.logical_not(np.logical_and(known, right)),
          lambda i: f"{tuple(column[i].as_py() for column in given)} is no category")  # fmt: skip


def _sources(part: Part, rows: pa.Table, checked: Checked) -> None:
    files, lines = rows["source_file"], rows["source_line"]
    none = pc.fill_null(pc.equal(files, ""), True).to_numpy()
    outside = pc.fill_null(
        pc.match_substring_regex(files, r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)"), False
    )
    wrong = none | outside.to_numpy() | (pc.fill_null(lines, 1).to_numpy() < 1)
    _note(part.path, rows, checked, "source", wrong,
          lambda i: f"file {files[i].as_py()!r}, line {lines[i].as_py()}; a path inside the "
          "dataset and a line from 1 (or none) are needed")  # fmt: skip


def _masks(part: Part, rows: pa.Table, checked: Checked) -> None:
    rle = _flat(rows["rle"])
    sizes = _sizes_hw(rle)
    runs = decode_runs(*text_buffers(pc.struct_field(rle, "counts")))
    wrong = runs.bad | (sizes <= 0).any(axis=1) | (runs.totals() != sizes.prod(axis=1))
    _note(part.path, rows, checked, "mask", wrong,
          lambda i: f"no encoding of {sizes[i].tolist()} (height, width) px")  # fmt: skip
    if part.tiles_of is not None:
        places = _places(part.tiles_of, rows)
        of_tile = _tiles(part.tiles_of).sizes_hw[places] if len(places) else sizes
        other = (places >= 0) & ~wrong & (sizes != of_tile).any(axis=1)
        _note(part.path, rows, checked, "mask", other,
              lambda i: f"size {sizes[i].tolist()}, {of_tile[i].tolist()} needed")  # fmt: skip
    if "area" in rows.column_names:
        said, found = pc.fill_null(rows["area"], -1).to_numpy(), runs.areas()
        _note(part.path, rows, checked, "area", ~wrong & (said != found),
              lambda i: f"area {said[i]}, its mask has {found[i]} px")  # fmt: skip
    if "mask_hbb" in rows.column_names:
        _mask_boxes(part, rows, checked, mask_boxes(runs, np.maximum(sizes[:, 0], 1)), ~wrong)


def _mask_boxes(
    part: Part,
    rows: pa.Table,
    checked: Checked,
    boxes: NDArray[np.float64],
    whole: NDArray[np.bool_],
) -> None:
    given = _flat(rows["mask_hbb"])
    there = pc.is_valid(given).to_numpy(zero_copy_only=False)
    said = np.zeros_like(boxes)
    said[there] = (
        pc.fill_null(given.flatten(), np.nan).to_numpy(zero_copy_only=False).reshape(-1, 4)
    )
    _note(part.path, rows, checked, "box", there & whole & (said != boxes).any(axis=1),
          lambda i: f"mask_hbb {said[i].tolist()}, its mask's is {boxes[i].tolist()}")  # fmt: skip


def _sizes_hw(rle: pa.StructArray) -> NDArray[np.int64]:
    """(N, 2) sizes of masks; zeros where there is none."""
    sizes = pc.struct_field(rle, "size")
    none = pc.is_null(sizes).to_numpy(zero_copy_only=False)
    found = np.zeros((len(rle), 2), dtype=np.int64)
    flat = pc.fill_null(pc.list_flatten(sizes), 0).to_numpy(zero_copy_only=False)
    found[~none] = flat.reshape(-1, 2)
    return found


def _label_maps(part: Part, rows: pa.Table, checked: Checked) -> None:
    assert part.tiles_of is not None
    places = _places(part.tiles_of, rows)
    for i, image in enumerate(_flat(pc.struct_field(rows["label_map"], "bytes"))):
        try:
            size_hw, counts = _counted(image.as_py() or b"")
        except ImageError as error:
            what = f"{part.path.name}: {name(rows, i)}"
            checked.findings.add("label_map", f"{what}: {error}")
            continue
        checked.label_pixels += counts
        wanted = tuple(_tiles(part.tiles_of).sizes_hw[places[i]].tolist())
        unknown = counts[len(part.categories) : IGNORE].nonzero()[0] + len(part.categories)
        for wrong, how in (
            (places[i] >= 0 and size_hw != wanted, f"size {size_hw}, its tile's is {wanted}"),
            (len(unknown) > 0, f"unknown labels {unknown.tolist()[:5]}"),
        ):
            if wrong:
                what = f"{part.path.name}: {name(rows, i)}"
                checked.findings.add("label_map", f"{what}: {how}")


@lru_cache(maxsize=64)
def _counted(data: bytes) -> LabelCounts:
    """The labels of a map; those of tiles without masks are alike."""
    return label_counts(data, "label map")


Check = Callable[[Part, pa.Table, Checked], None]
CHECKS: dict[str, Sequence[Check]] = {
    "tiles": (_tile_rows, _values),
    "instances": (_categories, _sources, _values),
    "released": (_categories, _sources, _masks, _values),
    "masks": (_categories, _masks, _values),
    "truth": (_masks,),
    "semantic": (_label_maps, _values),
    "georeference": (),
    "quarantine": (),
}
"""What is checked of the rows of each table; ``released`` is the table instances of a release."""


def parts_of(part: Part, rows_each: int) -> Iterator[Part]:
    """The row groups of a shard in parts of some rows each.

    Args:
        part: the whole shard.
        rows_each: a part ends with the row group that reaches them.
    """
    groups: list[int] = []
    rows = 0
    with pq.ParquetFile(part.path) as file:
        for group in range(file.num_row_groups):
            groups.append(group)
            rows += file.metadata.row_group(group).num_rows
            if rows >= rows_each:
                yield Part(**{**vars(part), "row_groups": tuple(groups)})
                groups, rows = [], 0
    if groups:
        yield Part(**{**vars(part), "row_groups": tuple(groups)})


def schema_problem(path: Path, wanted: pa.Schema) -> str | None:
    """How a shard's columns differ from a table's, or None.

    Args:
        wanted: the table's columns and types.
    """
    got = pq.read_schema(path)
    if got.equals(wanted):
        return None
    for i, column in enumerate(wanted):
        have: Any = got.field(i) if i < len(got) else None
        if have is None or not have.equals(column):
            return f"{path.name}: column {i} is {have}, {column} is needed"
    return f"{path.name}: {len(got)} columns, {len(wanted)} are needed"
