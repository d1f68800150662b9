"""What people correct of a release: verdicts, clicks, masks, new instances, classes.

Each record is of an instance in a tile, and says what the instance was when a person looked: its
annotated box, and for a verdict the mask. Where that is so no more, the record is a conflict.

=================  ==========================================================================
``verdicts.csv``   ``accept``: the mask is released whatever its scores; ``reject``: it is not;
                   ``absent``: there is no such object, it is released in no tile
``clicks.jsonl``   points and a box that a segmenter was asked with, and its answer
``masks.jsonl``    masks that a person drew; they stand before answers to clicks
``instances.jsonl``  objects that nobody had annotated; their masks stand in the two files above
``classes.csv``    other classes of instances, in all tiles that show them
=================  ==========================================================================

Points and boxes are in tile px, x right and y down from the top-left corner of the top-left pixel;
boxes are xyxy. Masks are of the whole tile.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from samrs.core.rle import Rle

VERDICTS = ("accept", "reject", "absent")
MADE_BY = ("machine", "clicked", "drawn")
"""Who made a released mask: the segmenter alone, the segmenter with a person's clicks, a person."""

DECIMALS = 3
"""Of coordinates as they are written, px."""
NEAR = 0.001
"""Px by which a box may differ from what is written of it: rounding."""

Box: TypeAlias = tuple[float, float, float, float]
Points: TypeAlias = tuple[tuple[float, float], ...]
Key: TypeAlias = tuple[str, str, str]


def rounded_box(box: Iterable[float]) -> Box:
    """A box (4,) xyxy px as it is written."""
    x0, y0, x1, y1 = (round(float(v), DECIMALS) + 0.0 for v in box)
    return x0, y0, x1, y1


def rounded_points(points: Iterable[Sequence[float]]) -> Points:
    """Points (x, y) px as they are written."""
    return tuple(
        (round(float(x), DECIMALS) + 0.0, round(float(y), DECIMALS) + 0.0) for x, y in points
    )


def mask_digest(rle: Mapping[str, Any]) -> str:
    """16 hex digits that tell masks apart.

    Args:
        rle: of a whole tile, as a release holds it.
    """
    height, width = (int(v) for v in rle["size"])
    return hashlib.sha256(f"{height}x{width}:{rle['counts']}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """An instance in a tile, as it was when a person looked at it.

    Args:
        instance_id: of the instance, the same in all tiles that show it.
        tile_id: of the tile.
        annotated: its annotated box ``hbb_annotated`` xyxy in tile px, to ``DECIMALS``.
    """

    instance_id: str
    tile_id: str
    annotated: Box

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Anchor:
        """That of a row of a release's table instances."""
        return cls(
            instance_id=row["instance_id"],
            tile_id=row["tile_id"],
            annotated=rounded_box(row["hbb_annotated"]),
        )

    def same_box(self, box: Sequence[float]) -> bool:
        """Whether an annotated box (4,) xyxy in tile px is this one."""
        return all(abs(a - b) <= NEAR for a, b in zip(self.annotated, box, strict=True))


@dataclass(frozen=True, kw_only=True)
class Record:
    """What all corrections have.

    Args:
        anchor: whom it is of.
        line: of its file, from 1; 0 where it was read from none.
    """

    anchor: Anchor
    line: int = field(default=0, compare=False)

    FILE = ""

    @property
    def key(self) -> Key:
        """File, instance and tile: no two records share one."""
        return self.FILE, self.anchor.instance_id, self.anchor.tile_id


@dataclass(frozen=True, kw_only=True)
class Verdict(Record):
    """What a person says of a mask.

    Args:
        verdict: one of VERDICTS.
        reason: in the person's words, one line; may be empty.
        mask: ``mask_digest`` of the mask judged.
    """

    verdict: str
    mask: str
    reason: str = ""

    FILE = "verdicts.csv"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The mask that a segmenter answered clicks with, and which segmenter that was.

    Args:
        rle: the mask.
        segmenter: a file of ``samrs/segmenters``.
        model: its checkpoint's name.
        model_sha256: its checkpoint.
        precision: as of params.yaml.
        predicted_iou: the segmenter's own estimate; None where it has none.
        stability_score: SAM's, 0-1; None where the segmenter has none.
    """

    rle: Rle
    segmenter: str
    model: str
    model_sha256: str
    precision: str
    predicted_iou: float | None = None
    stability_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Clicks(Record):
    """What a segmenter is asked, once: ``release`` takes the answer and asks nobody.

    Args:
        positive: points (x, y) on the object.
        negative: points (x, y) beside it.
        box: xyxy around it; None: asked with points alone.
        answer: None until a segmenter was asked.
    """

    positive: Points = ()
    negative: Points = ()
    box: Box | None = None
    answer: Answer | None = None

    FILE = "clicks.jsonl"


@dataclass(frozen=True, kw_only=True)
class Drawn(Record):
    """A mask that a person drew.

    Args:
        rle: the mask.
    """

    rle: Rle

    FILE = "masks.jsonl"


@dataclass(frozen=True, kw_only=True)
class Added(Record):
    """An object that nobody had annotated; its anchor's box is the annotation.

    Args:
        category: its class.
    """

    category: str

    FILE = "instances.jsonl"


@dataclass(frozen=True, kw_only=True)
class ClassChange(Record):
    """Another class of an instance, in all tiles that show it.

    Args:
        old: its class when a person looked at it.
        new: its class from now on.
    """

    old: str
    new: str

    FILE = "classes.csv"

    @property
    def key(self) -> Key:
        """File and instance: an object is of one class in all tiles."""
        return self.FILE, self.anchor.instance_id, ""


KINDS: Mapping[str, type[Record]] = {
    kind.FILE: kind for kind in (Added, Drawn, Clicks, ClassChange, Verdict)
}
"""Kinds of records by their file, in the order in which they are applied."""


@dataclass(frozen=True)
class Corrections:
    """All records of a dataset.

    Args:
        records: by key.
    """

    records: Mapping[Key, Record] = field(default_factory=dict)

    def of(self, kind: type[Record]) -> list[Any]:
        """The records of one kind, sorted by instance and tile."""
        return [self.records[key] for key in sorted(self.records) if key[0] == kind.FILE]

    def counts(self) -> dict[str, int]:
        """Number of records by file."""
        return {name: len(self.of(kind)) for name, kind in sorted(KINDS.items())}

    def digest(self) -> str:
        """sha256 of the records: the same whatever the order of lines."""
        digest = hashlib.sha256()
        for key in sorted(self.records):
            told = {k: v for k, v in vars(self.records[key]).items() if k != "line"}
            digest.update(f"{key} {sorted(told.items())!r}\n".encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.records)


def mask_of(record: Record | None) -> Rle | None:
    """The mask that a record brings, of the whole tile; None without one."""
    if isinstance(record, Drawn):
        return record.rle
    return record.answer.rle if isinstance(record, Clicks) and record.answer else None


def new_id(scene_id: str, tile_id: str, category: str, annotated: Box) -> str:
    """An id for an object that nobody had annotated: the same for the same, on every machine.

    No annotated instance has one like it, and two people who add objects give them other ids.

    Args:
        scene_id: of the tile.
        tile_id: where its box is.
        category: its class.
        annotated: its box xyxy in tile px.
    """
    told = f"{tile_id}\n{category}\n{rounded_box(annotated)}"
    return f"{scene_id}#new-{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def finite(values: Iterable[float]) -> bool:
    """Whether all are numbers, and none infinite."""
    return all(math.isfinite(v) for v in values)
