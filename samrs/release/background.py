"""Which px of a tile are background: those outside every box, where no object can be.

Detection datasets are annotated exhaustively, so a px outside every box is of no object. A px
inside a box and outside its mask is uncertain: 255, as all px without a mask are where
``release.background`` is ``none``.

Every box of a scene counts in each of its tiles, whether the tile lists it or not, whether its mask
was released or left out, and every box that a person added. So do the places of the table
``uncertain``: ignored regions, annotations that were set aside, difficult ones that were not
listed, px beyond the scene.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, ProductError, check_known
from samrs.core.records import BACKGROUND, IGNORE
from samrs.core.rle import polygons_to_rle, rle_to_mask
from samrs.core.shards import has_table, iter_tables, read_table

NONE, OUTSIDE_BOXES = "none", "outside_boxes"
RULES = (NONE, OUTSIDE_BOXES)
"""What of a tile is labelled background."""

PLACE = ("tile_id", "scene_id", "x0", "y0", "width", "height")
"""Columns of a tile that say where it lies."""

FAR = 2**14
"""Px beyond which an outline is taken for its hull, which is cut to the tile first."""


def check_background(rule: str, categories: list[str]) -> None:
    """Refuse a rule that does not exist, or that this dataset's classes do not leave room for.

    Args:
        rule: of ``release.background``.
        categories: names of the classes.

    Raises:
        ParameterError: the rule is not one of RULES, or the dataset has a class of that name.
        ProductError: with the background there are more labels than a byte has.
    """
    check_known("release.background", "rule", rule, RULES)
    if rule == NONE:
        return
    if BACKGROUND in categories:
        raise ParameterError(
            f"release.background: the dataset has a class of that name, got {rule} for "
            f"{', '.join(categories[:5])}; none is allowed there; set it to none"
        )
    if len(categories) >= IGNORE:
        raise ProductError(
            f"release.background: no label is left for the background, got {len(categories)} "
            f"categories; {IGNORE - 1} are allowed; merge categories, or set it to none"
        )


@dataclass(frozen=True)
class Uncertain:
    """Places of a chunk's tiles that are not background.

    Args:
        tiles: (K,) place of each box's tile in the chunk, ascending.
        boxes: (K, 4) whole px that a box touches, half-open xyxy, inside the tile.
        outlines: of other shapes, the tile's place and corners (N, 2) xy in tile px.
    """

    tiles: NDArray[np.int64]
    boxes: NDArray[np.int64]
    outlines: list[tuple[int, NDArray[np.float64]]]

    def mark(self, canvas: NDArray[np.uint8], sizes_hw: NDArray[np.int64]) -> None:
        """Write 255 where it is uncertain.

        Args:
            canvas: px of all tiles of the chunk, tile after tile, row by row; changed in place.
            sizes_hw: (T, 2) height and width of each tile, px.
        """
        areas = sizes_hw.prod(axis=1)
        begins = np.cumsum(areas) - areas
        tiles = [
            canvas[begin : begin + height * width].reshape(height, width)
            for begin, (height, width) in zip(begins, sizes_hw.tolist(), strict=True)
        ]
        for tile, (x0, y0, x1, y1) in zip(self.tiles.tolist(), self.boxes.tolist(), strict=True):
            tiles[tile][y0:y1, x0:x1] = IGNORE
        for tile, outline in self.outlines:
            tiles[tile][touched(outline, tiles[tile].shape)] = IGNORE


def touched(outline: NDArray[np.float64], size_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) px that a polygon may touch: those that it fills and all their neighbours.

    Args:
        outline: (N, 2) corners xy, px.
        size_hw: height and width of the map.
    """
    import cv2  # the rules' names alone are needed where a release is checked

    filled = np.ascontiguousarray(rle_to_mask(polygons_to_rle([outline], size_hw)), np.uint8)
    # thin parts hold no px centre: their edges are drawn
    at = np.round(outline - 0.5).astype(np.int32)
    cv2.polylines(filled, [at], True, 1)
    return np.asarray(cv2.dilate(filled, np.ones((3, 3), np.uint8)) > 0)


