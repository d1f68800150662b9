"""Many masks at once: the runs of whole columns of run-length encodings, without decoding a mask.

pycocotools takes one text at a time and trusts it. Here texts are decoded together in numpy, and
one that is no encoding is told (``Runs.bad``) instead of read beyond its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from samrs.core.rle import FIRST_CODE, Rle, written_counts

LAST_CODE = FIRST_CODE + 63
MOST_CHARACTERS = 7
"""Of one count: 35 bits."""


@dataclass(frozen=True)
class Runs:
    """Run lengths of N masks, each beginning with background.

    Args:
        lengths: (M,) run lengths of all masks, one after the other, px.
        splits: (N + 1,) where each mask's runs begin in ``lengths``.
        bad: (N,) whether the text is no encoding; such a mask has a single run of 0 px.
    """

    lengths: NDArray[np.int64]
    splits: NDArray[np.int64]
    bad: NDArray[np.bool_]

    def totals(self) -> NDArray[np.int64]:
        """(N,) px of each mask, background and foreground: height x width of a whole one."""
        ends = np.concatenate([[0], np.cumsum(self.lengths)])
        return np.diff(ends[self.splits])

    def areas(self) -> NDArray[np.int64]:
        """(N,) foreground px of each mask."""
        ends = np.concatenate([[0], np.cumsum(np.where(self._odd(), self.lengths, 0))])
        return np.diff(ends[self.splits])

    def foreground(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Start (px, column by column, from the mask's own corner), length and mask of each run."""
        odd = self._odd()
        before = np.cumsum(self.lengths) - self.lengths
        rows = np.repeat(np.arange(len(self.bad)), np.diff(self.splits))
        starts = before - np.concatenate([before, [0]])[self.splits[:-1]][rows]
        return starts[odd], self.lengths[odd], rows[odd]

    def _odd(self) -> NDArray[np.bool_]:
        return np.asarray(_places(self.splits) % 2 == 1)


def within_columns(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    masks: NDArray[np.int64],
    heights: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Runs cut where a column ends; the first three are as ``Runs.foreground`` gives them.

    Args:
        starts: (R,) px from the mask's own corner, column by column.
        lengths: (R,) px, 1 or more.
        masks: (R,) the mask of each.
        heights: (R,) px of each run's mask.
    """
    columns = (starts + lengths - 1) // heights - starts // heights + 1
    if (columns == 1).all():
        return starts, lengths, masks
    nth = np.arange(columns.sum()) - np.repeat(np.cumsum(columns) - columns, columns)
    whole, heights = np.repeat(starts, columns), np.repeat(heights, columns)
    ends = np.minimum(np.repeat(starts + lengths, columns), (whole // heights + nth + 1) * heights)
    begins = np.where(nth == 0, whole, (whole // heights + nth) * heights)
    return begins, ends - begins, np.repeat(masks, columns)


def overlaps(a: Runs, b: Runs) -> NDArray[np.int64]:
    """(N,) px in both masks of each pair.

    Args:
        a: N masks.
        b: N masks of the same sizes.
    """
    firsts = np.cumsum(a.totals()) - a.totals()
    starts, lengths, masks = b.foreground()
    starts = starts + firsts[masks]
    covered = np.concatenate([[0], np.cumsum(lengths)])

    def before(places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Px of ``b`` that lie before each place."""
        nth = np.searchsorted(starts, places, side="right")
        last = np.maximum(nth - 1, 0)
        within = np.minimum(places - starts[last], lengths[last]) if len(starts) else places
        return np.where(nth > 0, covered[last] + within, 0)

    starts_a, lengths_a, masks_a = a.foreground()
    starts_a = starts_a + firsts[masks_a]
    shared = before(starts_a + lengths_a) - before(starts_a)
    return np.bincount(masks_a, shared, len(a.bad)).astype(np.int64)


def encode_runs(
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    masks: NDArray[np.int64],
    totals: NDArray[np.int64],
) -> pa.StringArray:
    """N masks as COCO's compressed text: pycocotools' own characters (maskApi.c, rleToString).

    Args:
        starts: (R,) px from the mask's own corner, column by column, ascending in a mask.
        lengths: (R,) px, 1 or more; a run may begin where the one before it ends.
        masks: (R,) the mask of each run, ascending.
        totals: (N,) px of each mask, background and foreground, 1 or more.
    """
    ends = starts + lengths
    joined = np.zeros(len(starts), dtype=bool)
    joined[1:] = (starts[1:] == ends[:-1]) & (masks[1:] == masks[:-1])
    starts, masks = starts[~joined], masks[~joined]
    ends = ends[np.append(~joined[1:], True)] if len(ends) else ends
    number = np.bincount(masks, minlength=len(totals))
    # bounds of each mask: 0, then start and end of each run, then its px in all
    splits = np.concatenate([[0], np.cumsum(2 * number + 2)])
    bounds = np.zeros(splits[-1], dtype=np.int64)
    within = np.arange(len(starts)) - np.repeat(np.cumsum(number) - number, number)
    places = splits[masks] + 1 + 2 * within
    bounds[places], bounds[places + 1] = starts, ends
    bounds[splits[1:] - 1] = totals
    counts = np.diff(bounds)
    nth = (np.arange(len(bounds)) - np.repeat(splits[:-1], np.diff(splits)))[:-1]
    last = np.zeros(len(counts), dtype=bool)
    last[splits[1:-1] - 1] = True  # from one mask's px to the next mask's 0
    ended = np.zeros(len(counts), dtype=bool)
    ended[splits[1:] - 2] = True
    written = ~last & ~(ended & (counts == 0) & (nth > 0))
    values = np.where(nth > 2, counts - np.concatenate([[0, 0], counts])[: len(counts)], counts)[
        written
    ]
    return _texts(values, np.repeat(np.arange(len(totals)), np.diff(splits))[:-1][written], totals)


def _texts(
    values: NDArray[np.int64], masks: NDArray[np.int64], totals: NDArray[np.int64]
) -> pa.StringArray:
    """Numbers as COCO's characters: 5 bits each, low ones first, 32 added where more follow."""
    widths = np.ones(len(values), dtype=np.int64)
    for digits in range(1, MOST_CHARACTERS):
        half = 1 << (5 * digits - 1)
        widths += (values < -half) | (values >= half)
    ends = np.cumsum(widths)
    nth = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - widths, widths)
    digits = (np.repeat(values, widths) >> (5 * nth)) & 31
    digits += np.where(nth < np.repeat(widths, widths) - 1, 32, 0) + FIRST_CODE
    sizes = np.bincount(masks, widths, len(totals)).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(digits.astype(np.uint8))]
    return pa.StringArray.from_buffers(len(totals), *buffers[1:])


