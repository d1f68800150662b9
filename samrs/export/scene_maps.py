"""Label maps of whole scenes, painted window by window out of the table ``joined``.

Nothing is as large as a scene: what is held is the runs of its masks, and one window. Where masks
overlap, the release's own rule decides, over all instances of the scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.images import decode_labels
from samrs.core.records import IGNORE, Georeference
from samrs.core.runs import decode_runs, text_buffers
from samrs.core.shards import by_tile
from samrs.export.subset import Row, Subset, place_of
from samrs.release.cleaning import Columns
from samrs.release.overlap import downwards
from samrs.verify.refusal import refuse, sound_tables

WINDOW = 2048
"""Px of a window's side: 4 MiB of labels, a multiple of the blocks that files are made of."""

BATCH_ROWS = 4096
COLUMNS = ("instance_id", "scene_id", "category_id", "category", "rle", "area")

Small = NDArray[np.int32]
TileMap = tuple[int, int, int, int, bytes]
"""First column and row of a tile in its scene, width and height, and its map as PNG."""

Painted = tuple[int, int, NDArray[np.uint8]]
"""First column, first row, and the (H, W) labels of a part of a map."""


@dataclass(frozen=True, kw_only=True)
class SceneMap:
    """The masks of one scene as runs within columns, the topmost last.

    Args:
        about: the scene's row of the table scenes.
        x: (R,) column of each run.
        top: (R,) its first row.
        bottom: (R,) the row after its last.
        label: (R,) what it is painted with.
        counts: (C,) masks of each exported class.
        tiles: maps of its tiles where these tell the background, else none.
    """

    about: Row
    x: Small
    top: Small
    bottom: Small
    label: NDArray[np.uint8]
    counts: NDArray[np.int64]
    tiles: tuple[TileMap, ...] = ()

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.about["height"], self.about["width"]

    @property
    def place(self) -> Georeference | None:
        """Where the scene lies; None where that is not known."""
        return place_of(self.about)

    def windows(self) -> Iterator[Painted]:
        """The map, window by window: those of a column of windows after each other."""
        height, width = self.size_hw
        for x0 in range(0, width, WINDOW):
            beside = np.flatnonzero((self.x >= x0) & (self.x < x0 + WINDOW))
            top, bottom = self.top[beside], self.bottom[beside]
            for y0 in range(0, height, WINDOW):
                size_hw = min(WINDOW, height - y0), min(WINDOW, width - x0)
                runs = beside[(bottom > y0) & (top < y0 + WINDOW)]
                yield x0, y0, self._window(runs, x0, y0, size_hw)

    def _window(
        self, runs: NDArray[np.int64], x0: int, y0: int, size_hw: tuple[int, int]
    ) -> NDArray[np.uint8]:
        height, width = size_hw
        canvas = self._ground(x0, y0, size_hw)
        top = np.maximum(self.top[runs].astype(np.int64) - y0, 0)
        bottom = np.minimum(self.bottom[runs].astype(np.int64) - y0, height)
        first = top * width + self.x[runs].astype(np.int64) - x0
        widths = np.full(len(runs), width)
        for pixels, labels in downwards(first, bottom - top, widths, self.label[runs], canvas.size):
            canvas[pixels] = labels  # of a px named several times the last stays
        return canvas.reshape(size_hw)

    def _ground(self, x0: int, y0: int, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """What is under the masks: 0 for px that are background in every tile that shows them."""
        height, width = size_hw
        ground = np.full(size_hw, IGNORE, dtype=np.uint8)
        for met in (False, True):  # what any tile calls background, then what another does not
            for left, top, wide, high, data in self.tiles:
                columns = slice(max(left - x0, 0), min(left + wide - x0, width))
                rows = slice(max(top - y0, 0), min(top + high - y0, height))
                if columns.start >= columns.stop or rows.start >= rows.stop:
                    continue
                labels = decode_labels(data, f"{self.about['scene_id']}: tile at {left}, {top}")
                part = labels[rows.start + y0 - top : rows.stop + y0 - top,
                              columns.start + x0 - left : columns.stop + x0 - left]  # fmt: skip
                ground[rows, columns][(part != 0) if met else (part == 0)] = IGNORE if met else 0
        return ground.ravel()


def scene_maps(subset: Subset) -> Iterator[SceneMap]:
    """The map of each exported scene in stored order, those without instances included.

    Raises:
        ProductError: ``samrs verify`` would find fault with what is read.
    """
    names = subset.manifest["categories"]
    tables = sound_tables(subset.release, "joined", names, COLUMNS, BATCH_ROWS)
    pieces = (piece for rows in tables for piece in _by_scene(rows, subset))
    scenes = subset.scenes()
    grounds = by_tile(subset.release, scenes, _tile_maps(subset), "scene_id")
    for scene, found in by_tile(subset.release, scenes, pieces, "scene_id"):
        tiles = [row["map"] for row in next(grounds)[1]]
        if scene["split"] in subset.splits:
            yield _map(scene, [piece["runs"] for piece in found], subset, tiles)


def _tile_maps(subset: Subset) -> Iterator[Row]:
    """The map of each tile that tells the background, as rows ``scene_id`` and ``map``."""
    if not subset.first:
        return
    columns = ["tile_id", "scene_id", "x0", "y0", "width", "height"]
    tiles = subset.rows("tiles", columns, 512)
    for tile, row in zip(tiles, subset.rows("semantic", ["tile_id", "label_map"], 8), strict=False):
        if tile["tile_id"] != row["tile_id"]:
            refuse(subset.release, f"the map of {row['tile_id']!r} where {tile['tile_id']!r} is")
        place = (tile["x0"], tile["y0"], tile["width"], tile["height"])
        yield {"scene_id": tile["scene_id"], "map": (*place, row["label_map"]["bytes"])}


@dataclass(frozen=True)
class _Runs:
    """Runs of some masks of a scene.

    Args:
        mask: (R,) the place of each run's mask in ``areas``.
        label: (N,) of each mask.
        areas: (N,) px.
    """

    mask: Small
    x: Small
    top: Small
    bottom: Small
    label: NDArray[np.uint8]
    areas: NDArray[np.int64]


def _by_scene(rows: pa.Table, subset: Subset) -> Iterator[Row]:
    """Runs of the exported instances of each scene in turn, as rows ``scene_id`` and ``runs``."""
    rows = rows.combine_chunks()
    ids = rows["scene_id"].to_pylist()
    turns = [i for i in range(1, len(ids)) if ids[i] != ids[i - 1]]
    labels = pa.array(list(subset.labels), pa.int32())
    for begin, end in zip([0, *turns], [*turns, len(ids)], strict=True):
        part = rows.slice(begin, end - begin)
        part = part.filter(pc.is_in(part["category_id"], value_set=labels)).combine_chunks()
        yield {"scene_id": ids[begin], "runs": _runs(part, subset)}


def _runs(rows: pa.Table, subset: Subset) -> _Runs:
    if not len(rows):
        return _NONE
    rle = rows["rle"].combine_chunks()
    runs = decode_runs(*text_buffers(pc.struct_field(rle, "counts")))
    heights = pc.list_element(pc.struct_field(rle, "size"), 0).to_numpy().astype(np.int64)
    columns = Columns.of(runs, heights)
    label = np.array(
        [subset.labels[i] + subset.first for i in rows["category_id"].to_pylist()], dtype=np.uint8
    )
    mask, x, top, bottom = (
        getattr(columns, name).astype(np.int32) for name in ("mask", "x", "top", "bottom")
    )
    return _Runs(mask, x, top, bottom, label, columns.areas())


_EMPTY = np.zeros(0, dtype=np.int32)
_NONE = _Runs(_EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY.astype(np.uint8), _EMPTY.astype(np.int64))


def _map(scene: Row, parts: list[_Runs], subset: Subset, tiles: list[TileMap]) -> SceneMap:
    """A scene's masks in the order of painting.

    Args:
        scene: its row.
        parts: its masks in the order of annotation.
        tiles: as of ``SceneMap``.
    """
    parts = parts or [_NONE]
    first = np.cumsum([0, *(len(part.areas) for part in parts[:-1])])
    mask = np.concatenate([p.mask + n for p, n in zip(parts, first, strict=True)]).astype(np.int64)
    areas = np.concatenate([part.areas for part in parts])
    label = np.concatenate([part.label for part in parts])
    turns = np.argsort(subset.order * areas, kind="stable")
    rank = np.empty(len(turns), dtype=np.int64)
    rank[turns] = np.arange(len(turns))
    turn = np.argsort(rank[mask], kind="stable")
    x, top, bottom = (
        np.concatenate([getattr(part, name) for part in parts])[turn]
        for name in ("x", "top", "bottom")
    )
    counts = np.bincount(label - subset.first, minlength=len(subset.categories))
    return SceneMap(
        about=scene,
        x=x,
        top=top,
        bottom=bottom,
        label=label[mask[turn]],
        counts=counts,
        tiles=tuple(tiles),
    )
