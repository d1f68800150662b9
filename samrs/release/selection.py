"""Instances joined with their masks, those that are kept, and the tiles to paint them on.

Some thousand rows are in memory at a time, as Arrow tables: 1.67 million rows as dicts took longer
than everything else that ``samrs/release/release.py`` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.records import MADE, MASKS, RELEASED
from samrs.core.runs import text_buffers
from samrs.core.shards import ShardWriter, iter_tables, read_manifest, read_table
from samrs.corrections.records import MADE_BY, Corrections
from samrs.release.background import NONE, UncertainPlaces
from samrs.release.cleaned_rows import cleaned_rows
from samrs.release.correcting import KEPT, REJECTED, Correcting, Tiles
from samrs.release.quality import BAD, Quality
from samrs.release.semantic_maps import Chunk, chunk_bounds
from samrs.release.thresholds import drop_reasons

MASK_COLUMNS = [f.name for f in MASKS if f.name not in ("category_id", "category")]

PAINTED = pa.schema([("place", pa.int64()), ("label", pa.int32()), ("counts", pa.string())])
"""What painting takes of an instance: the place of its tile, its label id, its mask."""


JOINED = pa.schema([f for f in RELEASED if f.name not in ("changed_px", *MADE)])
"""A released instance with the mask as it was stored."""


def _joined(normalized: Path, labelled: Path, quality: Quality) -> Iterator[pa.Table]:
    """Instances with their masks and how good these may be; both tables hold the same instances in
    the same order."""
    instances = iter_tables(normalized, "instances")
    masks = iter_tables(labelled, "masks", MASK_COLUMNS)
    for pair in zip_longest(instances, masks):
        keys = [None if rows is None else rows.select(["instance_id", "tile_id"]) for rows in pair]
        if keys[0] is None or keys[1] is None or not keys[0].equals(keys[1]):
            wanted, got = _first_difference(*keys)
            raise ProductError(
                f"{labelled}: masks do not belong to the instances of {normalized}, got {got} "
                f"where {wanted} stands; one mask per instance in the same order is allowed; "
                "run sam-label again"
            )
        _check_columns(pair[1], labelled)
        both = dict(zip(pair[0].column_names, pair[0].columns, strict=True))
        both |= dict(zip(pair[1].column_names, pair[1].columns, strict=True))
        both["quality"] = pa.chunked_array([quality.of_columns(both)])
        yield pa.table([both[name] for name in JOINED.names], schema=JOINED)


def _check_columns(masks: pa.Table, where: Path) -> None:
    missing = sorted(set(MASK_COLUMNS) - set(masks.column_names))
    if missing:
        raise ProductError(
            f"{where}: masks lack columns, got no {', '.join(missing)}; those of MASKS in "
            "samrs/core/records.py are allowed; run sam-label again"
        )


def _first_difference(wanted: pa.Table | None, got: pa.Table | None) -> list[Any]:
    """The first pair of rows that differ, as tuples, None beyond a table's end."""
    rows = ([tuple(r.values()) for r in (t.to_pylist() if t else [])] for t in (wanted, got))
    return next(list(pair) for pair in zip_longest(*rows) if pair[0] != pair[1])


def _places(tile_ids: pa.ChunkedArray, rows: pa.Table, last: int, where: Path) -> NDArray[np.int64]:
    """(N,) place of each row's tile in ``tile_ids``.

    Args:
        last: the place of the row before these.

    Raises:
        ProductError: a tile is not there, or the rows do not stand in the order of the tiles.
    """
    found = pc.index_in(rows["tile_id"], value_set=tile_ids.combine_chunks())
    places = pc.fill_null(found, -1).to_numpy().astype(np.int64)
    odd = np.flatnonzero(np.diff(places, prepend=last) < 0)
    if len(odd):
        raise ProductError(
            f"{where}: instances do not follow the tiles, got those of "
            f"{rows['tile_id'][int(odd[0])].as_py()!r} out of turn; the order of the tiles table "
            "is allowed; run the stage normalize again"
        )
    return np.asarray(places)


