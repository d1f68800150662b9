"""What people corrected, applied to rows of a release after its thresholds.

A person's word goes before a threshold: what one rejected is left out, what one accepted, clicked
or drew is kept, whatever its scores. Two things a person's word does not change: an empty mask is
no label, and ``keep_difficult`` is about the annotation, not about the mask.

A record that does not fit what it is of any more is a conflict: listed, and not applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.records import CONFLICTS, MADE, RELEASED, RLE
from samrs.core.runs import Runs, decode_runs, overlaps, text_buffers
from samrs.corrections.counts import COUNTS
from samrs.corrections.records import (
    MADE_BY,
    NEAR,
    Added,
    Anchor,
    ClassChange,
    Clicks,
    Corrections,
    Drawn,
    Key,
    Record,
    Verdict,
    mask_digest,
    mask_of,
    rounded_box,
)
from samrs.release.cleaned_rows import scored
from samrs.release.cleaning import Columns, count_parts
from samrs.release.thresholds import DROP_REASONS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Row = Mapping[str, Any]

KEPT = len(DROP_REASONS)
REJECTED = KEPT + 1
"""What a row is, beside the places in DROP_REASONS."""

DIFFICULT = DROP_REASONS.index("difficult")
EMPTY = [DROP_REASONS.index(name) for name in ("empty_mask", "nothing_left")]
"""Reasons that no verdict changes: there is no mask."""

ABOUT = ["instance_id", "tile_id", "hbb_annotated", "category", "rle"]
"""What records are held against."""

SOURCE_FILE = "corrections/instances.jsonl"

OF_MACHINE = ("predicted_iou", "stability_score", "disagreement", "quality")
"""Scores that say something of a segmenter's answer, and nothing of a mask that a person made."""


@dataclass(frozen=True)
class Tiles:
    """The tiles of a dataset: ids, scenes, and places and sizes in their scene, px.

    Args:
        ids: of T tiles.
        scenes: of each.
        windows: (T, 4) x0, y0, width and height.
    """

    ids: Sequence[str]
    scenes: Sequence[str]
    windows: Ints

    @classmethod
    def of(cls, table: pa.Table) -> Tiles:
        """Those of the columns tile_id, scene_id, x0, y0, width and height."""
        names = ("x0", "y0", "width", "height")
        windows = [table[name].to_numpy().astype(np.int64) for name in names]
        scenes = table["scene_id"].to_pylist()
        return cls(table["tile_id"].to_pylist(), scenes, np.stack(windows, axis=1))


