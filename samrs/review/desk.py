"""What a person at the page sees of a mask and does to it; on the disk before anything is said.

Each change says what its window last saw of the mask's records (``seen``). Where these are others
by now, nothing is changed and the window is told: two windows do not overwrite each other, nor do
two reviews of one dataset. A window takes back its own changes only.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, SamrsError
from samrs.core.rle import Rle, polygons_to_rle, rle_area, rle_iou
from samrs.corrections.records import (
    KINDS,
    VERDICTS,
    Anchor,
    Answer,
    ClassChange,
    Clicks,
    Corrections,
    Drawn,
    Record,
    Verdict,
    mask_digest,
    mask_of,
    rounded_points,
)
from samrs.corrections.store import Edit, StaleError, Store
from samrs.review.clicks import Mender, Point
from samrs.review.index import Index
from samrs.review.pictures import Pictures, Row
from samrs.review.sampling import Sample

NOTHING, CLICKED, DRAWN, RECLASSED = 0, 1, 2, 4
"""What was changed of a mask: flags."""
STATES = ("open", "judged", *VERDICTS, "mended", "reclassed")
"""Filters of what people said."""
REMEMBERED = 10_000
"""Changes that a window can take back."""


class ChangedError(SamrsError):
    """Somebody else changed what a window wants to change.

    Args:
        number: of the mask.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True)
class Marks:
    """What people said of a release's masks.

    Args:
        stamp: tells two states of the corrections apart.
        verdict: (N,) 0 for none, else 1 + place in VERDICTS.
        changed: (N,) flags of ``CLICKED``, ``DRAWN`` and ``RECLASSED``.
        masks: digests of the masks that people changed, by number.
    """

    stamp: str
    verdict: NDArray[np.uint8]
    changed: NDArray[np.uint8]
    masks: dict[int, str] = field(default_factory=dict)


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

    @property
    def records(self) -> list[Record]:
        """Those that there are."""
        every = (self.verdict, self.clicks, self.drawn, self.reclassed)
        return [record for record in every if record is not None]

    @property
    def seen(self) -> str:
        """Tells two states of these records apart."""
        told = [sorted((k, v) for k, v in vars(r).items() if k != "line") for r in self.records]
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

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
        return "clicked" if answered else str(self.row.get("made_by") or "machine")

    @property
    def stale(self) -> bool:
        """Whether a record is of another box, or a verdict of another mask."""
        box = self.row["hbb_annotated"]
        moved = any(not record.anchor.same_box(box) for record in self.records)
        judged = self.verdict is not None and self.verdict.mask != mask_digest(self.rle)
        return moved or judged


