"""Scenes, kept or made, to the product's tables; those a dataset does not have are not written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from samrs.core.records import SceneRecord
from samrs.core.shards import ShardWriter
from samrs.normalize.kept_scenes import KeptScenes, Summary, summary_of
from samrs.normalize.scene_key import Beside, scene_key, with_labels
from samrs.normalize.scene_rows import SCHEMAS, Scene
from samrs.normalize.shard_ends import Boundaries

ALWAYS = ("tiles", "instances")
LARGEST_SHARD = 2**28
"""Bytes at which a shard ends even within a scene."""

Make = Callable[[SceneRecord], Scene]


@dataclass
class Found:
    """A scene that is kept, or was made.

    Args:
        record: what it is made of.
        key: its name among kept ones; None: it cannot be kept.
        summary: what is counted of it.
        scene: its rows where it was made.
    """

    record: SceneRecord
    key: str | None
    summary: Summary
    scene: Scene | None


def found_or_made(
    record: SceneRecord, *, source: Path, kept: KeptScenes | None, beside: Beside, make: Make
) -> Found:
    """A scene as it is kept, or else made anew.

    Args:
        record: of the scene.
        source: the dataset's folder.
        kept: scenes of earlier runs, or None.
        beside: finds images' side files.
        make: makes a scene.
    """
    labelled = with_labels(record)
    key = None
    if labelled is not None and kept is not None:
        key = scene_key(record, source, beside, labelled[1])
    summary = None if kept is None else kept.find(key)
    if summary is not None:  # it waits for its shard's end, without the decoded map
        return Found(record, key, summary, None)
    scene = make(record if labelled is None else labelled[0])
    return Found(record, key, summary_of(scene), scene)


class Tables:
    """The product's tables; a context manager, which ends their last shards.

    Args:
        out: the product.
        kept: scenes of earlier runs, to which those of this one are added; or None.
        make: makes a scene whose kept rows are damaged.

    Attributes:
        digests: sha256 of the finished shards by name, where they were read.
    """

    def __init__(self, out: Path, kept: KeptScenes | None, make: Make) -> None:
        self._out, self._stack = out, ExitStack()
        self._kept, self._make = kept, make
        self._writers: dict[str, ShardWriter] = {}
        self._boundaries = Boundaries()
        self._scenes: list[tuple[str | None, Summary]] = []
        self._held: list[Found] = []
        self._begun: dict[str, int] = {}
        self._written = self._counted = self._cut = 0
        self.digests: dict[str, str] = {}

    def __enter__(self) -> Self:
        for table in ALWAYS:
            self._writer(table)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def told(self) -> str:
        """In words how many scenes were cut and how many were kept."""
        kept = self._counted - self._cut
        told = f"{self._cut} of {self._counted} scenes cut"
        return f"{told}, {kept} kept from earlier runs" if kept else told

    def write(self, found: Found) -> None:
        """Add a scene; where a shard ends after it, that of every table does.

        Args:
            found: the next scene in order; one that was set aside has no rows.
        """
        self._scenes.append((found.key, found.summary))
        self._held.append(found)
        self._counted += 1
        if found.scene is not None:  # so the shard is none that is kept
            self._cut += 1
            self._write_held()
        summary = found.summary
        if summary.rows and self._boundaries.ends_after(summary.scene_id, summary.num_bytes):
            self.end_shards()

    def end_shards(self) -> None:
        """End the shard of every table; take it as it is kept, or keep it."""
        keys = [key for key, _ in self._scenes]
        whole = [key for key in keys if key is not None]
        if self._kept is not None and len(whole) == len(keys) and keys:
            if not (self._written == 0 and self._take(self._kept, whole)):
                self._write_held()
                self._end_writers()
                scenes = [(key, s) for key, s in self._scenes if key is not None]
                self.digests |= self._kept.keep(scenes, self._finished())
        else:
            self._write_held()
            self._end_writers()
        self._scenes, self._held, self._written = [], [], 0
        self._begun = {table: len(w.finished) for table, w in self._writers.items()}

    def _take(self, kept: KeptScenes, keys: list[str]) -> bool:
        """Take the shards of these scenes as they are kept; False where they are not."""
        part = kept.part_of(keys)
        if part is None:
            return False
        tables = {name: name.rpartition("-")[0] for name in part.files}
        targets: dict[str, Path] = {}
        for table in dict.fromkeys(tables.values()):
            names = [name for name in part.files if tables[name] == table]
            targets |= zip(names, self._writer(table).next_paths(len(names)), strict=True)
        if not kept.parts.take(part, targets):
            return False
        for name, path in targets.items():
            self._writer(tables[name]).adopt([path])
            self.digests[path.name] = part.files[name]
        self._held = []
        return True

    def _end_writers(self) -> None:
        for writer in self._writers.values():
            writer.end_shard()

    def _finished(self) -> list[Path]:
        """The shards that ended since the last scene after which all did."""
        return [
            path
            for table, writer in self._writers.items()
            for path in writer.finished[self._begun.get(table, 0) :]
        ]

    def _write_held(self) -> None:
        """Write the rows of the scenes that wait for what becomes of their shard."""
        for found in self._held:
            self._written += 1
            rows = None
            if found.scene is None and self._kept is not None and found.key is not None:
                rows = self._kept.rows(found.key)
                if rows is None:  # damaged
                    self._cut += 1
            if rows is not None:
                for table, some in rows.items():
                    self._write_rows(table, some)
            else:
                self._write_scene(found.scene or self._make(found.record))
        self._held = []

    def _write_scene(self, scene: Scene) -> None:
        if not scene.rows:  # it was set aside
            return
        for row, data in zip(scene.rows["tiles"], scene.tiles.take(), strict=True):
            self._writer("tiles").write({**row, "image": {**row["image"], "bytes": data}})
        for table, rows in (*scene.rows.items(), ("instances", scene.instances or ())):
            if table != "tiles":
                self._write_rows(table, rows)

    def _write_rows(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            self._writer(table).write(row)

    def _writer(self, table: str) -> ShardWriter:
        if table not in self._writers:
            writer = ShardWriter(self._out, table, SCHEMAS[table], LARGEST_SHARD)
            self._writers[table] = self._stack.enter_context(writer)
        return self._writers[table]