class Correcting:
    """Records of a dataset, applied to its rows as they come, each row once.

    Args:
        corrections: what people said.
        tiles: of the dataset, in order.
        categories: its classes.
    """

    def __init__(self, corrections: Corrections, tiles: Tiles, categories: Sequence[str]) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(COUNTS, 0))
        self._records, self._categories = corrections.records, list(categories)
        self._tiles = tiles
        self._place = {name: i for i, name in enumerate(tiles.ids)} if corrections else {}
        self._absent = {
            record.anchor.instance_id: record
            for record in corrections.of(Verdict)
            if record.verdict == "absent"
        }
        ids = {record.anchor.instance_id for record in corrections.records.values()}
        self._ids = pa.array(sorted(ids), pa.string())
        self._used: set[Key] = set()
        self._odd: dict[Key, tuple[str, str]] = {}
        self._known: set[str] = set()
        added = [record for record in corrections.of(Added) if self._has_place(record)]
        added.sort(key=lambda r: (self._place[r.anchor.tile_id], r.anchor.instance_id))
        self._to_add = [(r, mask) for r in added if (mask := self._mask_of_added(r)) is not None]

    def apply(
        self, stored: pa.Table, rows: pa.Table, reasons: Ints, barred: Bools
    ) -> tuple[pa.Table, Ints]:
        """Correct some rows.

        Args:
            stored: rows with the masks as they were stored.
            rows: the same with the masks to release; columns of RELEASED but ``made_by`` and
                ``accepted``.
            reasons: (N,) why each is dropped: a place in DROP_REASONS, or KEPT.
            barred: (N,) which are left out for what they are, whatever their masks are.

        Returns:
            Rows with all columns, and (N,) what each is: as ``reasons``, or REJECTED.
        """
        made_by, accepted = np.zeros(len(rows), np.int64), np.zeros(len(rows), bool)
        hits = pc.is_in(rows["instance_id"], value_set=self._ids).to_numpy()
        found = np.flatnonzero(hits) if self._records else np.zeros(0, np.int64)
        if len(found):
            reasons = reasons.copy()
            about = rows.select(ABOUT).take(pa.array(found)).to_pylist()
            self._known.update(row["instance_id"] for row in about)
            masks: dict[int, Record] = {}
            classes: dict[int, int] = {}
            for place, row in zip(found.tolist(), about, strict=True):
                if (record := self._mask_for(row)) is not None:
                    masks[place] = record
                    made_by[place] = _maker(record)
                    row["rle"] = mask_of(record)
                    reasons[place] = DIFFICULT if barred[place] else KEPT
                if (label := self._class_for(row)) is not None:
                    classes[place] = label
                reason, accepted[place] = self._judged(row, int(reasons[place]), barred[place])
                reasons[place] = reason
            kept = found[reasons[found] == KEPT]
            self._count(made_by[kept], accepted[kept])
            self.counts["rejected"] += int((reasons[found] == REJECTED).sum())
            self.counts["reclassified"] += len(set(kept.tolist()) & set(classes))
            rows = _with_masks(stored, _reclassified(rows, classes, self._categories), masks)
        return _with_makers(rows, made_by, accepted), reasons

    def _count(self, made_by: Ints, accepted: Bools) -> None:
        """Count what people made of rows that are kept."""
        for number, name in enumerate(MADE_BY[1:], start=1):
            self.counts[name] += int((made_by == number).sum())
        self.counts["accepted"] += int(accepted.sum())

    def _judged(self, row: Row, reason: int, barred: bool) -> tuple[int, bool]:
        """What a row is after verdicts on it, and whether a person accepted its mask."""
        absent = self._absent.get(row["instance_id"])
        if absent is not None:
            self._used.add(absent.key)
            absent = absent if self._fits_scene(absent, row) else None
        verdict = self._records.get((Verdict.FILE, row["instance_id"], row["tile_id"]))
        reason = REJECTED if absent else reason
        if not isinstance(verdict, Verdict) or verdict.verdict == "absent":
            return reason, False
        self._used.add(verdict.key)
        if not self._fits(verdict, row):
            return reason, False
        if absent:
            self._refuse(verdict, "absent", "another verdict says that there is no such object")
        elif mask_digest(row["rle"]) != verdict.mask:
            self._refuse(verdict, "mask", f"{verdict.verdict} was said of another mask")
        elif verdict.verdict == "reject":
            return REJECTED, False
        elif reason in EMPTY:
            self._refuse(verdict, "mask", "there is no mask to accept")
        else:
            return (reason if barred else KEPT), True
        return reason, False

    def _mask_for(self, row: Row) -> Record | None:
        """The record whose mask stands in the place of a row's: a drawn one before an answer."""
        found: Record | None = None
        for kind in (Clicks, Drawn):
            record = self._records.get((kind.FILE, row["instance_id"], row["tile_id"]))
            if record is None:
                continue
            self._used.add(record.key)
            if not self._fits(record, row):
                continue
            mask, size = mask_of(record), row["rle"]["size"]
            if mask is None:
                self._refuse(record, "unanswered", "no segmenter was asked")
            elif mask["size"] != size:
                told = f"its mask is of {mask['size']} px (height, width), the tile of {size}"
                self._refuse(record, "tile", told)
            else:
                found = record
        return found

    def _class_for(self, row: Row) -> int | None:
        """The number of another class for a row."""
        record = self._records.get((ClassChange.FILE, row["instance_id"], ""))
        if not isinstance(record, ClassChange):
            return None
        self._used.add(record.key)
        if not self._fits_scene(record, row):
            return None
        if row["category"] != record.old:
            self._refuse(record, "class", f"it is {row['category']!r} and was {record.old!r}")
            return None
        return self._categories.index(record.new)

    def _fits(self, record: Record, row: Row) -> bool:
        """Whether a row is still what a record of its tile is of."""
        fits = record.anchor.same_box(row["hbb_annotated"])
        if not fits:
            self._refuse(record, "box", _moved(record, row["hbb_annotated"]))
        return fits

    def _fits_scene(self, record: Record, row: Row) -> bool:
        """Whether a row of any tile is still the object that a record is of."""
        there, here = self._place.get(record.anchor.tile_id), self._place[row["tile_id"]]
        if there is None:
            self._refuse(record, "tile", "there is no such tile")
            return False
        moved = self._tiles.windows[here, :2] - self._tiles.windows[there, :2]
        box = np.asarray(row["hbb_annotated"]) + np.tile(moved, 2)
        fits = bool((np.abs(box - record.anchor.annotated) <= 2 * NEAR).all())
        if not fits:
            self._refuse(record, "box", _moved(record, box))
        return fits

    def _refuse(self, record: Record, kind: str, detail: str) -> None:
        self._odd.setdefault(record.key, (kind, detail))

    def places_of_added(self) -> list[tuple[int, Floats]]:
        """Tiles and boxes (4,) xyxy px of objects that people added, whether they have masks."""
        added = (r.anchor for r in self._records.values() if isinstance(r, Added))
        known = (anchor for anchor in added if anchor.tile_id in self._place)
        return [(self._place[anchor.tile_id], np.array(anchor.annotated)) for anchor in known]

    def _has_place(self, record: Added) -> bool:
        """Whether a new object lies on a tile and has an id of its scene."""
        self._used.add(record.key)
        self._known.add(record.anchor.instance_id)
        place = self._place.get(record.anchor.tile_id)
        if place is None:
            self._refuse(record, "tile", "there is no such tile")
        elif not record.anchor.instance_id.startswith(f"{self._tiles.scenes[place]}#new-"):
            self._refuse(record, "instance", "<scene>#new-<12 hex digits> is needed as its id")
        elif _clipped(record.anchor, self._tiles.windows[place]) is None:
            self._refuse(record, "box", "its box lies beside the tile")
        return record.key not in self._odd

    def _mask_of_added(self, record: Added) -> Record | None:
        """The record that has the mask of a new object."""
        size = self._tiles.windows[self._place[record.anchor.tile_id], [3, 2]].tolist()
        found = self._mask_for(_row_of(record.anchor) | {"rle": {"size": size}})
        if found is None:
            self._refuse(record, "unanswered", "nobody drew it and no segmenter was asked")
        return found

    def added(self, before: int) -> tuple[pa.Table, Ints]:
        """New objects of tiles that come before a place, each once; and (K,) their tiles' places.

        Args:
            before: place of a tile, all rows before which were given to ``apply``.
        """
        number = sum(self._place[r.anchor.tile_id] < before for r, _ in self._to_add)
        chosen, self._to_add = self._to_add[:number], self._to_add[number:]
        if not chosen:
            return RELEASED.empty_table(), np.zeros(0, np.int64)
        schema = pa.schema([f for f in RELEASED if f.name not in MADE])
        rows = pa.Table.from_pylist([self._new_row(r) for r, _ in chosen], schema=schema)
        rows = _with_masks(None, rows, {i: mask for i, (_, mask) in enumerate(chosen)})
        judged = [
            self._judged(_row_of(r.anchor) | {"rle": mask_of(mask)}, KEPT, barred=False)
            for r, mask in chosen
        ]
        kept = np.array([reason == KEPT for reason, _ in judged])
        accepted = np.array([said for _, said in judged])
        made_by = np.array([_maker(mask) for _, mask in chosen])
        places = np.array([self._place[r.anchor.tile_id] for r, _ in chosen])
        self.counts["added"] += int(kept.sum())
        self._count(made_by[kept], accepted[kept])
        rows = _with_makers(rows, made_by, accepted)
        return rows.filter(pa.array(kept)), places[kept]

    def _new_row(self, record: Added) -> dict[str, Any]:
        anchor, place = record.anchor, self._place[record.anchor.tile_id]
        shown = _clipped(anchor, self._tiles.windows[place])
        assert shown is not None
        area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (shown, anchor.annotated)]
        return {
            **dict.fromkeys(RELEASED.names),
            **_row_of(anchor),
            "category_id": self._categories.index(record.category),
            "category": record.category,
            "hbb": shown,
            "difficult": False,
            "visible": area[0] / area[1],
            "source_file": SOURCE_FILE,
        }

    def conflicts(self) -> list[dict[str, Any]]:
        """Records that were not applied, as rows of CONFLICTS, once all rows were seen."""
        found = []
        for key in sorted(self._records):
            record = self._records[key]
            if key in self._odd:
                kind, detail = self._odd[key]
            elif key not in self._used:
                kind, detail = self._missing(record)
            else:
                continue
            anchor = record.anchor
            told = (record.FILE, anchor.instance_id, anchor.tile_id, kind, detail)
            found.append(dict(zip(CONFLICTS.names, told, strict=True)))
        return found

    def _missing(self, record: Record) -> tuple[str, str]:
        if record.anchor.tile_id not in self._place:
            return "tile", "there is no such tile"
        if record.anchor.instance_id in self._known:
            return "tile", "the tile does not show this instance"
        return "instance", "there is no such instance"