class Desk:
    """One release under review.

    Args:
        index: of the release.
        pictures: of it.
        store: its dataset's corrections.
        mender: answers clicks; None: nobody does.
        sample: the masks that are to be judged; None: all.
    """

    def __init__(
        self,
        index: Index,
        pictures: Pictures,
        store: Store,
        mender: Mender | None = None,
        sample: Sample | None = None,
    ) -> None:
        self.index, self.pictures, self.store = index, pictures, store
        self.mender, self.sample = mender, sample
        self._lock = threading.RLock()
        self._done: dict[str, list[tuple[int, list[Edit]]]] = {}
        self._marks: Marks | None = None
        self._read: tuple[str, Corrections] | None = None

    def current(self) -> tuple[str, Corrections]:
        """What stands on the disk, and what tells two states of it apart; read again where a file
        was written since, by whomever."""
        with self._lock:
            stamp = _stamp(self.store.folder)
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, self.store.read()
            return self._read

    def held(self, number: int) -> Held:
        """What stands of a mask on the disk.

        Args:
            number: of the mask.
        """
        return _held(self.pictures.row(number), self.current()[1])

    def marks(self) -> Marks:
        """What was said of all masks; made again when the corrections changed."""
        with self._lock:
            stamp, corrections = self.current()
            if self._marks is None or self._marks.stamp != stamp:
                self._marks = _marks_of(self.index, stamp, corrections)
            return self._marks

    def among(self, state: str) -> NDArray[np.bool_]:
        """(N,) which masks are to be shown: those of the sample that are in a state.

        Args:
            state: one of STATES; empty: any.

        Raises:
            ParameterError: there is no such state.
        """
        passing = np.ones(len(self.index), dtype=bool)
        if self.sample is not None:
            passing[:] = False
            passing[list(self.sample.numbers)] = True
        if not state:
            return passing
        if state not in STATES:
            raise ParameterError(
                f"filter: unknown verdict, got {state!r}; {', '.join(STATES)} are allowed; use one "
                "of these"
            )
        marks = self.marks()
        mended = (marks.changed & (CLICKED | DRAWN)) > 0
        if state in VERDICTS:
            return np.asarray(passing & (marks.verdict == 1 + VERDICTS.index(state)))
        found = {
            "open": (marks.verdict == 0) & ~mended,
            "judged": (marks.verdict > 0) | mended,
            "mended": mended,
            "reclassed": (marks.changed & RECLASSED) > 0,
        }
        return np.asarray(passing & found[state])

    def judge(self, number: int, window: str, seen: str, verdict: str, reason: str) -> None:
        """Say what a mask is, or take back what was said.

        Args:
            number: of the mask.
            window: which window asks.
            seen: what it last saw.
            verdict: one of VERDICTS; empty: none any more.
            reason: in the person's words; may be empty.
        """
        with self._lock:
            held = self._checked(number, seen)
            after = None
            if verdict:
                after = Verdict(
                    anchor=Anchor.of(held.row),
                    verdict=verdict,
                    mask=mask_digest(held.rle),
                    reason=reason.strip(),
                )
            self._change(number, window, [Edit(held.verdict, after)])

    def click(
        self, number: int, window: str, seen: str, positive: Sequence[Point],
        negative: Sequence[Point], box: tuple[float, float, float, float] | None,
    ) -> None:  # fmt: skip
        """Ask for a mask by points and a box, and keep the answer; the mask is to be judged anew.

        Args:
            number: of the mask.
            window: which window asks.
            seen: what it last saw.
            positive: all points (x, y) on the object, tile px.
            negative: all points beside it.
            box: xyxy around it; None: points alone.

        Raises:
            ParameterError: nobody answers clicks, or nothing is seen there.
        """
        if self.mender is None:
            raise ParameterError(
                f"{self.index.release}: nobody answers clicks, got segmenter "
                f"{self.index.manifest.get('segmenter')!r}; a release made by a network that takes "
                "points is needed; draw the mask instead"
            )
        held = self._checked(number, seen)
        place = int(self.index.place[number])
        found = self.mender.ask(place, list(positive), list(negative), box)
        if found is None:
            raise ParameterError(
                f"{self.index.tile_id(number)}: no mask there, got an empty answer to "
                f"{len(positive)} and {len(negative)} points; points on the object are needed; "
                "click elsewhere, draw the mask, or reject it"
            )
        about = self.index.manifest
        answer = Answer(
            rle=found.rle,
            segmenter=about["segmenter"],
            model=about["model"],
            model_sha256=about["model_sha256"],
            precision=str(about.get("precision", "float32")),
            predicted_iou=found.predicted_iou,
            stability_score=found.stability_score,
        )
        after = Clicks(
            anchor=Anchor.of(held.row),
            positive=rounded_points(positive),
            negative=rounded_points(negative),
            box=box,
            answer=answer,
        )
        with self._lock:
            held = self._checked(number, seen)
            self._change(number, window, [Edit(held.clicks, after), *_removed(held, Drawn)])

    def draw(
        self, number: int, window: str, seen: str, polygons: Sequence[Sequence[Point]]
    ) -> None:
        """Take a mask that a person drew; it is to be judged anew.

        Args:
            number: of the mask.
            window: which window asks.
            seen: what it last saw.
            polygons: closed, each of 3 or more corners (x, y) in tile px; the mask is their union.

        Raises:
            ParameterError: there is no px in it.
        """
        with self._lock:
            held = self._checked(number, seen)
            size_hw = held.row["rle"]["size"]
            shapes = [np.array(polygon, dtype=np.float64) for polygon in polygons]
            rle = polygons_to_rle(shapes, size_hw)
            if not rle_area(rle):
                raise ParameterError(
                    f"{self.index.tile_id(number)}: nothing was drawn, got a mask of 0 px; 1 or "
                    "more within the tile are needed; draw it larger, or reject the mask"
                )
            after = Drawn(anchor=Anchor.of(held.row), rle=rle)
            self._change(number, window, [Edit(held.drawn, after), *_removed(held, Clicks)])

    def restore(self, number: int, window: str, seen: str) -> None:
        """Go back to the machine's mask; it is to be judged anew.

        Args:
            number: of the mask.
            window: which window asks.
            seen: what it last saw.
        """
        with self._lock:
            held = self._checked(number, seen)
            self._change(number, window, _removed(held, Clicks, Drawn))

    def reclass(self, number: int, window: str, seen: str, category: str) -> None:
        """Give an instance another class, in all its tiles.

        Args:
            number: of a mask of it.
            window: which window asks.
            seen: what it last saw.
            category: the right class; the released one takes the change back.
        """
        with self._lock:
            held = self._checked(number, seen)
            before = held.reclassed
            old = before.old if before else held.row["category"]
            after = None
            if category != old:
                after = ClassChange(anchor=Anchor.of(held.row), old=old, new=category)
            self._change(number, window, [Edit(before, after)])

    def undo(self, window: str) -> int | None:
        """Take back the last change of a window; the mask's number, None where there is none.

        Args:
            window: which one.

        Raises:
            ChangedError: somebody changed the mask since.
        """
        with self._lock:
            done = self._done.get(window)
            if not done:
                return None
            number, edits = done[-1]
            self._apply(number, [edit.undone() for edit in edits])
            done.pop()
            return number

    def _checked(self, number: int, seen: str) -> Held:
        held = self.held(number)
        if held.seen != seen:
            raise ChangedError(
                f"{self.index.instance_id(number)}: was changed elsewhere, got what another window "
                "or review wrote; what is shown now is allowed; look at it and decide again",
                number,
            )
        return held

    def _change(self, number: int, window: str, edits: list[Edit]) -> None:
        edits = [edit for edit in edits if edit.before != edit.after]
        if not edits:
            return
        if all(not isinstance(edit.after or edit.before, Verdict | ClassChange) for edit in edits):
            # a verdict is of a mask that is no more
            edits += _removed(self.held(number), Verdict)
        self._apply(number, edits)
        done = self._done.setdefault(window, [])
        done.append((number, edits))
        del done[:-REMEMBERED]

    def _apply(self, number: int, edits: list[Edit]) -> None:
        try:
            self.store.apply(edits)
        except StaleError as error:
            raise ChangedError(str(error), number) from error


