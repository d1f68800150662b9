"""Checks over all shards of a table at once: ids, their order, and what they tie together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from samrs.core.shards import has_table, shard_paths
from samrs.verify.findings import NAMED
from samrs.verify.parts import (
    Checked,
    Part,
    Rows,
    Tiles,
    coordinates,
    flat,
    name,
    places_in,
    tiles_in,
    truths,
    whole_numbers,
)

SCENE = r"^[A-Za-z0-9_.-]{1,200}$"
"""Ids are made of it, and files are named by ids."""

OF_SCENE = r"#([0-9]{1,9}|new-[0-9a-f]{12})$"
"""What stands behind the scene in the id of an annotated instance, and of one that was added."""

SAME = ["category_id", "category", "difficult", "source_file", "source_line"]
"""Columns that are equal in all tiles that show an instance."""

NEAR = 1e-3
"""Px by which an annotated box may differ from tile to tile: rounding."""


@dataclass(frozen=True)
class Keyed:
    """A table whose ids are checked.

    Args:
        tiles_of: product whose tiles table holds the tiles, or None.
        is_given: whether ``tiles_of`` is another product, that the user named.
    """

    product: Path
    table: str
    tiles_of: Path | None
    is_given: bool


def check_keys(of: Keyed) -> Checked:
    """Check that ids are unique, rows follow the tiles, and ids are those of scene and place.

    Args:
        of: the table.
    """
    checked = Checked()
    paths = shard_paths(of.product, of.table)
    columns = [n for n in ("instance_id", "tile_id") if n in pq.read_schema(paths[0]).names]
    last = 0
    keys = []
    for path in paths:
        rows = Rows(Part(path, of.table), pq.read_table(path, columns=columns), checked)
        keys.append(rows.table)
        _check_nulls(rows)
        if of.table != "tiles" and of.tiles_of is not None and len(rows):
            last = _check_places(rows, tiles_in(of.tiles_of), last)
    every = pa.concat_tables(keys)
    _check_unique(of.table, every, columns, checked)
    if of.table == "tiles":
        _check_splits(of.product, checked)
    if of.table == "instances" and of.tiles_of is not None:
        _check_alike(of, every, checked)
    _check_partners(of, every, checked)
    checked.tiles = len(pc.unique(every["tile_id"]))
    return checked


def _check_nulls(rows: Rows) -> None:
    for column in rows.column_names:
        wrong = truths(pc.equal(rows[column], ""), null=True)
        kind = "tile" if column == "tile_id" else "source"
        rows.note(kind, wrong, lambda i: "no id")


def _check_places(rows: Rows, tiles: Tiles, last: int) -> int:
    """Note rows of tiles that are not there or come before ``last``, and instances of other scenes;
    returns the last tile."""
    places = places_in(tiles, rows)
    rows.note("unknown_tile", places < 0, lambda i: "there is no such tile")
    highest = np.maximum.accumulate(np.maximum(places, last))
    wrong = (places >= 0) & (places < highest)
    rows.note("order", wrong, lambda i: "stands after rows of a later tile")
    if "instance_id" in rows.column_names:
        of_scene = pc.replace_substring_regex(flat(rows["instance_id"]), OF_SCENE, "")
        scenes = tiles.scenes.take(pa.array(np.maximum(places, 0)))
        other = ~truths(pc.equal(of_scene, scenes), null=False) & (places >= 0)
        rows.note("id", other, lambda i: f"{scenes[i].as_py()}#<number> is needed")
    return int(highest[-1])


def _check_unique(table: str, every: pa.Table, columns: list[str], checked: Checked) -> None:
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


def _check_splits(product: Path, checked: Checked) -> None:
    """Note scenes whose tiles are of several splits: what is trained on would be tested on."""
    tiles = tiles_in(product)
    table = pa.table({"scene": tiles.scenes, "split": tiles.splits})
    splits = table.group_by("scene").aggregate([("split", "count_distinct"), ("split", "list")])
    for row in splits.filter(pc.greater(splits["split_count_distinct"], 1)).to_pylist():
        given = sorted({str(split) for split in row["split_list"]})
        checked.findings.add("split", f"scene {row['scene']!r}: its tiles are of {given}")


def _check_alike(of: Keyed, every: pa.Table, checked: Checked) -> None:
    """Note instances that are not the same in all tiles that show them."""
    codes = every["instance_id"].combine_chunks().dictionary_encode().indices
    numbers = whole_numbers(codes, -1)
    counts = np.bincount(numbers[numbers >= 0], minlength=1)
    several = (numbers >= 0) & (counts[numbers] > 1)
    assert of.tiles_of is not None
    if not several.any():
        return
    columns = ["instance_id", "tile_id", "hbb_annotated", *SAME]
    parts = (pq.read_table(p, columns=columns) for p in shard_paths(of.product, "instances"))
    rows = pa.concat_tables(parts).filter(pa.array(several)).combine_chunks()
    tiles = tiles_in(of.tiles_of)
    boxes = coordinates(rows["hbb_annotated"]) + np.tile(
        tiles.places_xy[np.maximum(places_in(tiles, rows), 0)], 2
    )
    _, first, group = np.unique(numbers[several], return_index=True, return_inverse=True)
    first_of = first[group]
    other = np.abs(boxes - boxes[first_of]).max(axis=1) > NEAR
    at = pa.array(first_of)
    for column in SAME:
        values = flat(rows[column])
        equal = truths(pc.equal(values, values.take(at)), null=False)
        both_null = truths(pc.is_null(values), null=True) & truths(
            pc.is_null(values.take(at)), null=True
        )
        other |= ~equal & ~both_null
    part = Part(shard_paths(of.product, "instances")[0], "instances")
    Rows(part, rows, checked).note("instance", other,
         lambda i: f"is another in tile {rows['tile_id'][int(first_of[i])].as_py()!r}")  # fmt: skip


def _check_partners(of: Keyed, every: pa.Table, checked: Checked) -> None:
    """Note true masks without an instance, and masks that are not those of the instances."""
    owner = of.tiles_of if of.table == "masks" and of.is_given else of.product
    if of.table not in ("truth", "masks") or owner is None or not has_table(owner, "instances"):
        return
    columns = ["instance_id", "tile_id"]
    theirs = pa.concat_tables(
        [pq.read_table(p, columns=columns) for p in shard_paths(owner, "instances")]
    )
    pairs = [pc.binary_join_element_wise(*(t[n] for n in columns), "\t") for t in (every, theirs)]
    part = Part(shard_paths(of.product, of.table)[0], of.table)
    alone = ~truths(pc.is_in(pairs[0], value_set=pairs[1].combine_chunks()), null=False)
    rows = Rows(part, every, checked)
    rows.note("instance", alone, lambda i: f"{owner} has no such instance")
    if of.table == "masks" and not alone.any() and not pairs[0].equals(pairs[1]):
        what = f"{len(every)} masks for {len(theirs)} instances of {owner}, or in another order"
        checked.findings.add("instance", f"{part.path.name}: {what}")


def check_tile_ids(rows: Rows) -> None:
    """Note tiles whose id is not that of their scene and place, or whose scene is no safe name."""
    numbers = (pc.cast(rows[n], pa.string()) for n in ("x0", "y0"))
    blank = pa.scalar("")
    wanted = pc.binary_join_element_wise(rows["scene_id"], blank, *numbers, "_")
    other = ~truths(pc.equal(rows["tile_id"], wanted), null=False)
    other |= ~truths(pc.match_substring_regex(rows["scene_id"], SCENE), null=False)
    other &= ~truths(pc.equal(rows["tile_id"], ""), null=True)
    rows.note("id", other,
         lambda i: f"scene {rows['scene_id'][i].as_py()!r} at {rows['x0'][i]}, {rows['y0'][i]}; "
         "<scene>__<x0>_<y0> is needed, of A-Z, a-z, 0-9, _, . and -")  # fmt: skip
