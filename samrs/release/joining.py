"""Each instance once on its scene: the masks of the tiles that see it become one mask.

The rule, in the words of the column ``way``:

``whole``
    A tile shows the whole box of the instance, as far as it lies on the scene: the mask of that
    tile stands. Of several such tiles it is the one whose mask has the best estimated quality, of
    equal ones the first.
``joined``
    No tile shows the whole box, two or more have a mask: their masks are joined. Of the px that
    several tiles see, those are mask that at least half of them have.
``part``
    One tile alone has a mask, and shows a part of the box.

What a person clicked or drew goes before what the machine made: of tiles that show the whole box
one with such a mask stands before the others, and a px that such a tile sees is decided by such
tiles alone, also where another tile shows the whole box.

``agreement`` is measured wherever two or more tiles have a mask of an instance, whichever stands:
of the px that two or more of them see and any has, the share that two or more have. For two tiles
it is the IoU of their masks in their overlap. It is null where they share no such px.

No mask is decoded: runs within columns are moved to the scene, and joined by a sweep over each
column of each instance. Nothing is as large as a scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.records import JOINED, RLE, WAYS
from samrs.core.runs import decode_runs, encode_runs, text_buffers
from samrs.corrections.records import MADE_BY
from samrs.release.cleaned_rows import SCORED, boxes_of, scored
from samrs.release.cleaning import Columns, count_parts

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

JOIN = WAYS.index("joined")
NEAR = 1e-6
"""Px by which a box may reach beyond a tile that shows it whole: rounding."""

LAST = 2**40
SWEPT = 2**20
"""Runs that are swept at once."""

WEIGHED = ("predicted_iou", "stability_score", "quality", "disagreement")
"""Scores that a joined mask has from its parts: their mean, weighed by the px of each."""

PLAIN = [f.name for f in JOINED if f.name not in ("scene_id", "tiles", "way", "agreement")]


@dataclass(frozen=True)
class Views:
    """Where the N rows of some scenes lie, all of each scene together, in the order of scenes.

    Args:
        names: (S,) ids of all scenes.
        scene: (N,) the scene of each row.
        windows: (N, 4) x0, y0, width and height of its tile, px.
        sizes_hw: (S, 2) height and width of each scene, px.
    """

    names: pa.Array
    scene: Ints
    windows: Ints
    sizes_hw: Ints


def joined_rows(rows: pa.Table, views: Views) -> pa.Table:
    """Rows of the table joined, in the order of scenes and of annotation.

    Args:
        rows: of the table instances of a release, N of them, all of each scene.
        views: where they lie.
    """
    rows = rows.combine_chunks()
    order, numbers = _numbered(rows, views.scene)
    places = pc.index_in(rows["made_by"], value_set=pa.array(MADE_BY))
    makers = pc.fill_null(places, 0).to_numpy().astype(np.int64)
    by_person = makers > 0
    offsets = np.tile(views.windows[:, :2], 2).astype(np.float64)
    annotated = boxes_of(rows["hbb_annotated"]) + offsets
    whole = _shown_whole(annotated, views)
    quality = pc.fill_null(rows["quality"], -1.0).to_numpy()
    shown = pc.fill_null(rows["visible"], 0.0).to_numpy()
    # the best row of each instance: whole before part, a person's before others, then by quality,
    # or by what it shows
    merit = np.where(whole, quality, shown)
    ranked = np.lexsort((-merit, ~by_person, ~whole, numbers))
    best = ranked[np.diff(numbers[ranked], prepend=-1) > 0]
    counts = np.bincount(numbers, minlength=len(best))
    alone = whole[best] & (by_person[best] | (np.bincount(numbers, by_person, len(best)) == 0))
    way = np.where(alone, 0, np.where(counts > 1, JOIN, 2))
    columns = _on_scene(rows, views)
    swept = _Swept(columns, numbers, counts > 1, views.windows, by_person)
    scene = views.scene[best]
    masks = _chosen(columns, best, way == JOIN, swept, views.sizes_hw[scene, 0])
    found = {name: rows[name].take(pa.array(best)) for name in PLAIN}
    found |= _boxes(rows, best, alone, annotated, offsets, views)
    found |= _masks(masks, views.sizes_hw[scene], found, offsets[best])
    found = _scores_again(found, masks, ~alone) | _means(rows, numbers, way == JOIN, best)
    found |= _makers(found, makers, rows["accepted"], numbers, way == JOIN)
    found |= {
        "scene_id": views.names.take(pa.array(scene)),
        "tiles": pa.array(counts.astype(np.int32)),
        "way": pa.array(WAYS).take(pa.array(way)),
        "agreement": swept.agreement(),
    }
    return pa.table([found[name] for name in JOINED.names], schema=JOINED).take(pa.array(order))


def portions(rows: pa.Table, scene: Ints, most: int) -> Iterator[Ints]:
    """Places of some rows at a time, all of each instance, in the order of ``joined_rows``.

    Instances are joined one by one, so that a scene need not be joined at once.

    Args:
        rows: of the table instances of a release, N of them, all of each scene.
        scene: (N,) the scene of each.
        most: rows that a portion has at most, but for an instance that has more.
    """
    order, numbers = _numbered(rows, scene)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    of_row = rank[numbers]
    places = np.argsort(of_row, kind="stable")
    ends = np.cumsum(np.bincount(of_row, minlength=len(order)))
    begin = 0
    while begin < len(places):
        instance = np.searchsorted(ends, begin + most, side="right")
        end = int(ends[max(instance - 1, of_row[places[begin]])])
        yield places[begin:end]
        begin = end


def _numbered(rows: pa.Table, scene: Ints) -> tuple[Ints, Ints]:
    """The order of instances by scene and annotation, and (N,) which instance each row is of."""
    coded = rows["instance_id"].combine_chunks().dictionary_encode()
    numbers = coded.indices.to_numpy().astype(np.int64)
    ordinal = pc.struct_field(
        pc.extract_regex(coded.dictionary, r"#(?P<number>[0-9]{1,9})$"), "number"
    )
    of_scene = np.zeros(len(coded.dictionary), dtype=np.int64)
    of_scene[numbers] = scene
    added = pc.match_substring(coded.dictionary, "#new-")  # by people: behind the annotated ones
    number = pc.if_else(added, LAST, pc.fill_null(pc.cast(ordinal, pa.int64()), 0))
    annotated = number.to_numpy(zero_copy_only=False)
    return np.lexsort((annotated, of_scene)), numbers


def _shown_whole(boxes: Floats, views: Views) -> Bools:
    """Which tiles (N,) show all of a box that lies on the scene."""
    sizes = views.sizes_hw[views.scene][:, ::-1]
    on_scene = np.clip(boxes, 0, np.tile(sizes, 2))
    low = views.windows[:, :2]
    high = low + views.windows[:, 2:]
    fits = (on_scene[:, :2] >= low - NEAR).all(axis=1) & (on_scene[:, 2:] <= high + NEAR).all(1)
    return np.asarray(fits & (on_scene[:, :2] < on_scene[:, 2:]).all(axis=1))


def _on_scene(rows: pa.Table, views: Views) -> Columns:
    """The masks of all rows in scene px."""
    rle = rows["rle"].combine_chunks()
    runs = decode_runs(*text_buffers(pc.struct_field(rle, "counts")))
    columns = Columns.of(runs, views.windows[:, 3])
    x0, y0 = views.windows[columns.mask, 0], views.windows[columns.mask, 1]
    return Columns(
        heights=views.sizes_hw[views.scene, 0],
        mask=columns.mask,
        x=columns.x + x0,
        top=columns.top + y0,
        bottom=columns.bottom + y0,
    )


class _Swept:
    """What a sweep over the columns of instances that several tiles have a mask of gives.

    Args:
        columns: masks of N rows in scene px.
        numbers: (N,) the instance of each row.
        several: (I,) which instances have several rows.
        windows: (N, 4) x0, y0, width and height of each row's tile.
        by_person: (N,) which masks a person made.
    """

    def __init__(
        self, columns: Columns, numbers: Ints, several: Bools, windows: Ints, by_person: Bools
    ) -> None:
        self._by_person = by_person
        self._parts: list[Ints] = []
        self.agreed = np.zeros(len(several), dtype=np.int64)
        self.told = np.zeros(len(several), dtype=np.int64)
        of_run = numbers[columns.mask]
        held = np.flatnonzero(several[of_run])
        held = held[np.argsort(of_run[held], kind="stable")]
        for some in _whole_instances(of_run[held]):
            self._sweep(columns, numbers, windows, held[some])

    def _sweep(self, columns: Columns, numbers: Ints, windows: Ints, runs: Ints) -> None:
        """Sweep some instances' runs, all of each."""
        mask, x = columns.mask[runs], columns.x[runs]
        seen = _seen_columns(mask, x, numbers, windows)
        of = np.concatenate([numbers[mask], numbers[seen[0]]])
        column = np.concatenate([x, seen[1]])
        top = np.concatenate([columns.top[runs], windows[seen[0], 1]])
        lower = windows[seen[0], 1] + windows[seen[0], 3]
        bottom = np.concatenate([columns.bottom[runs], lower])
        is_mask = np.arange(len(of)) < len(runs)
        first = self._by_person[np.concatenate([mask, seen[0]])]
        of, column, y = np.tile(of, 2), np.tile(column, 2), np.concatenate([top, bottom])
        step = np.repeat([1, -1], len(top))
        turn = np.lexsort((y, column, of))

        def sums(which: Bools) -> Ints:
            """How many of some intervals each piece between two places lies in."""
            return np.cumsum((step * np.tile(which, 2))[turn])[:-1]

        votes, views = sums(is_mask), sums(~is_mask)
        of, column, y = of[turn], column[turn], y[turn]
        length = np.diff(y)  # votes and views are 0 between columns
        several = (views > 1) & (votes > 0)
        self.told += np.bincount(of[:-1], length * several, len(self.told)).astype(np.int64)
        agreed = several & (votes > 1)
        self.agreed += np.bincount(of[:-1], length * agreed, len(self.told)).astype(np.int64)
        if first.any():
            decided = sums(~is_mask & first)
            votes = np.where(decided > 0, sums(is_mask & first), votes)
            views = np.where(decided > 0, decided, views)
        kept = np.flatnonzero((votes > 0) & (2 * votes >= views) & (length > 0))
        self._parts.append(_merged(of[kept], column[kept], y[kept], y[kept + 1]))

    def runs(self) -> Ints:
        """(4, R) instance, column, first row and the row after the last of the joined masks."""
        return np.concatenate([np.empty((4, 0), np.int64), *self._parts], axis=1)

    def agreement(self) -> pa.Array:
        """(I,) shares of px that several tiles see and several have; null without such px."""
        shares = self.agreed / np.maximum(self.told, 1)
        values = [round(share, 6) for share in shares.tolist()]
        return pa.array(np.array(values, dtype=np.float64), mask=self.told == 0)