def machine_iou(held: Held) -> float:
    """IoU of the released mask with the one that is to be released.

    Args:
        held: of the mask.
    """
    return float(rle_iou([held.row["rle"]], [held.rle])[0, 0])


def _stamp(folder: Path) -> str:
    """Changes whenever a file of the corrections is replaced, which is how they are written."""
    told = []
    for name in KINDS:
        try:
            found = (folder / name).stat()
        except FileNotFoundError:
            continue
        told.append((name, found.st_ino, found.st_size, found.st_mtime_ns))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _held(row: Row, corrections: Corrections) -> Held:
    anchor = Anchor.of(row)

    def of(kind: type[Record], tile: str = anchor.tile_id) -> Any:
        return corrections.records.get((kind.FILE, anchor.instance_id, tile))

    return Held(row, of(Verdict), of(Clicks), of(Drawn), of(ClassChange, ""))


def _removed(held: Held, *kinds: type[Record]) -> list[Edit]:
    return [Edit(record, None) for record in held.records if isinstance(record, kinds)]


def _marks_of(index: Index, stamp: str, corrections: Corrections) -> Marks:
    records = list(corrections.records.values())
    numbers = index.numbers((r.anchor.instance_id, r.anchor.tile_id) for r in records)
    verdict = np.zeros(len(index), np.uint8)
    changed = np.zeros(len(index), np.uint8)
    masks: dict[int, str] = {}
    for record in records:
        number = numbers.get((record.anchor.instance_id, record.anchor.tile_id))
        if number is None:  # a conflict, which the release tells of
            continue
        if isinstance(record, Verdict):
            verdict[number] = 1 + VERDICTS.index(record.verdict)
        elif isinstance(record, ClassChange):
            changed[number] |= RECLASSED
        elif (rle := mask_of(record)) is not None:
            changed[number] |= DRAWN if isinstance(record, Drawn) else CLICKED
            if number not in masks or isinstance(record, Drawn):
                masks[number] = mask_digest(rle)
    return Marks(stamp, verdict, changed, masks)
