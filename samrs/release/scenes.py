"""Whole scenes of a release: where they lie, and each instance once, in scene px.

Tables of their own beside the tiles, which training reads: ``scenes`` and ``joined``. Instances are
joined some at a time; of the largest scene the rows of its tiles are held, and nothing of its px.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from samrs.core.errors import ProductError
from samrs.core.records import GEOREFERENCE, JOINED, SCENES, crs_name
from samrs.core.shards import ShardWriter, has_table, iter_tables, read_table, write_table
from samrs.release.joining import Views, joined_rows, portions

CHUNK_ROWS = 8192
"""Rows that are joined at once."""

NOWHERE = dict.fromkeys(name for name in GEOREFERENCE.names if name != "scene_id")
"""The columns of a scene that lies on no map."""

PLACE = ("scene_id", "x0", "y0", "width", "height")
"""Columns of a tile that say where it lies."""


def write_scenes(normalized: Path, release: Path) -> dict[str, Any]:
    """Write the tables scenes and joined of a release whose instances are written.

    Args:
        normalized: the dataset's normalize product.
        release: the release product.

    Returns:
        Number of ``scenes``, how many lie ``on_a_map`` and in which ``crs``; of ``instances`` on
        them, by the way they were joined in ``ways``.

    Raises:
        ProductError: tiles of a scene do not stand together.
    """
    tiles = read_table(normalized, "tiles", ["tile_id", "split", "gsd", *PLACE])
    rows = _scene_rows(tiles, _places(normalized))
    write_table(release, "scenes", SCENES, rows)
    ways: Counter[str] = Counter()
    with ShardWriter(release, "joined", JOINED) as writer:
        for part, views in _whole_scenes(release, tiles, rows):
            joined = joined_rows(part, views)
            ways.update(joined["way"].to_pylist())
            writer.write_table(joined)
    systems = Counter(crs_name(row["crs"]) for row in rows if row["crs"] is not None)
    return {
        "scenes": len(rows),
        "on_a_map": systems.total(),
        "crs": dict(sorted(systems.items())),
        "instances": ways.total(),
        "ways": dict(sorted(ways.items())),
    }


def _places(normalized: Path) -> dict[str, dict[str, Any]]:
    """Rows of the table georeference by scene, those that there are."""
    if not has_table(normalized, "georeference"):
        return {}
    return {row["scene_id"]: row for row in read_table(normalized, "georeference").to_pylist()}


def _scene_rows(tiles: pa.Table, places: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table scenes, in the order of their first tiles."""
    found: dict[str, dict[str, Any]] = {}
    for tile in tiles.to_pylist():
        name = tile["scene_id"]
        place = places.get(name, NOWHERE)
        start = {key: tile[key] for key in ("scene_id", "split", "gsd")} | place
        row = found.setdefault(name, {**start, "width": 0, "height": 0})
        row["width"] = max(row["width"], tile["x0"] + tile["width"])
        row["height"] = max(row["height"], tile["y0"] + tile["height"])
    return list(found.values())


def _whole_scenes(
    release: Path, tiles: pa.Table, scenes: list[dict[str, Any]]
) -> Iterator[tuple[pa.Table, Views]]:
    """Rows of some instances at a time, all of each, in the order of the table joined."""
    numbers = pa.array([scene["scene_id"] for scene in scenes], pa.string())
    of_tile = pc.index_in(tiles["scene_id"], value_set=numbers).to_numpy()
    if (np.diff(of_tile, prepend=0) < 0).any():
        raise ProductError(
            f"{release}: tiles of a scene do not stand together, got them in another order; that "
            "of the scenes is allowed; run the stage normalize again"
        )
    windows = np.stack([tiles[name].to_numpy().astype(np.int64) for name in PLACE[1:]], axis=1)
    sizes_hw = np.array([[s["height"], s["width"]] for s in scenes], np.int64).reshape(-1, 2)
    ids = tiles["tile_id"].combine_chunks()
    held: list[pa.Table] = []
    for some in [*iter_tables(release, "instances", batch_rows=CHUNK_ROWS), None]:
        if some is not None:
            held.append(some)
        rows = pa.concat_tables(held) if held else JOINED.empty_table()
        if not len(rows):
            continue
        places = pc.index_in(rows["tile_id"], value_set=ids).to_numpy()
        of_row = of_tile[places]
        end = len(rows) if some is None else int(np.searchsorted(of_row, of_row[-1]))
        held = [rows.slice(end)]
        if end:
            whole = rows.slice(0, end).combine_chunks()
            for part in portions(whole, of_row[:end], CHUNK_ROWS):
                views = Views(numbers, of_row[part], windows[places[part]], sizes_hw)
                yield whole.take(pa.array(part)), views