def text_buffers(texts: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Characters of a string array as (C,) bytes, and (N + 1,) where each text begins.

    A null is an empty text.

    Args:
        texts: N strings of ASCII.
    """
    texts = pa.concat_arrays([texts.fill_null("")])  # a slice keeps the buffers of the whole
    _, offsets, data = texts.buffers()
    begins = np.frombuffer(offsets, np.int32, len(texts) + 1, texts.offset * 4).astype(np.int64)
    held = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return held[begins[0] : begins[-1]], begins - begins[0]


def rle_runs(rles: Sequence[Rle]) -> Runs:
    """The runs of N masks; their sizes are not looked at."""
    return decode_runs(*text_buffers(pa.array([rle["counts"] for rle in rles], pa.string())))


def decode_runs(characters: NDArray[np.uint8], begins: NDArray[np.int64]) -> Runs:
    """The runs of N texts that ``text_buffers`` gave.

    Args:
        characters: (C,) those of all texts, one after another.
        begins: (N + 1,) where each text begins in them, and C.
    """
    bad = _bad_texts(characters, begins)
    if bad.any():
        characters, begins = _replaced(characters, begins, bad)
    values, ends = written_counts(characters)
    splits = np.searchsorted(ends, begins, side="right")
    _undo_differences(values, splits)
    below = np.add.reduceat(values < 0, splits[:-1]) > 0 if len(bad) else bad
    if below.any():  # no such run exists: say so, and let the other masks stand
        again = decode_runs(*_replaced(characters, begins, below))
        return Runs(again.lengths, again.splits, bad | below)
    return Runs(values, splits, bad)


def _bad_texts(characters: NDArray[np.uint8], begins: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(N,) texts that are empty, hold a strange character, stop within a count, or a huge one."""
    bad = np.array(begins[1:] == begins[:-1])
    wrong = (characters < FIRST_CODE) | (characters > LAST_CODE)
    stops = (characters - np.uint8(FIRST_CODE)) < 32
    lasts = begins[1:][~bad] - 1
    wrong[lasts] |= ~stops[lasts]
    stops[lasts] = True
    ends = np.flatnonzero(stops)
    wrong[ends[np.diff(ends, prepend=-1) > MOST_CHARACTERS]] = True
    bad[np.searchsorted(begins, np.flatnonzero(wrong), side="right") - 1] = True
    return bad


def _replaced(
    characters: NDArray[np.uint8], begins: NDArray[np.int64], bad: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The texts with "0", a single run of 0 px, in the place of bad ones."""
    zero = np.array([FIRST_CODE], dtype=np.uint8)
    parts = [
        zero if wrong else characters[begins[i] : begins[i + 1]] for i, wrong in enumerate(bad)
    ]
    sizes = np.array([len(part) for part in parts], dtype=np.int64)
    return np.concatenate(parts), np.concatenate([[0], np.cumsum(sizes)])


def _places(splits: NDArray[np.int64]) -> NDArray[np.int64]:
    """(M,) number of each run in its mask, from 0."""
    return np.arange(splits[-1]) - np.repeat(splits[:-1], np.diff(splits))


def _undo_differences(values: NDArray[np.int64], splits: NDArray[np.int64]) -> None:
    """Turn differences to the count two before into counts, in place."""
    places = _places(splits)
    for kind in (places % 2 == 1, (places % 2 == 0) & (places >= 2)):
        chosen = np.flatnonzero(kind)
        sums = np.concatenate([[0], np.cumsum(values[chosen])])
        first = np.searchsorted(chosen, splits)
        values[chosen] = sums[1:] - np.repeat(sums[first[:-1]], np.diff(first))