def _row_of(anchor: Anchor) -> dict[str, Any]:
    """What a record says of its row."""
    return {
        "instance_id": anchor.instance_id,
        "tile_id": anchor.tile_id,
        "hbb_annotated": list(anchor.annotated),
    }


def _maker(record: Record) -> int:
    """Who made the mask of a record: a place in MADE_BY."""
    return 1 if isinstance(record, Clicks) else 2


def _clipped(anchor: Anchor, window: Ints) -> list[float] | None:
    """An annotated box as far as its tile shows it, xyxy in tile px; None where it shows nothing.

    Args:
        window: (4,) x0, y0, width and height of the tile.
    """
    sides = np.tile(window[2:], 2).astype(np.float64)
    x0, y0, x1, y1 = np.clip(np.asarray(anchor.annotated), 0, sides).tolist()
    return [x0, y0, x1, y1] if x0 < x1 and y0 < y1 else None


def _moved(record: Record, box: Any) -> str:
    now = list(rounded_box(box))
    return f"its annotated box is {now} and was {list(record.anchor.annotated)}"


def _with_makers(rows: pa.Table, made_by: Ints, accepted: Bools) -> pa.Table:
    names = pa.DictionaryArray.from_arrays(pa.array(made_by), pa.array(MADE_BY)).cast(pa.string())
    rows = rows.append_column("made_by", names)
    return rows.append_column("accepted", pa.array(accepted)).select(RELEASED.names)


