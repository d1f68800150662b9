"""Checks of one part of a table at a time, in whatever process it stands.

Nothing here trusts the file: what Arrow cannot read is a finding, and ids are shown as they can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.shards import sha256
from samrs.verify.mask_checks import check_label_maps, check_masks
from samrs.verify.parts import Checked, Part, Rows
from samrs.verify.row_checks import (
    check_boxes,
    check_categories,
    check_outlines,
    check_places,
    check_scores,
    check_sources,
    check_thresholds,
    check_tiles,
    check_values,
)
from samrs.verify.scene_checks import check_joined, check_scenes

BATCH_ROWS = 8192

Check = Callable[[Rows], None]
CHECKS: dict[str, Sequence[Check]] = {
    "tiles": (check_tiles, check_values),
    "instances": (check_categories, check_sources, check_boxes, check_values),
    "released": (
        check_categories,
        check_sources,
        check_boxes,
        check_masks,
        check_values,
        check_scores,
        check_thresholds,
    ),
    "masks": (check_categories, check_masks, check_values, check_scores),
    "truth": (check_masks,),
    "semantic": (check_label_maps, check_values),
    "georeference": (check_values, check_places),
    "uncertain": (check_values, check_outlines),
    "scenes": (check_scenes,),
    "joined": (check_joined,),
    "conflicts": (check_values,),
    "quarantine": (check_values, check_sources),
}
"""What is checked of the rows of each table; ``released`` is the table instances of a release."""


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


def check_part(part: Part) -> Checked:
    """Check the rows of some row groups.

    Args:
        part: which rows of which shard, and what they are checked against.
    """
    checked = Checked()
    with pq.ParquetFile(part.path) as file:
        for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=list(part.row_groups)):
            batch.validate(full=True)
            rows = Rows(part, pa.Table.from_batches([batch]), checked)
            for check in CHECKS[part.table]:
                check(rows)
    return checked


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
                yield replace(part, row_groups=tuple(groups))
                groups, rows = [], 0
    if groups:
        yield replace(part, row_groups=tuple(groups))


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
