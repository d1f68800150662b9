"""Parts of tables that were found sound before, and so are not checked again.

A part is told by the sha256 of its shard, which is compared with the file's bytes at each run, and
by all else that its checks look at: what the manifest says of rows, and the tiles, scenes and sums
of masks that its rows name. Only what is sound is kept, in one file for each product, of the parts
that the last run looked at.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from samrs.core.shards import json_text
from samrs.verify.parts import Checked, Part, Tiles, mask_areas, scenes_in, tiles_in
from samrs.work.fingerprint import fingerprint
from samrs.work.kept import keep, kept
from samrs.work.told import told

CODE = ("samrs.verify.verify",)
LIBRARIES = ("numpy", "opencv-python-headless", "pyarrow", "pycocotools", "zlib-ng")

SUMS = [field.name for field in fields(Checked) if field.name not in ("findings", "tiles")]
"""What is kept of a part."""


class KeptChecks:
    """The sound parts of one product.

    Args:
        folder: of all products' files; made if missing. None keeps nothing.
        product: the product's folder, by whose place it is known.
    """

    def __init__(self, folder: Path | None, product: Path) -> None:
        self._path, self._job = None, ""
        self._known: dict[str, dict[str, Any]] = {}
        self._used: dict[str, dict[str, Any]] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            place = hashlib.sha256(str(product.resolve()).encode("utf-8", "surrogateescape"))
            self._path = folder / f"{place.hexdigest()[:16]}.sound"
            self._job = fingerprint({}, code=CODE, libraries=LIBRARIES)
            said = json.loads(kept(self._path) or b"{}")
            self._known = said.get(self._job, {})

    def find(self, part: Part, digest: str | None) -> tuple[str | None, Checked | None]:
        """The name of a part, and what was found in it where it was sound; or None.

        Args:
            part: some row groups of a shard.
            digest: sha256 of the shard's bytes; None where that is not known.
        """
        if self._path is None or digest is None:
            return None, None
        key = part_key(part, digest)
        values = self._known.get(key)
        if values is None:
            return key, None
        self._used[key] = values
        found = Checked()
        for name, value in values.items():
            kind = getattr(found, name)
            is_array = isinstance(kind, np.ndarray)
            setattr(found, name, np.array(value, dtype=kind.dtype) if is_array else value)
        return key, found

    def add(self, key: str | None, checked: Checked) -> None:
        """Keep a part that is sound.

        Args:
            key: of ``find``.
            checked: what was found in it.
        """
        if key is not None and not checked.findings:
            values = {name: getattr(checked, name) for name in SUMS}
            self._used[key] = {
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in values.items()
            }

    def write(self) -> None:
        """Keep what this run found sound, and nothing else."""
        if self._path is not None and self._used != self._known:
            keep(self._path, json_text({self._job: self._used}).encode())


def part_key(part: Part, digest: str) -> str:
    """The name of a part: a hash of all that its checks look at.

    Args:
        part: some row groups of a shard.
        digest: sha256 of the shard's bytes.
    """
    values = [digest, part.table, part.row_groups, part.said]
    whole = hashlib.sha256()
    for some in told([values, *_named(part)]):
        whole.update(some)
    return whole.hexdigest()[:32]


def _named(part: Part) -> Iterator[Any]:
    """What a part's rows name of other tables."""
    if part.tiles_of is None:
        return
    yield str(part.tiles_of) != str(part.path.parent)
    with pq.ParquetFile(part.path) as file:
        there = [name for name in ("tile_id", "scene_id") if name in file.schema_arrow.names]
        if not there:
            return
        rows = file.read_row_groups(list(part.row_groups), columns=there[:1])
    names = pc.unique(rows[there[0]])
    tiles = tiles_in(part.tiles_of)
    own = tiles.ids if there[0] == "tile_id" else tiles.scenes
    places = np.flatnonzero(pc.is_in(own, value_set=names).to_numpy(zero_copy_only=False))
    yield from _told_tiles(tiles, places)
    if part.table == "joined":
        scenes = scenes_in(part.path.parent)
        found = pc.is_in(scenes.ids, value_set=names).to_numpy(zero_copy_only=False)
        yield from _told_tiles(scenes, np.flatnonzero(found))
    if part.masks_of is not None:
        yield mask_areas(part.masks_of, len(part.said.categories))[places]


def _told_tiles(tiles: Tiles, places: Any) -> Iterator[Any]:
    """Some tiles: texts, sizes, and places in their scenes."""
    at = pa.array(places, pa.int64())
    yield [column.take(at).to_pylist() for column in (tiles.ids, tiles.scenes, tiles.splits)]
    yield tiles.sizes_hw[places]
    yield tiles.places_xy[places]