class Selection:
    """Instances that are kept: written as they come, and given out as chunks of tiles to paint.

    Args:
        normalized: the dataset's normalize product.
        labelled: its sam_label product.
        quality: the fitted estimate.
        limits: what masks are cleaned and left out by: a value for each class, by parameter.
        overlap: one of ``samrs.release.overlap.RULES``.
        background: one of ``samrs.release.background.RULES``.
        corrections: what people said of the dataset's masks.
    """

    def __init__(
        self,
        normalized: Path,
        labelled: Path,
        quality: Quality,
        limits: Mapping[str, NDArray[np.float64]],
        overlap: str,
        background: str,
        corrections: Corrections,
    ) -> None:
        self.normalized, self.labelled, self.quality = normalized, labelled, quality
        self.limits, self.overlap = limits, overlap
        columns = ["tile_id", "scene_id", "split", "x0", "y0", "height", "width"]
        self.tiles = read_table(normalized, "tiles", columns)
        categories = read_manifest(normalized)["categories"]
        self.people = Correcting(corrections, Tiles.of(self.tiles), categories)
        self._places = None
        if background != NONE:
            self._places = UncertainPlaces(normalized, self.people.places_of_added())
        self.sizes_hw = np.stack(
            [self.tiles[name].to_numpy().astype(np.int64) for name in ("height", "width")], axis=1
        )
        self.instances = self.kept = self.kept_bad = self.kept_estimated = 0
        self.kept_quality = 0.0
        self.cleaned = self.removed_pixels = self.added_pixels = 0
        self.dropped = np.zeros(REJECTED + 1, dtype=np.int64)
        self.has_kept = np.zeros(len(self.tiles), dtype=bool)

    def chunks(self, writer: ShardWriter) -> Iterator[Chunk]:
        """Chunks of all tiles in order; what is kept is written on the way.

        Args:
            writer: of the release, for the kept instances.
        """
        bounds = list(pairwise(chunk_bounds(self.sizes_hw)))
        held = pa.table([pa.array([], f.type) for f in PAINTED], schema=PAINTED)
        last = 0
        for rows in _joined(self.normalized, self.labelled, self.quality):
            places = _places(self.tiles["tile_id"], rows, last, self.normalized)
            last = int(places[-1]) if len(places) else last
            held = pa.concat_tables([held, self._select(rows, places, writer)])
            while bounds and bounds[0][1] <= last:
                chunk, held = self._chunk(*bounds.pop(0), held)
                yield chunk
        held = pa.concat_tables([held, self._written(*self.people.added(len(self.tiles)), writer)])
        for begin, end in bounds:
            chunk, held = self._chunk(begin, end, held)
            yield chunk

    def _select(self, rows: pa.Table, places: NDArray[np.int64], writer: ShardWriter) -> pa.Table:
        limits = self._limits_of(rows)
        cleaned = cleaned_rows(rows, limits)
        reasons = drop_reasons(rows, cleaned, limits)
        difficult = pc.fill_null(rows["difficult"], False).to_numpy()
        barred = difficult & (limits["keep_difficult"] == 0)
        corrected, reasons = self.people.apply(rows, cleaned, reasons, barred)
        self.dropped += np.bincount(reasons, minlength=len(self.dropped))
        passed, last = reasons == KEPT, int(places[-1])
        kept, places = corrected.filter(pa.array(passed)), places[passed]
        self._check_sizes(kept, places)
        self._count_changes(rows["area"].to_numpy()[passed], kept)
        self.instances += len(rows)
        added, of_added = self.people.added(last)
        if len(added):
            places = np.concatenate([places, of_added])
            order = np.argsort(places, kind="stable")
            kept = pa.concat_tables([kept, added]).take(pa.array(order)).combine_chunks()
            places = places[order]
        return self._written(kept, places, writer)

    def _written(self, kept: pa.Table, places: NDArray[np.int64], writer: ShardWriter) -> pa.Table:
        """Write rows and count them; returns what painting takes of them."""
        writer.write_table(kept)
        self.kept += len(kept)
        self.has_kept[places] = True
        estimates = kept["quality"].drop_null().to_numpy()  # there is none of what people made
        self.kept_estimated += len(estimates)
        self.kept_quality += float(estimates.sum())
        self.kept_bad += int((estimates < BAD).sum())
        counts = pc.struct_field(kept["rle"], "counts")
        return pa.table([places, kept["category_id"], counts], schema=PAINTED)

    def _limits_of(self, rows: pa.Table) -> dict[str, NDArray[np.float64]]:
        """(N,) the values for each row's class."""
        classes = pc.fill_null(rows["category_id"], -1).to_numpy()
        odd = np.flatnonzero((classes < 0) | (classes >= len(self.limits["margin"])))
        if len(odd):
            raise ProductError(
                f"{self.normalized}: unknown category, got {rows['category_id'][int(odd[0])]} of "
                f"{rows['instance_id'][int(odd[0])].as_py()!r}; numbers of the manifest's "
                "categories are allowed; run the stage normalize again"
            )
        return {name: values[classes] for name, values in self.limits.items()}

    def _count_changes(self, stored: NDArray[np.int64], kept: pa.Table) -> None:
        """Count what cleaning changed of the masks that are released.

        Args:
            stored: (K,) px of each as it was stored.
            kept: K rows to release.
        """
        own = pc.equal(kept["made_by"], MADE_BY[0]).to_numpy()
        kept, stored = kept.filter(pa.array(own)), stored[own]
        changed, grown = kept["changed_px"].to_numpy(), kept["area"].to_numpy() - stored
        self.cleaned += int(np.count_nonzero(changed))
        self.removed_pixels += int((changed - grown).sum()) // 2
        self.added_pixels += int((changed + grown).sum()) // 2

    def _check_sizes(self, kept: pa.Table, places: NDArray[np.int64]) -> None:
        sizes = pc.struct_field(kept["rle"].combine_chunks(), "size")
        got = pc.list_flatten(sizes).to_numpy(zero_copy_only=False).reshape(-1, 2)
        odd = np.flatnonzero((got != self.sizes_hw[places]).any(axis=1))
        if len(odd):
            i = int(odd[0])
            raise ProductError(
                f"{self.labelled}: mask of {kept['instance_id'][i].as_py()!r} does not fit its "
                f"tile, got size {got[i].tolist()}; {self.sizes_hw[places[i]].tolist()} is "
                "allowed; run sam-label again"
            )

    def _chunk(self, begin: int, end: int, held: pa.Table) -> tuple[Chunk, pa.Table]:
        """The tiles from ``begin`` to ``end`` with their masks, and the masks after them."""
        places = held["place"].to_numpy()
        number = int(np.searchsorted(places, end))
        characters, begins = text_buffers(held["counts"].slice(0, number).combine_chunks())
        chunk = Chunk(
            where=str(self.labelled),
            sizes_hw=self.sizes_hw[begin:end],
            tiles=places[:number] - begin,
            labels=held["label"].slice(0, number).to_numpy().astype(np.uint8),
            characters=characters,
            begins=begins,
            rule=self.overlap,
            uncertain=None if self._places is None else self._places.of_tiles(begin, end),
        )
        return chunk, held.slice(number)
