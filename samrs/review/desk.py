"""What a person at the page sees of a mask and does to it; on the disk before anything is said.

Each change says what its window last saw of the mask's records (``seen``). Where these are others
by now, nothing is changed and the window is told: two windows do not overwrite each other, nor do
two reviews of one dataset. A window takes back its own changes only.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, SamrsError, check_known
from samrs.core.rle import polygons_to_rle, rle_area, rle_to_hbb
from samrs.corrections.records import (
    KINDS,
    VERDICTS,
    Added,
    Anchor,
    Answer,
    Box,
    ClassChange,
    Clicks,
    Corrections,
    Drawn,
    Record,
    Verdict,
    mask_digest,
    new_id,
    rounded_box,
    rounded_points,
)
from samrs.corrections.store import Edit, StaleError, Store
from samrs.review.clicks import Mender, Point
from samrs.review.held import AddedHere, Held, held_of
from samrs.review.index import Index
from samrs.review.marks import CLICKED, DRAWN, RECLASSED, Marks, marks_of
from samrs.review.pictures import Pictures
from samrs.review.sampling import Sample

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


class Desk:
    """One release under review.

    Args:
        index: of the release.
        pictures: of it.
        store: its dataset's corrections.
        mender: answers clicks; None: nobody does.
        sample: the masks that are to be judged; None: all.

    Attributes:
        build: tells releases, and processes that draw pictures of them, apart.
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
        self.build = f"{index.sha256[:16]}-{secrets.token_hex(4)}"
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
        return held_of(self.pictures.row(number), self.current()[1])

    def marks(self) -> Marks:
        """What was said of all masks; made again when the corrections changed."""
        with self._lock:
            stamp, corrections = self.current()
            if self._marks is None or self._marks.stamp != stamp:
                self._marks = marks_of(self.index, stamp, corrections)
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
        check_known("filter", "verdict", state, STATES)
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

    def answer(
        self, number: int, positive: Sequence[Point], negative: Sequence[Point], box: Box | None
    ) -> Answer:
        """What the segmenter answers to points and a box; nothing is kept of it.

        Args:
            number: of a mask in the tile that is asked about.
            positive: points (x, y) on the object, tile px.
            negative: points beside it.
            box: xyxy around it; None: points alone.

        Raises:
            ParameterError: nobody answers clicks, or nothing is seen there.
        """
        self.index.instance_id(number)
        return self.answer_in(int(self.index.place[number]), positive, negative, box)

    def answer_in(
        self, tile: int, positive: Sequence[Point], negative: Sequence[Point], box: Box | None
    ) -> Answer:
        """As ``answer``, in a tile of the release, whether it has masks or not.

        Args:
            tile: its number.
            positive: points (x, y) on the object, tile px.
            negative: points beside it.
            box: xyxy around it; None: points alone.
        """
        about, tile_id = self.index.manifest, self.index.tile_ids[tile].as_py()
        if self.mender is None:
            raise ParameterError(
                f"{self.index.release}: nobody answers clicks, got segmenter "
                f"{about.get('segmenter')!r}; a release made by a network that takes points is "
                "needed; draw the mask instead"
            )
        found = self.mender.ask(tile, list(positive), list(negative), box)
        if found is None:
            raise ParameterError(
                f"{tile_id}: no mask there, got an empty answer to "
                f"{len(positive)} and {len(negative)} points; points on the object are needed; "
                "click elsewhere, draw the mask, or reject it"
            )
        return Answer(
            rle=found.rle,
            segmenter=about["segmenter"],
            model=about["model"],
            model_sha256=about["model_sha256"],
            precision=str(about.get("precision", "float32")),
            predicted_iou=found.predicted_iou,
            stability_score=found.stability_score,
        )

    def click(
        self, number: int, window: str, seen: str, positive: Sequence[Point],
        negative: Sequence[Point], box: Box | None,
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
        held = self._checked(number, seen)
        answer = self.answer(number, positive, negative, box)
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

        Raises:
            ParameterError: there is none, since a person added the object.
        """
        with self._lock:
            held = self._checked(number, seen)
            if held.added is not None:
                raise ParameterError(
                    f"{self.index.instance_id(number)}: there is no mask by the machine, got an "
                    "object that a person added; a mask by clicks or by hand is needed; mend it, "
                    "or reject it"
                )
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
            if held.added is not None:
                renamed = replace(held.added, category=category)
                self._change(number, window, [Edit(held.added, renamed)])
                return
            before = held.reclassed
            old = before.old if before else held.row["category"]
            after = None
            if category != old:
                after = ClassChange(anchor=Anchor.of(held.row), old=old, new=category)
            self._change(number, window, [Edit(before, after)])

    def add(
        self, number: int, window: str, category: str, positive: Sequence[Point],
        negative: Sequence[Point], box: Box | None,
    ) -> None:  # fmt: skip
        """Add an object that nobody had annotated, with the mask that the segmenter answers with.

        Args:
            number: of a mask in the same tile.
            window: which window asks.
            category: its class.
            positive: all points (x, y) on the object, tile px.
            negative: all points beside it.
            box: xyxy around it, which is its annotation; None: the mask's own box is.

        Raises:
            ParameterError: nobody answers clicks, or nothing is seen there.
            ChangedError: the same was added before.
        """
        answer = self.answer(number, positive, negative, box)
        tile_id = self.index.tile_id(number)
        annotated = rounded_box(rle_to_hbb(answer.rle) if box is None else box)
        scene_id = self.index.scenes[int(self.index.scene[number])]
        name = new_id(scene_id, tile_id, category, annotated)
        anchor = Anchor(instance_id=name, tile_id=tile_id, annotated=annotated)
        clicks = Clicks(
            anchor=anchor,
            positive=rounded_points(positive),
            negative=rounded_points(negative),
            box=box,
            answer=answer,
        )
        with self._lock:
            edits = [Edit(None, clicks), Edit(None, Added(anchor=anchor, category=category))]
            self._keep(number, window, edits)

    def added(self, number: int) -> list[AddedHere]:
        """The objects that people added to a tile and that are not released yet, sorted by id.

        Args:
            number: of a mask in the tile.
        """
        tile_id, corrections = self.index.tile_id(number), self.current()[1]
        released = self.pictures.tile(number).places
        found = []
        for record in corrections.of(Added):
            if record.anchor.tile_id == tile_id and record.anchor.instance_id not in released:
                keys = [(kind, *record.key[1:]) for kind in KINDS]
                records = (corrections.records.get(key) for key in keys)
                found.append(AddedHere(record.category, tuple(r for r in records if r)))
        return found

    def remove(self, number: int, window: str, seen: str) -> None:
        """Take an object back that somebody added and that is not released yet.

        Args:
            number: of a mask in the same tile.
            window: which window asks.
            seen: what it last saw of the object.

        Raises:
            ChangedError: it is another by now, or gone.
        """
        with self._lock:
            found = [one for one in self.added(number) if one.seen == seen]
            if not found:
                raise ChangedError(
                    f"{self.index.tile_id(number)}: was changed elsewhere, got another object or "
                    "none; what is shown now is allowed; look at it and decide again",
                    number,
                )
            self._keep(number, window, [Edit(record, None) for record in found[0].records])

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
        if any(edit.key[0] in (Clicks.FILE, Drawn.FILE) for edit in edits):
            # a verdict is of a mask that is no more
            edits += _removed(self.held(number), Verdict)
        self._keep(number, window, edits)

    def _keep(self, number: int, window: str, edits: list[Edit]) -> None:
        """Change what stands, and remember how to take it back."""
        self._apply(number, edits)
        done = self._done.setdefault(window, [])
        done.append((number, edits))
        del done[:-REMEMBERED]

    def _apply(self, number: int, edits: list[Edit]) -> None:
        try:
            self.store.apply(edits)
        except StaleError as error:
            raise ChangedError(str(error), number) from error


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


def _removed(held: Held, *kinds: type[Record]) -> list[Edit]:
    return [Edit(record, None) for record in held.records if isinstance(record, kinds)]