def _merged(of: Ints, column: Ints, top: Ints, bottom: Ints) -> Ints:
    """(4, R) pieces of runs, in order, as whole runs."""
    on = (of[1:] == of[:-1]) & (column[1:] == column[:-1]) & (top[1:] == bottom[:-1])
    first, last = np.append(True, ~on), np.append(~on, True)
    if not len(of):
        first = last = np.zeros(0, dtype=bool)
    return np.stack([of[first], column[first], top[first], bottom[last]])


def _whole_instances(of_run: Ints) -> Iterator[slice]:
    """Slices of runs, sorted by instance, that hold all runs of each."""
    begin = 0
    while begin < len(of_run):
        last = min(begin + SWEPT, len(of_run)) - 1
        end = int(np.searchsorted(of_run, of_run[last], side="right"))
        yield slice(begin, end)
        begin = end


def _seen_columns(mask: Ints, x: Ints, numbers: Ints, windows: Ints) -> tuple[Ints, Ints]:
    """Rows and the columns of their tiles in which some row of the same instance has mask.

    Args:
        mask: (R,) the row of each run.
        x: (R,) its column.
        numbers: (N,) the instance of each row.
        windows: (N, 4) of each row's tile.
    """
    rows = np.flatnonzero(np.isin(numbers, np.unique(numbers[mask])))
    first = np.full(numbers.max() + 1, np.iinfo(np.int64).max)
    last = np.full(numbers.max() + 1, -1)
    np.minimum.at(first, numbers[mask], x)
    np.maximum.at(last, numbers[mask], x)
    begin = np.maximum(windows[rows, 0], first[numbers[rows]])
    end = np.minimum(windows[rows, 0] + windows[rows, 2], last[numbers[rows]] + 1)
    count = np.maximum(end - begin, 0)
    nth = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    return np.repeat(rows, count), np.repeat(begin, count) + nth


