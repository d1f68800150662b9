"""What the wall sorts and filters by: a line a released mask, as columns in memory.

An instance that two tiles see has a mask in each, so it is two lines: each is judged by itself.
200,000 lines take some 30 MB; masks and images are read when they are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, ProductError, UnknownNameError, advice
from samrs.core.shards import read_manifest, read_table, sha256, shard_paths

SCORES = (
    "quality",
    "predicted_iou",
    "stability_score",
    "box_iou",
    "obb_iou",
    "outside",
    "disagreement",
)
"""Columns to sort by; those that a release has nowhere are left out."""
SIZE, STORED = "size", "stored"
"""Further orders: the root of the mask's area in px, and as the release has them."""
COLUMNS = ["instance_id", "tile_id", "category_id", "recipe", "area", *SCORES]
ALL = ""
"""A filter that lets everything pass."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the wall shows, and in which order; texts that are empty let everything pass.

    Args:
        category: a class name.
        recipe: the recipe that the mask was made by.
        scene: a part of the scene's id.
        quality: least and greatest estimate; an instance without one passes only the whole range.
        size: least and greatest root of the mask's area, px.
        sort: one of ``SCORES``, or ``size``, ``stored``.
        down: whether the greatest comes first.
    """

    category: str = ALL
    split: str = ALL
    recipe: str = ALL
    scene: str = ALL
    quality: tuple[float, float] = (0.0, 1.0)
    size: tuple[float, float] = (0.0, float("inf"))
    sort: str = "quality"
    down: bool = False


