"""Which of several masks a pixel is of: masks are painted in an order, over each other.

SAMRS paints in annotation order, later over earlier, so that a stadium may hide the tennis court
inside it. Here the rule is declared and what it decided is counted. No mask is decoded: runs are
painted, of many tiles at once, in batches of bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ProductError, check_known
from samrs.core.runs import Runs, within_columns

RULES: Mapping[str, int] = {"smaller_on_top": -1, "larger_on_top": 1, "annotation_order": 0}
"""Masks are painted in the order of their area times this, the topmost last; of equal areas the
later one is on top, as in annotation order."""

BATCH_PIXELS = 16 * 2**20
"""Px of masks painted at once, at some 20 bytes each."""

Ints = NDArray[np.int64]


def check_rule(rule: str) -> None:
    """Refuse an overlap rule that does not exist.

    Raises:
        ParameterError: it is not one of RULES.
    """
    check_known("release.overlap", "rule", rule, RULES)


def check_masks(where: str, runs: Runs, tiles: Ints, sizes_hw: Ints) -> None:
    """Refuse masks that are not masks of their tiles.

    Args:
        where: what to name in the error.
        runs: as of ``paint``.
        tiles: as of ``paint``.
        sizes_hw: as of ``paint``.

    Raises:
        ProductError: a mask is no encoding, or not of its tile's size.
    """
    wrong = runs.bad | (runs.totals() != sizes_hw.prod(axis=1)[tiles])
    if wrong.any():
        raise ProductError(
            f"{where}: {int(wrong.sum())} masks do not decode to their tile's size, got mask "
            f"{int(np.flatnonzero(wrong)[0])}; COCO's run-length encoding of a whole tile is "
            "allowed; run sam-label and release again"
        )


def paint(
    runs: Runs,
    tiles: Ints,
    sizes_hw: Ints,
    values: NDArray[np.integer],
    *,
    order: int,
    background: int,
) -> NDArray[np.integer]:
    """Paint masks into the maps of their tiles.

    Args:
        runs: of N masks that ``check_masks`` let pass.
        tiles: (N,) index of each mask's tile in ``sizes_hw``, ascending; of one tile's masks the
            order is that of annotation.
        sizes_hw: (T, 2) height and width of each tile, px.
        values: (N,) what each mask is painted with.
        order: a value of RULES.
        background: what is under no mask.

    Returns:
        The px of all tiles, tile after tile, row by row, of the type of ``values``.
    """
    canvas = np.full(int(sizes_hw.prod(axis=1).sum()), background, dtype=values.dtype)
    for pixels, painted in batches(runs, tiles, sizes_hw, values, order):
        canvas[pixels] = painted  # of a px named several times the last stays (numpy's manual)
    return canvas


def batches(
    runs: Runs, tiles: Ints, sizes_hw: Ints, values: NDArray[np.integer], order: int
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """The px of all masks in the order of painting, a part at a time.

    Args:
        runs: as of ``paint``.
        tiles: as of ``paint``.
        sizes_hw: as of ``paint``.
        values: as of ``paint``.
        order: as of ``paint``.

    Yields:
        (K,) index of each px in what ``paint`` returns, and (K,) its mask's value.
    """
    areas = sizes_hw.prod(axis=1)
    begins = np.cumsum(areas) - areas
    turns = np.lexsort((order * runs.areas(), tiles))
    rank = np.empty(len(turns), dtype=np.int64)
    rank[turns] = np.arange(len(turns))
    starts, lengths, masks = runs.foreground()
    turn = np.argsort(rank[masks], kind="stable")
    turn = turn[lengths[turn] > 0]
    starts, lengths, masks = within_columns(
        starts[turn], lengths[turn], masks[turn], sizes_hw[tiles[masks[turn]], 0]
    )
    heights, widths = sizes_hw[tiles[masks]].T
    first = begins[tiles[masks]] + starts % heights * widths + starts // heights
    yield from downwards(first, lengths, widths, values[masks], int(areas.sum()))


def downwards(
    first: Ints, lengths: Ints, widths: Ints, values: NDArray[np.integer], size: int
) -> Iterator[tuple[NDArray[np.integer], NDArray[np.integer]]]:
    """The px of runs within columns, a part at a time, as ``batches`` gives them.

    Args:
        first: (R,) index of each run's first px in a map that is stored row by row.
        lengths: (R,) px.
        widths: (R,) px of a row of the map there.
        values: (R,) what each run is painted with.
        size: px of all maps.
    """
    small = np.int32 if size < 2**31 else np.int64
    for some in _parts(lengths):
        pixels = _downwards(first[some], lengths[some], widths[some], small)
        yield pixels, np.repeat(values[some], lengths[some])


def _parts(lengths: Ints) -> Iterator[slice]:
    """Runs that are painted at once: none of them is longer than a column."""
    ends = np.cumsum(lengths)
    begin = 0
    while begin < len(lengths):
        painted = int(ends[begin - 1]) if begin else 0
        end = int(np.searchsorted(ends, painted + BATCH_PIXELS, side="right"))
        yield slice(begin, max(end, begin + 1))
        begin = max(end, begin + 1)


def _downwards(
    first: Ints, lengths: Ints, widths: Ints, kind: type[np.integer]
) -> NDArray[np.integer]:
    """Px of runs, each a row below the one before it, the first of a run where the run begins."""
    begins = np.cumsum(lengths) - lengths
    pixels = np.repeat(widths.astype(kind), lengths)
    pixels[begins] = first
    pixels[begins[1:]] -= (first + (lengths - 1) * widths)[:-1].astype(kind)
    return np.cumsum(pixels, dtype=kind)