def _chosen(columns: Columns, best: Ints, joined: Bools, swept: _Swept, heights: Ints) -> Columns:
    """The masks that stand, one an instance: those of the best rows, or the joined ones.

    Args:
        columns: masks of N rows in scene px.
        best: (I,) the best row of each instance.
        joined: (I,) whether an instance's mask is the joined one.
        swept: which has these.
        heights: (I,) px of each instance's scene.
    """
    instance = np.full(len(columns.heights), -1)
    instance[best[~joined]] = np.flatnonzero(~joined)
    kept = np.flatnonzero(instance[columns.mask] >= 0)
    of, x, top, bottom = swept.runs()
    there = joined[of]
    parts = [
        np.concatenate([instance[columns.mask[kept]], of[there]]),
        np.concatenate([columns.x[kept], x[there]]),
        np.concatenate([columns.top[kept], top[there]]),
        np.concatenate([columns.bottom[kept], bottom[there]]),
    ]
    turn = np.argsort(parts[0], kind="stable")  # a sweep gives columns and rows in order
    of, x, top, bottom = (part[turn] for part in parts)
    return Columns(heights=heights, mask=of, x=x, top=top, bottom=bottom)


def _boxes(
    rows: pa.Table, best: Ints, alone: Bools, annotated: Floats, offsets: Floats, views: Views
) -> dict[str, pa.Array]:
    """Annotated boxes in scene px, clipped to it as they were to the tile, and what shows.

    Args:
        alone: (I,) of which instances one tile's mask stands: its box is clipped to what the scene
            shows, which a padded tile goes beyond.
    """
    whole = annotated[best]
    sizes = np.tile(views.sizes_hw[views.scene[best]][:, ::-1], 2)
    not_clipped = (boxes_of(rows["hbb"]) == boxes_of(rows["hbb_annotated"])).all(axis=1)[best]
    of_tile = boxes_of(rows["hbb"])[best] + offsets[best]
    taken = (alone & ~not_clipped)[:, None]
    inside = np.where(taken, of_tile, np.clip(whole, 0, sizes))
    shown = np.where(not_clipped[:, None], whole, inside)
    areas = [(b[:, 2:] - b[:, :2]).prod(axis=1) for b in (inside, whole)]
    there = pc.is_valid(rows["obb"]).to_numpy().astype(bool)[best]
    corners = np.zeros((len(best), 8))
    obb = rows["obb"].take(pa.array(best)).combine_chunks()
    corners[there] = obb.drop_null().flatten().to_numpy().reshape(-1, 8)
    corners += np.tile(offsets[best, :2], 4)
    return {
        "hbb": _lists(shown),
        "hbb_annotated": _lists(whole),
        "obb": _lists(corners, ~there),
        "visible": pa.array(areas[0] / areas[1]),
    }