def _reclassified(rows: pa.Table, classes: Mapping[int, int], names: Sequence[str]) -> pa.Table:
    """Rows of which some are of another class.

    Args:
        classes: numbers of classes by place.
        names: of all classes.
    """
    if not classes:
        return rows
    places = np.fromiter(classes, np.int64)
    labels = rows["category_id"].to_numpy().copy()
    labels[places] = np.fromiter(classes.values(), np.int64)
    of = pa.array(labels, pa.int32())
    rows = _set(rows, "category_id", of)
    return _set(rows, "category", pa.array(names, pa.string()).take(of))


def _with_masks(stored: pa.Table | None, rows: pa.Table, masks: Mapping[int, Record]) -> pa.Table:
    """Rows of which some have masks that people made, scored again.

    Args:
        stored: the rows with the masks that were stored; None: there were none.
        masks: records that have one, by place.
    """
    if not masks:
        return rows
    places = np.fromiter(masks, np.int64)
    rles = [rle for record in masks.values() if (rle := mask_of(record)) is not None]
    assert len(rles) == len(masks)
    texts = pa.array([rle["counts"] for rle in rles], pa.string())
    runs = _runs(texts)
    heights = np.array([rle["size"][0] for rle in rles], np.int64)
    some = _set(rows.take(pa.array(places)).combine_chunks(), "rle", pa.array(rles, RLE))
    answers = [record.answer if isinstance(record, Clicks) else None for record in masks.values()]
    kinds = ["clicks" if isinstance(record, Clicks) else "drawn" for record in masks.values()]
    for name in OF_MACHINE:
        some = _set(some, name, pa.array([getattr(a, name, None) for a in answers], pa.float64()))
    some = _set(some, "recipe", pa.array(kinds))
    some = _set(some, "fallback", pa.array(np.zeros(len(some), bool)))
    changed = runs.areas()
    if stored is not None:
        before = stored["rle"].take(pa.array(places)).combine_chunks()
        changed = _changed(pc.struct_field(before, "counts"), texts)
    some = _set(some, "changed_px", pa.array(changed))
    some = scored(some, count_parts(Columns.of(runs, heights)))
    order = np.arange(len(rows))
    order[places] = len(rows) + np.arange(len(places))
    both = pa.concat_tables([rows, some.cast(rows.schema)])
    return both.take(pa.array(order)).combine_chunks()


def _changed(stored: pa.Array, texts: pa.Array) -> Ints:
    """(N,) px by which masks differ from those that were stored; all px of one in whose place a
    broken one or one of another size was stored.

    Args:
        stored: COCO's text of N masks.
        texts: of the masks that people made.
    """
    old, new = _runs(stored), _runs(texts)
    changed = new.areas()
    whole = np.flatnonzero(~old.bad & (old.totals() == new.totals()))
    old, new = _runs(stored.take(pa.array(whole))), _runs(texts.take(pa.array(whole)))
    changed[whole] = old.areas() + new.areas() - 2 * overlaps(old, new)
    return changed


def _runs(texts: pa.Array) -> Runs:
    return decode_runs(*text_buffers(texts))


def _set(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """Rows with other values in a column."""
    field = rows.schema.field(name)
    return rows.set_column(rows.column_names.index(name), field, values.cast(field.type))
