"""What an export reads: the tiles of a release with their instances, a few in memory at a time.

A format is a file of ``export/formats`` with ``write(subset, out) -> summary``; ``export.py`` makes
the ``Subset``. Nothing of a dataset names a file as it is: see ``safe_name``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.images import decode_labels
from samrs.core.label_png import encode_labels
from samrs.core.names import one_word, safe_name
from samrs.core.progress import progress
from samrs.core.records import (
    BACKGROUND,
    IGNORE,
    SCENES,
    SCORES,
    Georeference,
    first_label,
    label_names,
)
from samrs.core.runs import rle_runs
from samrs.core.shards import by_tile, read_table, shard_paths
from samrs.drawing.palette import NO_OBJECT
from samrs.export.files import write_file
from samrs.export.world_file import write_place
from samrs.reading.annotations import IMAGE_SUFFIXES
from samrs.release.overlap import paint
from samrs.verify.refusal import sound_rows

Row = dict[str, Any]
LEVELS = ("tile", "scene")
"""What an export has once: an instance for each tile that shows it, or for its scene."""

_TILE = ("tile_id", "scene_id", "split", "x0", "y0", "width", "height", "gsd")
_KEYS = ("instance_id", "tile_id", "category_id", "category", "rle")


@dataclass(frozen=True, kw_only=True)
class ExportedTile:
    """One tile to export; at the level ``scene`` a whole scene, without its pixels.

    Args:
        name: safe, unique name of its files, without suffix.
        split: safe name of its split.
        suffix: of its image, with the dot.
        image: the encoded image; None where images are not exported.
        label_map: (H, W) label ids as 8-bit PNG; None where not asked for.
        about: its row of the tiles table, without image; of a scene, its row of the table scenes.
        place: where it lies; None where that is not known.
        rows: its instances; ``label`` is the class in the export.
    """

    name: str
    split: str
    suffix: str
    image: bytes | None
    label_map: bytes | None
    about: Row
    place: Georeference | None
    rows: list[Row]

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.about["width"], self.about["height"]

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.about["height"], self.about["width"]

    @property
    def file(self) -> str:
        """Name of its image file."""
        return self.name + self.suffix

    def write_image(self, folder: Path) -> None:
        """Write its image into a folder, which is made; nothing where images are left out."""
        if self.image is not None:
            self.write_picture(folder / self.file, self.image)

    def write_picture(self, path: Path, data: bytes) -> None:
        """Write a picture of the tile's px, with files that say where it lies, where it does.

        Args:
            path: of the file, in a folder that is made.
            data: the encoded picture.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
        if self.place is not None:
            write_place(path, self.place)

    def labels(self) -> NDArray[np.uint8]:
        """The (H, W) label ids, 255 = unlabelled."""
        return decode_labels(self.label_map or b"", self.name)