def _masks(
    masks: Columns, sizes_hw: Ints, found: dict[str, pa.Array], offsets: Floats
) -> dict[str, pa.Array]:
    """Encodings in scene px, and the boxes of the best rows' masks moved there."""
    totals = sizes_hw.prod(axis=1)
    texts = encode_runs(masks.starts(), masks.bottom - masks.top, masks.mask, totals)
    sizes = pa.FixedSizeListArray.from_arrays(pa.array(sizes_hw.ravel(), pa.int32()), 2)
    return {
        "rle": pa.StructArray.from_arrays([sizes, texts], fields=list(RLE)),
        "mask_hbb": _lists(boxes_of(found["mask_hbb"]) + offsets),
    }


def _scores_again(found: dict[str, pa.Array], masks: Columns, again: Bools) -> dict[str, pa.Array]:
    """The columns, with scores that follow from masks and boxes found again where ``again`` (I,):
    of joined masks, and of parts, whose tile's box was a part of that on the scene."""
    places = np.flatnonzero(again)
    if not len(places):
        return found
    number = np.full(len(again), -1)
    number[places] = np.arange(len(places))
    own = masks.only(again[masks.mask])
    parts = Columns(heights=masks.heights[places], mask=number[own.mask], x=own.x,
                    top=own.top, bottom=own.bottom)  # fmt: skip
    rows = pa.table({name: found[name] for name in PLAIN})
    scores = scored(rows.take(pa.array(places)), count_parts(parts))
    order = np.arange(len(again))
    order[places] = len(again) + np.arange(len(places))
    return found | {
        name: pa.concat_arrays(
            [_chunk(found[name]), _chunk(scores[name]).cast(found[name].type)]
        ).take(pa.array(order))
        for name in SCORED
    }


