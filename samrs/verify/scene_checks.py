"""Checks of a release's scenes, and of the instances that were joined on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from samrs.core.records import WAYS
from samrs.core.shards import read_table
from samrs.verify.keys import SCENE
from samrs.verify.mask_checks import check_masks
from samrs.verify.parts import (
    Checked,
    Rows,
    coordinates,
    flat,
    name,
    places_in,
    tiles_in,
    tiles_of,
    truths,
    whole_numbers,
)
from samrs.verify.row_checks import (
    PLACE,
    check_boxes,
    check_categories,
    check_places,
    check_scores,
    check_sources,
    check_tiles,
    check_values,
)


def check_scenes(rows: Rows) -> None:
    """A scene is as large as its tiles reach, of their split, and has a place or none."""
    check_tiles(rows)
    check_values(rows)
    check_places(rows)
    unsafe = ~truths(pc.match_substring_regex(rows["scene_id"], SCENE), null=False)
    rows.note("id", unsafe, lambda i: "no safe name")
    none = [truths(pc.is_null(rows[column]), null=True) for column in PLACE]
    half = none[0] != none[1]
    half |= ~none[1] & ~np.isfinite(coordinates(rows[PLACE[1]])).all(axis=1)
    rows.note("value", half, lambda i: "half a place")
    if rows.part.tiles_of is None:
        return
    tiles = tiles_in(rows.part.tiles_of)
    names = flat(rows["scene_id"])
    of_tile = whole_numbers(pc.index_in(tiles.scenes, value_set=names), -1)
    there = of_tile >= 0
    reach = np.zeros((len(rows), 2), dtype=np.int64)
    np.maximum.at(reach, of_tile[there], (tiles.places_xy[:, ::-1] + tiles.sizes_hw)[there])
    sizes = np.stack([whole_numbers(rows[n], 0) for n in ("height", "width")], axis=1)
    other = (reach > 0).all(axis=1) & (reach != sizes).any(axis=1)
    rows.note("tile", other,
         lambda i: f"{sizes[i].tolist()} px, its tiles reach {reach[i].tolist()}")  # fmt: skip
    first = whole_numbers(pc.index_in(names, value_set=tiles.scenes), -1)
    wanted = tiles.splits.take(pa.array(np.maximum(first, 0)))
    odd = (first >= 0) & ~truths(pc.equal(flat(rows["split"]), wanted), null=False)
    rows.note("split", odd, lambda i: "its tiles are of another")


def check_joined(rows: Rows) -> None:
    """A joined instance is checked as a released one is, its scene as a tile.

    Sums are of tiles, so nothing is added to them.
    """
    names = ["tile_id" if n == "scene_id" else n for n in rows.column_names]
    part = replace(rows.part, table="joined")
    own = Rows(part, rows.table.rename_columns(names), Checked())
    for check in (check_categories, check_masks, check_values, check_scores):
        check(own)
    if own.has("source_file", "source_line"):
        check_sources(own)
    if own.has("hbb", "hbb_annotated", "visible"):
        check_boxes(own)
    on = tiles_of(part)
    if on is not None:
        own.note("unknown_tile", places_in(on, own) < 0, lambda i: "there is no such scene")
    if own.has("way", "tiles"):
        odd = ~truths(pc.is_in(own["way"], value_set=pa.array(WAYS)), null=False)
        odd |= whole_numbers(own["tiles"], 0) < 1
        own.note("value", odd, lambda i: f"way {own['way'][i]} of {own['tiles'][i]} tiles")
    rows.checked.findings.join(own.checked.findings)


def check_scene_keys(release: Path) -> Checked:
    """Each scene and each instance stands once, and the instances are those of the tiles.

    Args:
        release: with all of its tables.
    """
    checked = Checked()
    for table, column in (("scenes", "scene_id"), ("joined", "instance_id")):
        rows = read_table(release, table, [column])
        counts = rows.group_by(column).aggregate([([], "count_all")])
        again = counts.filter(pc.greater(counts["count_all"], 1))
        named = (f"{table}: {name(again, i)} stands twice" for i in range(len(again)))
        checked.findings.add_many("duplicate", len(again), named)
    there = pc.unique(read_table(release, "instances", ["instance_id"])["instance_id"])
    joined = flat(read_table(release, "joined", ["instance_id"])["instance_id"])
    for ids, others, where in ((joined, there, "tile"), (there, joined, "scene")):
        alone = ids.filter(pc.invert(pc.is_in(ids, value_set=others)))
        named = (f"joined: instance {i.as_py()!r}: is on no {where}" for i in alone)
        checked.findings.add_many("instance", len(alone), named)
    return checked
