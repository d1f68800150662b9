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