def _makers(
    found: dict[str, pa.Array],
    makers: Ints,
    accepted: pa.ChunkedArray,
    numbers: Ints,
    joined: Bools,
) -> dict[str, pa.Array]:
    """Who made the masks: of a joined one whoever did most, and accepted where all its parts are.

    Args:
        found: columns of the best rows.
        makers: (N,) places in MADE_BY of all rows.
        accepted: (N,) of all rows.
        numbers: (N,) the instance of each row.
        joined: (I,) which masks are joined ones.
    """
    if not joined.any():
        return {}
    most = np.zeros(len(joined), np.int64)
    np.maximum.at(most, numbers, makers)
    not_said = np.bincount(numbers, ~pc.fill_null(accepted, False).to_numpy(), len(joined))
    of = pa.array(joined)
    return {
        "made_by": pc.if_else(of, pa.array(MADE_BY).take(pa.array(most)), _chunk(found["made_by"])),
        "accepted": pc.if_else(of, pa.array(not_said == 0), _chunk(found["accepted"])),
    }


def _means(rows: pa.Table, numbers: Ints, joined: Bools, best: Ints) -> dict[str, pa.Array]:
    """Scores of no joined mask alone: means over the parts, weighed by their px."""
    weights = rows["area"].to_numpy().astype(np.float64)
    px = np.bincount(numbers, weights, len(joined))
    found = {}
    for name in WEIGHED:
        values = pc.cast(rows[name], pa.float64())
        known = pc.is_valid(values).to_numpy().astype(bool)
        filled = pc.fill_null(values, 0.0).to_numpy()
        sums = np.bincount(numbers, weights * filled, len(joined)) / np.maximum(px, 1)
        unknown = np.bincount(numbers, ~known, len(joined)) > 0
        means = np.array([round(value, 6) for value in sums.tolist()])
        null = np.where(joined, unknown, ~known[best])
        found[name] = pa.array(np.where(joined, means, filled[best]), mask=null)
    return found


def _lists(values: Floats, null: Bools | None = None) -> pa.Array:
    """(N, K) as an array of lists."""
    flat = pa.array(np.ascontiguousarray(values).ravel())
    mask = None if null is None else pa.array(null)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1], mask=mask)


def _chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