@dataclass(frozen=True, kw_only=True)
class Subset:
    """What of a release is exported, and how.

    Args:
        release: the release product.
        name: the subset's name, e.g. ``SOTA``; ``stem`` is its safe, lower-case form.
        manifest: the release's manifest.
        categories: exported classes; the label of each is its place here.
        labels: label in the export by label in the release, for exported classes.
        palette: RGB of each exported label.
        splits: exported splits in the order of their names.
        images: whether pixels are exported.
        order: the release's overlap rule: masks are painted in the order of their area times this,
            the topmost last; of equal ones the later is on top.
        level: of what rows are exported: one of LEVELS.
    """

    release: Path
    name: str
    manifest: Mapping[str, Any]
    categories: tuple[str, ...]
    labels: Mapping[int, int]
    palette: Sequence[tuple[int, int, int]]
    splits: tuple[str, ...]
    images: bool
    order: int
    level: str = "tile"

    @property
    def stem(self) -> str:
        return safe_name(self.name.lower())

    @property
    def first(self) -> int:
        """The label of the first class in label maps: 1 where they tell the background, else 0."""
        return first_label(self.manifest)

    @property
    def map_names(self) -> tuple[str, ...]:
        """What each label id of the exported label maps means."""
        return (*([BACKGROUND] * self.first), *self.categories)

    @property
    def map_palette(self) -> list[tuple[int, int, int]]:
        """RGB of each label id of the exported label maps."""
        return [*([NO_OBJECT] * self.first), *self.palette]

    @property
    def folders(self) -> tuple[str, ...]:
        """Safe names of the exported splits."""
        return tuple(safe_name(split) for split in self.splits)

    @cached_property
    def scores(self) -> tuple[str, ...]:
        """Names of the scores that the release has."""
        there = pq.read_schema(shard_paths(self.release, "instances")[0]).names
        return tuple(name for name in SCORES if name in there)

    def scenes(self) -> list[Row]:
        """Rows of the table scenes, of all splits.

        Raises:
            ProductError: the release is not sound.
        """
        names = self.manifest["categories"]
        return list(sound_rows(self.release, "scenes", names, SCENES.names, 4096))

    @cached_property
    def most_instances(self) -> int:
        """The most exported instances of one tile; at the level ``scene``, of one scene."""
        if self.level == "scene":
            return self._most("scenes", "joined", "scene_id")
        return self._most("tiles", "instances", "tile_id")

    def _most(self, table: str, of: str, key: str) -> int:
        tiles = read_table(self.release, table, [key, "split"])
        chosen = tiles.filter(pc.is_in(tiles["split"], pa.array(self.splits)))[key]
        rows = read_table(self.release, of, [key, "category_id"])
        wanted = pc.is_in(rows["category_id"], pa.array(list(self.labels), pa.int32()))
        rows = rows.filter(pc.and_(wanted, pc.is_in(rows[key], chosen.combine_chunks())))
        counts = rows.group_by(key).aggregate([([], "count_all")])["count_all"]
        return pc.max(counts).as_py() or 0

    def words(self) -> list[str]:
        """Class names without blanks, for files where blanks part columns.

        Raises:
            ProductError: two names would be one.
        """
        words = [one_word(name) for name in self.categories]
        for i, word in enumerate(words):
            if (first := words.index(word)) < i:
                raise ProductError(
                    f"{self.release}: two classes would be one, got {self.categories[first]!r} "
                    f"and {self.categories[i]!r}, both {word!r} in a file whose columns blanks "
                    "part; names that differ in more than blanks are allowed; rename one in the "
                    "dataset, or choose another format"
                )
        return words

    def tiles(self, columns: Sequence[str], *, semantic: bool = False) -> Iterator[ExportedTile]:
        """The exported tiles in stored order, those without instances included.

        At the level ``scene`` these are scenes, each with its joined instances; of pixels and label
        maps nothing is as large.

        Args:
            columns: what of each instance is needed beyond its class.
            semantic: whether to bring the label maps. Those of a choice of classes are painted
                anew, since a class left out may have hidden one that stays; what no class that
                stays covers is background only where the release has it so.

        Raises:
            ProductError: ``samrs verify`` would find fault with what is read, the tables do not
                belong together, or two tiles share a name.
        """
        if self.level == "scene":
            yield from self._whole_scenes(columns)
            return
        every = len(self.labels) == len(self.manifest["categories"])
        repaint = semantic and not every
        names = [*_TILE, "image" if self.images else "image.path"]
        tiles = self.rows("tiles", names, 8 if self.images else 512)
        rows = self.rows("instances", sorted({*_KEYS, *columns}), 4096)
        told = semantic and (every or self.first > 0)
        maps = self.rows("semantic", ["tile_id", "label_map"], 8) if told else None
        total = sum(pq.read_metadata(p).num_rows for p in shard_paths(self.release, "tiles"))
        found = by_tile(self.release, tiles, rows)
        places = self._places()
        seen: set[str] = set()
        for row, instances in progress(found, desc=self.stem, unit="tile", total=total):
            label_map = None if maps is None else self._map(maps, row)
            if row["split"] not in self.splits:
                continue
            image, place = row.pop("image"), places.get(row["scene_id"])
            tile = ExportedTile(
                name=self.unique(row["tile_id"], seen),
                split=safe_name(row["split"]),
                suffix=self._suffix(row["tile_id"], image["path"]),
                image=image["bytes"] if self.images else None,
                label_map=label_map,
                about=row,
                place=place and place.of_part(row["x0"], row["y0"]),
                rows=self._kept(instances),
            )
            yield self._painted(tile) if repaint else tile

    def _whole_scenes(self, columns: Sequence[str]) -> Iterator[ExportedTile]:
        """The exported scenes; a picture's name has the suffix of its first tile."""
        suffixes = self._suffixes()
        names = sorted({"instance_id", "scene_id", *_KEYS[2:], *columns})
        rows = self.rows("joined", names, 4096)
        scenes = self.scenes()
        found = by_tile(self.release, scenes, rows, "scene_id")
        seen: set[str] = set()
        for row, instances in progress(found, desc=self.stem, unit="scene", total=len(scenes)):
            if row["split"] in self.splits:
                yield ExportedTile(
                    name=self.unique(row["scene_id"], seen),
                    split=safe_name(row["split"]),
                    suffix=suffixes[row["scene_id"]],
                    image=None,
                    label_map=None,
                    about={**row, "x0": 0, "y0": 0},
                    place=place_of(row),
                    rows=self._kept(instances),
                )

    def _suffixes(self) -> dict[str, str]:
        """By scene, the suffix of its first tile's image."""
        found: dict[str, str] = {}
        for row in self.rows("tiles", [*_TILE, "image.path"], 4096):
            if row["scene_id"] not in found:
                found[row["scene_id"]] = self._suffix(row["tile_id"], row["image"]["path"])
        return found

    def _places(self) -> dict[str, Georeference]:
        """By scene, where it lies: those of which it is known."""
        places = {row["scene_id"]: place_of(row) for row in self.scenes()}
        return {name: place for name, place in places.items() if place is not None}

    def rows(self, table: str, columns: Sequence[str], batch_rows: int) -> Iterator[Row]:
        """Rows of a table of the release, checked as they are read.

        Args:
            table: one of READ_AS in ``samrs/verify/refusal.py``.
            columns: of the table.
            batch_rows: rows held in memory.
        """
        manifest = self.manifest
        names = label_names(manifest) if table == "semantic" else manifest["categories"]
        return sound_rows(self.release, table, names, columns, batch_rows)

    def unique(self, tile_id: str, seen: set[str]) -> str:
        """A safe name for the files of a tile or scene.

        Args:
            seen: names that others have, in lower case; takes this one.

        Raises:
            ProductError: another has that name.
        """
        name = safe_name(tile_id)
        if name.lower() in seen:  # not all file systems tell A from a
            raise ProductError(
                f"{self.release}: two tiles would have the same files, got {name!r} for "
                f"{tile_id!r}; names that differ in more than case and special characters are "
                "allowed; rename the scenes"
            )
        seen.add(name.lower())
        return name

    def _suffix(self, tile_id: str, path: str) -> str:
        suffix = PurePosixPath(path or "").suffix.lower()
        if suffix not in IMAGE_SUFFIXES:
            raise ProductError(
                f"{self.release}: image of {tile_id!r} has no known suffix, got {path!r}; "
                f"{', '.join(IMAGE_SUFFIXES)} are allowed; run normalize again"
            )
        return suffix

    def _kept(self, instances: list[Row]) -> list[Row]:
        """Instances of exported classes."""
        kept = []
        for row in instances:
            label = self.labels.get(row["category_id"])
            if label is not None:
                row["label"] = label
                kept.append(row)
        return kept

    def _map(self, maps: Iterator[Row], tile: Row) -> bytes:
        row: Row = next(maps, {"tile_id": None})
        if row["tile_id"] != tile["tile_id"]:
            raise ProductError(
                f"{self.release}: label maps do not follow the tiles, got that of "
                f"{row['tile_id']!r} where {tile['tile_id']!r} stands; the order of the tiles "
                "table is allowed; run release again"
            )
        data: bytes = row["label_map"]["bytes"]
        return data

    def _painted(self, tile: ExportedTile) -> ExportedTile:
        labels = [row["label"] + self.first for row in tile.rows]
        painted = self.paint(tile, labels, background=IGNORE).astype(np.uint8)
        if self.first:
            painted[(tile.labels() == 0) & (painted == IGNORE)] = 0
        return replace(tile, label_map=encode_labels(painted))

    def paint(
        self, tile: ExportedTile, values: Sequence[int], *, background: int
    ) -> NDArray[np.int32]:
        """A (H, W) map with a value for each instance, overlaps decided as in the release.

        Args:
            tile: one of ``tiles``, with the column rle.
            values: one an instance.
            background: the value where there is no instance.
        """
        runs = rle_runs([row["rle"] for row in tile.rows])
        tiles, sizes_hw = np.zeros(len(tile.rows), np.int64), np.array([tile.size_hw], np.int64)
        painted = paint(
            runs, tiles, sizes_hw, np.array(values, np.int32),
            order=self.order, background=background,
        )  # fmt: skip
        return painted.reshape(tile.size_hw).astype(np.int32, copy=False)


def place_of(scene: Row) -> Georeference | None:
    """Where a scene lies; None where that is not known.

    Args:
        scene: a row of the table scenes.
    """
    if scene["crs"] is None:
        return None
    return Georeference(scene["crs"], tuple(scene["transform"]))


def without_nulls(row: Row, names: Sequence[str]) -> Row:
    """Those values of a row that are there and numbers: JSON knows no NaN."""
    return {name: row[name] for name in names if row[name] is not None and row[name] == row[name]}