class Index:
    """The masks of a release, by number from 0 in stored order.

    Args:
        release: the release product.

    Raises:
        MissingInputError: there is no product.
        ProductError: it is no release, or its tables do not belong together.
    """

    def __init__(self, release: Path) -> None:
        self.release = release
        self.manifest = read_manifest(release)
        if self.manifest.get("product") != "release":
            raise ProductError(
                f"{release}: not a release, got product {self.manifest.get('product')!r}; a folder "
                "that samrs label or the stage release wrote is allowed; name one"
            )
        self.sha256 = sha256(release / "manifest.json")
        self.categories: list[str] = list(self.manifest["categories"])
        tiles = read_table(release, "tiles", ["tile_id", "scene_id", "split"])
        names = pq.read_schema(shard_paths(release, "instances")[0]).names
        rows = read_table(release, "instances", [c for c in COLUMNS if c in names])
        self.tile_ids: pa.Array = tiles["tile_id"].combine_chunks()
        place = pc.index_in(rows["tile_id"], value_set=self.tile_ids).to_numpy()
        if len(rows) and np.isnan(place.astype(np.float64)).any():
            raise ProductError(
                f"{release}: instances of tiles that are not there, got "
                f"{int(np.isnan(place.astype(np.float64)).sum())}; a whole release is allowed; run "
                "samrs verify on it"
            )
        self.place = place.astype(np.int32)
        self.ids: pa.Array = rows["instance_id"].combine_chunks()
        self.category = rows["category_id"].to_numpy().astype(np.uint16)
        self.size = np.sqrt(rows["area"].to_numpy()).astype(np.float32)
        self.scores = {
            name: values for name in SCORES if (values := _numbers(rows, name)) is not None
        }
        self.recipes, self.recipe = _coded(rows["recipe"])
        self.splits, split = _coded(tiles["split"])
        self.scenes, scene = _coded(tiles["scene_id"])
        self.split, self.scene = split[self.place], scene[self.place]

    def __len__(self) -> int:
        return len(self.ids)

    def numbers(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
        """The numbers of some masks; those that are not released are left out.

        Args:
            keys: ids of their instance and of their tile.
        """
        wanted = set(keys)
        found = self.numbers_of(name for name, _ in wanted)
        ids, tiles = self.ids.take(found), self.tile_ids.take(self.place[found])
        there = zip(ids.to_pylist(), tiles.to_pylist(), found.tolist(), strict=True)
        return {(a, b): number for a, b, number in there if (a, b) in wanted}

    def numbers_of(self, instance_ids: Iterable[str]) -> NDArray[np.int64]:
        """The numbers of all masks of some instances, in whichever tiles.

        Args:
            instance_ids: of them.
        """
        names = pa.array(sorted(set(instance_ids)), self.ids.type)
        return np.flatnonzero(pc.is_in(self.ids, value_set=names))

    def siblings(self, number: int) -> list[int]:
        """The masks of the same instance in other tiles.

        Args:
            number: of a mask.
        """
        same = np.flatnonzero(pc.equal(self.ids, self.instance_id(number)))
        return [n for n in same.tolist() if n != number]

    @property
    def quality(self) -> NDArray[np.float32]:
        """(N,) the estimated quality, NaN where it is not known."""
        return self.scores.get("quality", np.full(len(self), np.nan, np.float32))

    def instance_id(self, number: int) -> str:
        """The id of a mask's instance.

        Args:
            number: of a mask.

        Raises:
            UnknownNameError: there is none of that number.
        """
        if not 0 <= number < len(self):
            raise UnknownNameError(
                f"{self.release}: no such mask, got number {number}; 0 to {len(self) - 1} are "
                "allowed; use one of the wall"
            )
        return str(self.ids[number].as_py())

    def tile_id(self, number: int) -> str:
        """The id of the tile that a mask lies in.

        Args:
            number: of a mask.
        """
        self.instance_id(number)
        return str(self.tile_ids[int(self.place[number])].as_py())

    def order(self, wanted: Wanted, among: NDArray[np.bool_] | None = None) -> NDArray[np.uint32]:
        """The numbers of the masks that are wanted, in the order that is wanted.

        Masks without the score come last; equal ones stand in stored order.

        Args:
            wanted: filters and order.
            among: (N,) which masks are looked at; None: all.

        Raises:
            UnknownNameError: a class, split, recipe or order that does not exist.
            ParameterError: a range is none.
        """
        passing = np.ones(len(self), dtype=bool) if among is None else among.copy()
        for name, value, known, codes in (
            ("class", wanted.category, self.categories, self.category),
            ("split", wanted.split, self.splits, self.split),
            ("recipe", wanted.recipe, self.recipes, self.recipe),
        ):
            if value != ALL:
                passing &= codes == _place_of(name, value, known)
        if wanted.scene != ALL:
            hits = [i for i, name in enumerate(self.scenes) if wanted.scene in name]
            passing &= np.isin(self.scene, hits)
        for name, (low, high), values, whole in (
            ("quality", wanted.quality, self.quality, (0.0, 1.0)),
            ("size", wanted.size, self.size, (0.0, float("inf"))),
        ):
            if not low <= high:
                raise ParameterError(
                    f"{name}: no range, got {low:g} to {high:g}; the least first is allowed; "
                    "exchange them"
                )
            if (low, high) != whole:
                passing &= (values >= low) & (values <= high)
        found = np.flatnonzero(passing)
        keys = self._sort_keys(wanted.sort)
        if keys is not None:
            keys = -keys[found] if wanted.down else keys[found]
            found = found[np.argsort(keys, kind="stable")]
        elif wanted.down:
            found = found[::-1]
        return found.astype(np.uint32)

    def _sort_keys(self, name: str) -> NDArray[np.float32] | None:
        """(N,) what is sorted by; None for the stored order."""
        if name == STORED:
            return None
        known: Mapping[str, Any] = {**self.scores, SIZE: self.size}
        if name not in known:
            raise UnknownNameError(
                f"sort: unknown order, got {name!r}; {', '.join([*known, STORED])} are allowed; "
                + advice(name, [*known, STORED], "use one of these")
            )
        keys: NDArray[np.float32] = known[name]
        return keys


def _numbers(rows: pa.Table, name: str) -> NDArray[np.float32] | None:
    """A column of scores, NaN where there is none; None where there is none anywhere."""
    if name not in rows.column_names or rows[name].null_count == len(rows):
        return None
    return np.asarray(pc.fill_null(rows[name], float("nan")).to_numpy(), dtype=np.float32)


def _coded(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int32]]:
    """The sorted values of a column of texts, and (N,) which of them each row has."""
    told = pc.fill_null(column, "").combine_chunks()
    known = sorted(pc.unique(told).to_pylist())
    codes = pc.index_in(told, value_set=pa.array(known, told.type)).to_numpy()
    return known, codes.astype(np.int32)


def _place_of(what: str, name: str, known: list[str]) -> int:
    if name not in known:
        raise UnknownNameError(
            f"filter: unknown {what}, got {name!r}; {', '.join(known[:20])} are allowed; "
            + advice(name, known, "use one of these")
        )
    return known.index(name)
