"""What stands of a mask: its row of the release, and what people said of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from samrs.core.rle import Rle, rle_iou
from samrs.corrections.records import (
    MADE_BY,
    Added,
    Anchor,
    ClassChange,
    Clicks,
    Corrections,
    Drawn,
    Record,
    Verdict,
    mask_digest,
    mask_of,
)
from samrs.review.pictures import Row

MACHINE = MADE_BY[0]


@dataclass(frozen=True)
class Held:
    """A mask's records as they stand on the disk.

    Args:
        row: of the release.
        verdict: None where there is none; so with the others.
    """

    row: Row
    verdict: Verdict | None
    clicks: Clicks | None
    drawn: Drawn | None
    reclassed: ClassChange | None
    added: Added | None = None

    @property
    def records(self) -> list[Record]:
        """Those that there are."""
        every = (self.verdict, self.clicks, self.drawn, self.reclassed, self.added)
        return [record for record in every if record is not None]

    @property
    def seen(self) -> str:
        """Tells two states of these records apart."""
        return digest_of(self.records)

    @property
    def rle(self) -> Rle:
        """The mask that is to be released: drawn, else answered, else the machine's."""
        for record in (self.drawn, self.clicks):
            if record is not None and (rle := mask_of(record)) is not None:
                found: Rle = rle
                return found
        stored: Rle = self.row["rle"]
        return stored

    @property
    def made_by(self) -> str:
        """Who made that mask."""
        if self.drawn is not None:
            return "drawn"
        answered = self.clicks is not None and self.clicks.answer is not None
        return "clicked" if answered else str(self.row.get("made_by") or MACHINE)

    @property
    def category(self) -> str:
        """The class that is to be released."""
        if self.added is not None:
            return self.added.category
        return self.reclassed.new if self.reclassed else str(self.row["category"])

    @property
    def taken_back(self) -> bool:
        """Whether the released mask is a person's that stands in no record any more."""
        own = any(mask_of(record) is not None for record in (self.drawn, self.clicks))
        return self.made_by != MACHINE and not own

    @property
    def stale(self) -> bool:
        """Whether a record is of another box, or a verdict of another mask.

        A changed class may stand with the instance as another tile shows it, in that tile's px.
        """
        box, tile_id = self.row["hbb_annotated"], self.row["tile_id"]
        own = [record.anchor for record in self.records if record.anchor.tile_id == tile_id]
        moved = any(not anchor.same_box(box) for anchor in own)
        judged = self.verdict is not None and self.verdict.mask != mask_digest(self.rle)
        return moved or judged


@dataclass(frozen=True)
class AddedHere:
    """An object that a person added to a tile.

    Args:
        category: its class.
        records: all of it.
    """

    category: str
    records: tuple[Record, ...]

    @property
    def seen(self) -> str:
        """Tells two states of these records apart."""
        return digest_of(self.records)

    @property
    def rle(self) -> Rle | None:
        """Its mask: drawn, else answered; None where nobody made one."""
        masks = {record.FILE: rle for record in self.records if (rle := mask_of(record))}
        return masks.get(Drawn.FILE) or masks.get(Clicks.FILE)


def held_of(row: Row, corrections: Corrections) -> Held:
    """What stands of a row of the release.

    Args:
        row: with every column.
        corrections: all of the dataset's.
    """
    anchor = Anchor.of(row)

    def of(kind: type[Record], tile: str = anchor.tile_id) -> Any:
        return corrections.records.get((kind.FILE, anchor.instance_id, tile))

    return Held(row, of(Verdict), of(Clicks), of(Drawn), of(ClassChange, ""), of(Added))


def digest_of(records: Iterable[Record]) -> str:
    """16 hex digits that tell records apart, whatever their lines."""
    told = [sorted((k, v) for k, v in vars(r).items() if k != "line") for r in records]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def machine_iou(held: Held) -> float:
    """IoU of the mask that the release has with the one that is to be released.

    Args:
        held: of the mask.
    """
    return float(rle_iou([held.row["rle"]], [held.rle])[0, 0])