class UncertainPlaces:
    """The uncertain places of a dataset's tiles, asked for in the order of the tiles.

    Boxes are read a scene at a time: memory is bounded by those of the largest scene.

    Args:
        normalized: the dataset's normalize product.
        added: boxes of objects that people added: the tile's number, and (4,) xyxy in its px.

    Raises:
        ProductError: tiles of a scene do not stand together.
    """

    def __init__(
        self, normalized: Path, added: Sequence[tuple[int, NDArray[np.float64]]] = ()
    ) -> None:
        self.normalized = normalized
        tiles = read_table(normalized, "tiles", list(PLACE))
        self._ids = tiles["tile_id"].combine_chunks()
        scenes = tiles["scene_id"].combine_chunks().dictionary_encode().indices
        self._scenes = scenes.to_numpy().astype(np.int64)
        if (np.diff(self._scenes) < 0).any():
            raise ProductError(
                f"{normalized}: tiles of a scene do not stand together, got scenes in turns; tiles "
                "scene by scene are allowed; run the stage normalize again"
            )
        numbers = np.stack([tiles[name].to_numpy().astype(np.int64) for name in PLACE[2:]], axis=1)
        self._corners, self._sizes_wh = numbers[:, :2], numbers[:, 2:]
        self._others = self._read_others()
        for place, box in added:
            for tile in np.flatnonzero(self._scenes == self._scenes[place]).tolist():
                moved = np.tile(self._corners[place] - self._corners[tile], 2)
                self._others.setdefault(tile, []).append((box + moved)[None])
        self._rows = self._box_rows()
        self._held: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []

    def of_tiles(self, begin: int, end: int) -> Uncertain:
        """Those of the tiles from ``begin`` to ``end``, which follow those asked for before.

        Args:
            begin: number of the first tile.
            end: number after the last.
        """
        scenes, boxes = self._boxes_until(int(self._scenes[end - 1]) if end > begin else -1)
        tiles, found = [], []
        for tile in range(begin, end):
            first, last = np.searchsorted(scenes, self._scenes[tile] + np.array([0, 1]))
            own = boxes[first:last] - np.tile(self._corners[tile], 2)
            rectangles = [own, *(o for o in self._others.get(tile, ()) if o.shape == (1, 4))]
            met = _met(np.concatenate(rectangles), self._sizes_wh[tile])
            tiles.append(np.full(len(met), tile - begin, dtype=np.int64))
            found.append(met)
        outlines = [
            (tile - begin, outline)
            for tile in range(begin, end)
            for outline in self._others.get(tile, ())
            if outline.shape != (1, 4)
        ]
        none = np.empty((0, 4), np.int64)
        return Uncertain(
            np.concatenate([none[:, 0], *tiles]), np.concatenate([none, *found]), outlines
        )

    def _boxes_until(self, scene: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Scenes (M,) and boxes (M, 4) in scene px of this scene and some before and after it."""
        while not self._held or self._held[-1][0][-1:].tolist() <= [scene]:
            rows = next(self._rows, None)
            if rows is None:
                break
            self._held.append(rows)
        if not self._held:
            return np.empty(0, np.int64), np.empty((0, 4))
        scenes, boxes = (np.concatenate(parts) for parts in zip(*self._held, strict=True))
        needed = scenes >= scene  # a chunk may begin in the scene that the last one ended in
        self._held = [(scenes[needed], boxes[needed])]
        return scenes, boxes

    def _box_rows(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """The scene and box, in scene px, of rows of the table instances, some at a time.

        The box is the hull of the upright and the rotated one.
        """
        columns = ["tile_id", "hbb_annotated", "obb"]
        for rows in iter_tables(self.normalized, "instances", columns):
            found = pc.fill_null(pc.index_in(rows["tile_id"], value_set=self._ids), -1)
            places = found.to_numpy().astype(np.int64)
            if (places < 0).any():
                raise ProductError(
                    f"{self.normalized}: an instance of no tile, got "
                    f"{rows['tile_id'][int(np.argmin(places))].as_py()!r}; tiles of the table "
                    "tiles are allowed; run the stage normalize again"
                )
            boxes = _coordinates(rows["hbb_annotated"])
            obbs = _coordinates(rows["obb"]).reshape(-1, 4, 2)
            there = np.isfinite(obbs).all(axis=(1, 2))
            boxes[there, :2] = np.minimum(boxes[there, :2], obbs[there].min(axis=1))
            boxes[there, 2:] = np.maximum(boxes[there, 2:], obbs[there].max(axis=1))
            yield self._scenes[places], boxes + np.tile(self._corners[places], 2)

    def _read_others(self) -> dict[int, list[NDArray[np.float64]]]:
        """Places of the table uncertain by tile: rectangles as (1, 4) xyxy, others as (N, 2)."""
        found: dict[int, list[NDArray[np.float64]]] = {}
        if not has_table(self.normalized, "uncertain"):
            return found
        rows = read_table(self.normalized, "uncertain", ["tile_id", "outline"])
        places = pc.fill_null(pc.index_in(rows["tile_id"], value_set=self._ids), -1).to_pylist()
        for place, outline in zip(places, rows["outline"].to_pylist(), strict=True):
            corners = np.array(outline, dtype=np.float64).reshape(-1, 2)
            box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
            upright = len(corners) <= 4 and bool(
                ((corners == box[:2]) | (corners == box[2:])).all()
            )
            upright |= float(np.abs(box).max()) > FAR
            found.setdefault(place, []).append(box[None] if upright else corners)
        if -1 in found:
            raise ProductError(
                f"{self.normalized}: an uncertain place of no tile, got "
                f"{len(found[-1])} of them; tiles of the table tiles are allowed; run the stage "
                "normalize again"
            )
        return found


def _coordinates(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """(N, K) of a column of lists of K numbers; NaN for null."""
    values = column.combine_chunks()
    found = np.full((len(values), values.type.list_size), np.nan)
    there = pc.is_valid(values).to_numpy(zero_copy_only=False)
    found[there] = values.flatten().to_numpy(zero_copy_only=False).reshape(-1, found.shape[1])
    return found


def _met(boxes: NDArray[np.float64], size_wh: NDArray[np.int64]) -> NDArray[np.int64]:
    """The px (K, 4) of a tile that boxes touch, half-open; without those that touch none.

    Args:
        boxes: (M, 4) xyxy in tile px.
        size_wh: of the tile.
    """
    low = np.floor(boxes[:, :2]).clip(0, size_wh).astype(np.int64)
    high = np.ceil(boxes[:, 2:]).clip(0, size_wh).astype(np.int64)
    return np.concatenate([low, high], axis=1)[(high > low).all(axis=1)]
