"""Scenes that are cut already: what a killed or outdated run leaves to the next one.

What is kept is what was written: all shards that end after the same scene, with a note of which
rows are of which scene (``work/parts.py``). A scene is found by a hash of its files and annotations
(``scene_key.py``), the shards by that of all their scenes. Shards none of whose scenes changed are
taken as they are; of others the scenes that did not change give their rows, pictures encoded as
they are, and the others are cut anew. A killed run loses the shards it was writing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from samrs.core.shards import json_text, sha256
from samrs.normalize.scene_rows import Cut, Scene
from samrs.work.fingerprint import fingerprint
from samrs.work.parts import Part, Parts

log = logging.getLogger("samrs")

CODE = ("samrs.normalize.normalize",)
LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "pyarrow",
    "pycocotools",
    "rasterio",
    "zlib-ng",
)
"""Code and libraries that decide a shard's bytes; what readers find is part of a scene's key."""


@dataclass(frozen=True)
class Summary:
    """What is counted of a scene, and where its rows stand.

    Args:
        scene_id: its id.
        split: its split.
        num_bytes: of its encoded tiles.
        rows: number of its rows by table; of a scene that was set aside, none.
        counts: what metrics sum up.
        quarantine: rows of that table.
    """

    scene_id: str
    split: str
    num_bytes: int
    rows: dict[str, int]
    counts: dict[str, int]
    quarantine: list[dict[str, Any]]


def summary_of(scene: Scene) -> Summary:
    """What is counted of a scene that was just made; its tiles are not read."""
    tiles = scene.rows.get("tiles", [])
    instances = scene.instances
    counts = {} if instances is None else instances.counts()
    rows = {table: len(rows) for table, rows in scene.rows.items()}
    if instances is not None:
        rows["instances"] = len(instances)
        counts = {
            "scenes": 1,
            "tiles": len(tiles),
            "tiles_empty": len(tiles) - counts["tiles"],
            "tiles_without_data": scene.without_data,
            "instances": counts["instances"],
            "instance_rows": len(instances),
            "with_obb": counts["with_obb"],
            "with_truth": counts["with_truth"],
            "difficult_left_out": scene.left_out,
        }
    return Summary(
        scene.record.scene_id,
        scene.record.split,
        scene.tiles.num_bytes() if tiles else 0,
        {table: number for table, number in rows.items() if number},
        counts,
        scene.quarantine.rows,
    )


@dataclass(frozen=True)
class Place:
    """Where a kept scene's rows begin in its part, by table."""

    part: Part
    begins: Mapping[str, int]


class KeptScenes:
    """The kept scenes of one dataset.

    Args:
        parts: those of this dataset.
    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._summaries: dict[str, Summary] = {}
        self._places: dict[str, Place] = {}
        self._read: dict[str, tuple[Path, int, pa.Table]] = {}
        for part in parts:
            self._index(part)

    def _index(self, part: Part) -> None:
        begins: dict[str, int] = {}
        for key, values in part.about["scenes"]:
            summary = Summary(**values)
            self._summaries[key] = summary
            self._places[key] = Place(part, dict(begins))
            for table, number in summary.rows.items():
                begins[table] = begins.get(table, 0) + number

    def find(self, key: str | None) -> Summary | None:
        """What is known of a scene, None where it is not kept.

        Args:
            key: of ``scene_key``.
        """
        return None if key is None else self._summaries.get(key)

    def part_of(self, keys: Sequence[str]) -> Part | None:
        """The kept shards of exactly these scenes; None where there are none.

        Args:
            keys: of the scenes, in order.
        """
        return self.parts.get(part_key(keys))

    def rows(self, key: str) -> dict[str, Iterator[dict[str, Any]]] | None:
        """A kept scene's rows by table; None where they are damaged.

        Args:
            key: of the scene.
        """
        place = self._places[key]
        if not self.parts.sound(place.part):
            return None
        return {
            table: self._rows(place.part, table, place.begins.get(table, 0), number)
            for table, number in self._summaries[key].rows.items()
        }

    def _rows(self, part: Part, table: str, begin: int, number: int) -> Iterator[dict[str, Any]]:
        """Some rows of a table, by row groups: pictures are not decoded."""
        names = [name for name in part.files if name.startswith(f"{table}-")]
        for path in (part.folder / name for name in names):
            meta = pq.read_metadata(path)
            for group in range(meta.num_row_groups):
                size = meta.row_group(group).num_rows
                if begin < size and number > 0:
                    some = self._group(table, path, group).slice(begin, number)
                    yield from some.to_pylist()
                    number -= len(some)
                begin = max(0, begin - size)

    def _group(self, table: str, path: Path, group: int) -> pa.Table:
        """A row group; the last one of a table stays, as neighbours are often asked for."""
        held = self._read.get(table)
        if held is None or held[:2] != (path, group):
            with pq.ParquetFile(path) as file:
                held = (path, group, file.read_row_group(group))
            self._read[table] = held
        return held[2]

    def keep(self, scenes: Sequence[tuple[str, Summary]], files: Sequence[Path]) -> dict[str, str]:
        """Keep shards that end after the same scene; returns the sha256 of each by its name.

        Args:
            scenes: key and summary of each of theirs, in order.
            files: the shards, whole.
        """
        digests = {file.name: sha256(file) for file in files}
        about = {"scenes": [(key, asdict(summary)) for key, summary in scenes]}
        self.parts.keep(part_key([key for key, _ in scenes]), about, files, digests)
        return digests


def part_key(keys: Sequence[str]) -> str:
    """The name of the shards of some scenes.

    Args:
        keys: of the scenes, in order.
    """
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


@contextmanager
def kept_scenes(work: Path | None, cut: Cut) -> Iterator[KeptScenes | None]:
    """The kept scenes of a dataset, for one process at a time; None where none are kept.

    Args:
        work: folder of the dataset's kept scenes, or None.
        cut: how scenes are cut.

    Raises:
        ProductError: another process holds them.
    """
    if work is None:
        yield None
        return
    parameters = json_text({**vars(cut), "categories": list(cut.categories)}, ascii=True)
    job = fingerprint({"cut": parameters}, code=CODE, libraries=LIBRARIES)
    with Parts(work, job, "normalizes this dataset") as parts:
        yield KeptScenes(parts)
