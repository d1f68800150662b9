"""What a person changed in a labelling tool, as edits of the corrections that stand.

Objects come back by their ids. One without an id is the instance whose very mask it has, or else
the one without a partner whose mask it overlaps most, by half at least; the latter are counted.
What has the same mask and class as in the release was not touched, and is no correction; it takes
none back, either, but for a deletion in the tool. Objects that were added before and are not
released yet are told like those of the release, so that a second import adds none twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from samrs.core.errors import AnnotationError, advice
from samrs.core.rle import Rle, rle_iou, rle_to_hbb
from samrs.corrections.records import (
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
    new_id,
    rounded_box,
)
from samrs.corrections.store import Edit
from samrs.data.reader import TileRecord
from samrs.exchange.shapes import Shape

SAME, HALF = 1.0, 0.5
"""IoU of a mask that nobody touched, and the least by which one without an id is told."""
DELETED = "deleted in the tool"
COLUMNS = ["instance_id", "tile_id", "hbb_annotated", "category", "rle"]
COUNTED = (
    "images", "untouched", "drawn", "reclassified", "added", "rejected", "by_overlap", "returned",
    "left_out", "corrected_before",
)  # fmt: skip
"""Images that came back and objects in them: ``by_overlap`` are touched ones without an id,
``returned`` were deleted by an earlier import, ``left_out`` have an id that a person rejected, and
``corrected_before`` came back as released though corrections of them stand, which stay."""

Row = dict[str, Any]


class Changes:
    """Gathers edits, an image after the other.

    Args:
        known: the corrections that stand.
        categories: the dataset's classes.
        reject: whether an object is rejected that its image does not have any more.
    """

    def __init__(self, known: Corrections, categories: Sequence[str], *, reject: bool) -> None:
        self.counts = Counter(dict.fromkeys(COUNTED, 0))
        self.edits: dict[Key, Edit] = {}
        self._known, self._categories, self._reject = known.records, categories, reject
        self._added: dict[str, list[Added]] = {}
        for record in known.of(Added):
            self._added.setdefault(record.anchor.tile_id, []).append(record)
        verdicts = [record for record in known.of(Verdict) if record.verdict == "absent"]
        self._absent = {record.anchor.instance_id for record in verdicts}

    def tile(self, tile: TileRecord, shapes: Sequence[Shape]) -> None:
        """Take what a tile's image has now.

        Args:
            tile: of the release.
            shapes: all its objects as they came back.

        Raises:
            AnnotationError: an object is of an unknown class, of two, or of another release.
        """
        self.counts["images"] += 1
        released = tile.instances.select(COLUMNS).to_pylist()
        rows = [*released, *self._not_released(tile, released)]
        pairs = self._paired(rows, shapes)
        for shape, number in zip(shapes, pairs, strict=True):
            if shape.category not in self._categories:
                raise AnnotationError(
                    f"{tile.tile_id}: unknown class, got {shape.category!r}; "
                    f"{', '.join(self._categories)} are allowed; "
                    + advice(shape.category, self._categories, "correct it in the tool")
                )
            if number is not None:
                self._came_back(rows[number], shape)
            elif self._is_rejected(shape, tile.tile_id):
                self.counts["left_out"] += 1
            else:
                self._add(tile, shape)
        if self._reject:
            for number in sorted(set(range(len(released))) - set(pairs)):
                self._delete(released[number])

    def _not_released(self, tile: TileRecord, released: Sequence[Row]) -> list[Row]:
        """Objects that people added to a tile and that the release does not have, as rows of it."""
        ids = {row["instance_id"] for row in released}
        found = []
        for record in self._added.get(tile.tile_id, ()):
            anchor, rle = record.anchor, self._mask(record.anchor)
            if anchor.instance_id not in ids and rle and rle["size"] == list(tile.size_hw):
                about = (anchor.instance_id, anchor.tile_id, anchor.annotated, record.category, rle)
                found.append(dict(zip(COLUMNS, about, strict=True)))
        return found

    def _mask(self, anchor: Anchor) -> Rle | None:
        """The mask that corrections say an instance has in a tile: drawn, else answered."""
        key = anchor.instance_id, anchor.tile_id
        drawn = mask_of(self._known.get((Drawn.FILE, *key)))
        return drawn or mask_of(self._known.get((Clicks.FILE, *key)))

    def _paired(self, rows: Sequence[Row], shapes: Sequence[Shape]) -> list[int | None]:
        """The row of each shape, each once; None for new ones."""
        number_of = {row["instance_id"]: i for i, row in enumerate(rows)}
        found: list[int | None] = []
        for shape in shapes:
            number = number_of.get(shape.instance_id or "")
            found.append(number if number not in found else None)
        if not rows or None not in found:
            return found
        ious = rle_iou([shape.rle for shape in shapes], [row["rle"] for row in rows])
        order = np.argsort(-ious, axis=None, kind="stable")
        for place in order.tolist():
            i, j = divmod(place, len(rows))
            if ious[i, j] < HALF:
                break
            if found[i] is None and j not in found:
                found[i] = j
                self.counts["by_overlap"] += int(ious[i, j] < SAME)
        return found

    def _came_back(self, row: Row, shape: Shape) -> None:
        anchor = Anchor.of(row)
        key = anchor.instance_id, anchor.tile_id
        verdict = self._known.get((Verdict.FILE, *key))
        touched = rle_iou([row["rle"]], [shape.rle])[0, 0] < SAME
        changed = row["category"] != shape.category
        self.counts["untouched"] += not (touched or changed)
        if touched:
            self.counts["drawn"] += 1
            self._put(Drawn(anchor=anchor, rle=shape.rle))
            self._remove((Clicks.FILE, *key))
            if isinstance(verdict, Verdict) and verdict.mask != mask_digest(shape.rle):
                self._remove(verdict.key)  # it is of a mask that is no more
        elif isinstance(verdict, Verdict) and verdict.reason == DELETED:
            self.counts["returned"] += 1
            self._remove(verdict.key)
        if changed:
            self.counts["reclassified"] += 1
            self._reclass(anchor, row["category"], shape.category)
        if not touched:
            mask, other = self._mask(anchor), self._known.get((ClassChange.FILE, key[0], ""))
            mended = mask is not None and mask_digest(mask) != mask_digest(row["rle"])
            other = other if isinstance(other, ClassChange) and not changed else None
            renamed = other is not None and other.new != shape.category
            self.counts["corrected_before"] += mended or renamed

    def _reclass(self, anchor: Anchor, released: str, category: str) -> None:
        """Give an instance another class; the dataset's own takes a change back.

        Args:
            released: its class in the release.
            category: its class in the tool.
        """
        added = self._known.get((Added.FILE, anchor.instance_id, anchor.tile_id))
        if isinstance(added, Added):
            self._put(replace(added, category=category))
            return
        before = self._known.get((ClassChange.FILE, anchor.instance_id, ""))
        old = before.old if isinstance(before, ClassChange) else released
        after = ClassChange(anchor=anchor, old=old, new=category)
        earlier = self.edits.get(after.key)
        if earlier is not None and getattr(earlier.after, "new", old) != category:
            told = getattr(earlier.after, "new", old)
            raise AnnotationError(
                f"{anchor.tile_id}: {anchor.instance_id} is of two classes, got {category!r} here "
                f"and {told!r} in another tile; one in all tiles is allowed; correct one of them"
            )
        if category == old:
            self.edits[after.key] = Edit(before, None)
        else:
            self._put(after)

    def _delete(self, row: Row) -> None:
        self.counts["rejected"] += 1
        anchor = Anchor.of(row)
        after = Verdict(
            anchor=anchor, verdict="reject", reason=DELETED,
            mask=mask_digest(self._mask(anchor) or row["rle"]),
        )  # fmt: skip
        before = self._known.get(after.key)
        stands = isinstance(before, Verdict) and (
            before.verdict == "absent" or (before.verdict, before.mask) == ("reject", after.mask)
        )
        if not stands:  # else in the words of whoever looked
            self._put(after)

    def _is_rejected(self, shape: Shape, tile_id: str) -> bool:
        """Whether a person said before that an object is not to be released in a tile."""
        if shape.instance_id is None:
            return False
        verdict = self._known.get((Verdict.FILE, shape.instance_id, tile_id))
        rejected = isinstance(verdict, Verdict) and verdict.verdict == "reject"
        return rejected or shape.instance_id in self._absent

    def _add(self, tile: TileRecord, shape: Shape) -> None:
        if (shape.instance_id or "").startswith(f"{tile.scene_id}#"):
            raise AnnotationError(
                f"{tile.tile_id}: an object of another release, got {shape.instance_id!r}; ids of "
                "the release, or none for a new object, are allowed; give the release that was "
                "exported"
            )
        self.counts["added"] += 1
        box = rounded_box(rle_to_hbb(shape.rle))
        name = new_id(tile.scene_id, tile.tile_id, shape.category, box)
        anchor = Anchor(instance_id=name, tile_id=tile.tile_id, annotated=box)
        self._put(Added(anchor=anchor, category=shape.category))
        self._put(Drawn(anchor=anchor, rle=shape.rle))

    def _put(self, record: Record) -> None:
        self.edits[record.key] = Edit(self._known.get(record.key), record)

    def _remove(self, key: Key) -> None:
        before = self._known.get(key)
        if before is not None:
            self.edits[key] = Edit(before, None)
