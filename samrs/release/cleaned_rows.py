"""Rows of a release with their masks made clean (``cleaning.py``) and scored again.

Most masks need nothing, and their stored scores say so: only the others are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pycocotools import mask as coco

from samrs.core.records import RLE
from samrs.core.rle import FIRST_CODE
from samrs.core.runs import Runs, decode_runs, encode_runs, overlaps, text_buffers
from samrs.release.cleaning import Cleaning, Columns, clean, grown
from samrs.release.mask_boxes import mask_boxes

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SCORED = ("area", "mask_hbb", "box_iou", "obb_iou", "outside", "components")
"""What follows from a mask and its boxes (``label/scores.py``), and is found again."""
MORE = 32
"""A character of COCO's text that is not a count's last has this added."""


def cleaned_rows(rows: pa.Table, limits: Mapping[str, NDArray[Any]]) -> pa.Table:
    """The rows with clean masks, their scores found again, and ``changed_px`` beside them.

    Args:
        rows: joined instances and masks, in one chunk a column.
        limits: a value for each row, (N,) each, of what Cleaning has.
    """
    how = Cleaning(**{name: limits[name] for name in ("margin", "max_hole", "min_part", "core")})
    changed_px = np.zeros(len(rows), dtype=np.int64)
    places = np.flatnonzero(_suspects(rows, how))
    if len(places):
        found, changed = _clean(rows.take(pa.array(places)), how, places)
        places = places[changed > 0]
        changed_px[places] = changed[changed > 0]
        rows = _replaced(rows, found, places)
    return rows.append_column("changed_px", pa.array(changed_px))


def _suspects(rows: pa.Table, how: Cleaning) -> Bools:
    """Which masks (N,) cleaning might change."""
    masks = boxes_of(rows["mask_hbb"])
    left, upper, right, lower = grown(boxes_of(rows["hbb"]), how.margin)
    beyond = (masks[:, 0] < left) | (masks[:, 1] < upper)
    beyond |= (masks[:, 2] > right) | (masks[:, 3] > lower)
    parted = (rows["components"].to_numpy() > 1) & (how.min_part > 0)
    # a mask with no more runs than columns has one in each and no hole, unless runs join columns
    joined = masks[:, 3] - masks[:, 1] >= _heights(rows)
    split = (_numbers_of_runs(rows) > masks[:, 2] - masks[:, 0]) | joined
    suspect = beyond | parted | (split & (how.max_hole > 0))
    return np.asarray((rows["area"].to_numpy() > 0) & suspect)


def _numbers_of_runs(rows: pa.Table) -> Ints:
    """(N,) foreground runs of each mask, told by the counts' last characters."""
    characters, begins = text_buffers(_chunk(pc.struct_field(rows["rle"], "counts")))
    ends = np.concatenate([[0], np.cumsum(characters - np.uint8(FIRST_CODE) < MORE)])
    return np.asarray((ends[begins[1:]] - ends[begins[:-1]]) // 2)


def _clean(rows: pa.Table, how: Cleaning, places: Ints) -> tuple[pa.Table, Ints]:
    """Columns of the rows whose mask changed, and (N,) the px that did."""
    heights, boxes = _heights(rows), boxes_of(rows["hbb"])
    stored = decode_runs(*text_buffers(_chunk(pc.struct_field(rows["rle"], "counts"))))
    widths = pc.list_element(pc.struct_field(rows["rle"], "size"), 1).to_numpy().astype(np.int64)
    whole = (
        ~stored.bad & (stored.totals() == heights * widths) & (heights > 0)
    )  # else: refused later
    columns = Columns.of(stored, np.maximum(heights, 1))
    own = Cleaning(**{name: values[places] for name, values in vars(how).items()})
    columns, parts = clean(columns, boxes, own)
    lengths, totals = columns.bottom - columns.top, stored.totals()
    texts = encode_runs(columns.starts(), lengths, columns.mask, totals)
    found = decode_runs(*text_buffers(texts))
    changed = np.where(whole, stored.areas() + found.areas() - 2 * overlaps(stored, found), 0)
    kept = np.flatnonzero(changed > 0)
    some = rows.take(pa.array(kept))
    rles = pa.StructArray.from_arrays(
        [_chunk(pc.struct_field(some["rle"], "size")), texts.take(pa.array(kept))],
        fields=list(RLE),
    )
    return scored(
        some.set_column(some.column_names.index("rle"), "rle", rles), parts[kept]
    ), changed


def scored(rows: pa.Table, parts: Ints) -> pa.Table:
    """Rows whose scores fit their masks, as ``label/scores.py`` finds them one by one.

    Args:
        rows: with the columns rle, hbb, obb and SCORED.
        parts: (N,) 8-connected parts of each mask.
    """
    heights, boxes = _heights(rows), boxes_of(rows["hbb"])
    sizes = pc.list_flatten(pc.struct_field(rows["rle"], "size")).to_numpy().reshape(-1, 2)
    runs = decode_runs(*text_buffers(_chunk(pc.struct_field(rows["rle"], "counts"))))
    areas, found = runs.areas(), mask_boxes(runs, heights)
    inside = areas.copy()
    over = np.flatnonzero(  # others lie in px that are the box's whichever way it is rasterised
        (found[:, :2] < np.ceil(boxes[:, :2])).any(axis=1)
        | (found[:, 2:] > np.floor(boxes[:, 2:])).any(axis=1)
    )
    if len(over):
        texts = _chunk(pc.struct_field(rows["rle"], "counts")).take(pa.array(over))
        box_runs = _rasterised(boxes[over], sizes[over], upright=True)
        inside[over] = overlaps(decode_runs(*text_buffers(texts)), box_runs)
    there = pc.is_valid(_chunk(rows["obb"])).to_numpy(zero_copy_only=False)
    corners = np.zeros((len(rows), 8))
    corners[there] = _chunk(rows["obb"]).drop_null().flatten().to_numpy().reshape(-1, 8)
    rotated = _rasterised(corners, sizes, upright=False)
    shared = overlaps(runs, rotated)
    union = areas + rotated.areas() - shared
    columns = {
        "area": pa.array(areas),
        "mask_hbb": pa.FixedSizeListArray.from_arrays(pa.array(found.ravel()), 4),
        "box_iou": _rounded(_ious(found, boxes)),
        "obb_iou": _rounded(shared / np.maximum(union, 1), ~there),
        "outside": _rounded(np.where(areas > 0, 1 - inside / np.maximum(areas, 1), 0.0)),
        "components": pa.array(parts.astype(np.int32)),
    }
    for name, column in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows


def _rasterised(shapes: Floats, sizes_hw: Ints, *, upright: bool) -> Runs:
    """Boxes (N, 4) xyxy, or polygons (N, 8), as masks of their tiles, by pycocotools."""
    texts: list[bytes] = [b""] * len(shapes)
    if upright:
        shapes = np.concatenate([shapes[:, :2], shapes[:, 2:] - shapes[:, :2]], axis=1)
    kinds, kind = np.unique(sizes_hw, axis=0, return_inverse=True)
    for number, (height, width) in enumerate(kinds.tolist()):
        places = np.flatnonzero(kind.ravel() == number)
        given = shapes[places] if upright else shapes[places].tolist()
        for place, rle in zip(places, coco.frPyObjects(given, height, width), strict=True):
            texts[place] = rle["counts"]
    told = pa.array([text.decode("ascii") for text in texts], pa.string())  # of none, too
    return decode_runs(*text_buffers(told))


def _ious(a: Floats, b: Floats) -> Floats:
    """(N,) IoU of each pair of boxes (N, 4) xyxy."""
    sides = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = sides.clip(min=0).prod(axis=1)
    areas = [(box[:, 2:] - box[:, :2]).clip(min=0).prod(axis=1) for box in (a, b)]
    union = areas[0] + areas[1] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(len(a)), where=union > 0))


def _rounded(values: Floats, nulls: Bools | None = None) -> pa.Array:
    return pa.array(np.array([round(value, 6) for value in values.tolist()], float), mask=nulls)


def _replaced(rows: pa.Table, found: pa.Table, places: Ints) -> pa.Table:
    """The rows with others in some places."""
    order = np.arange(len(rows))
    order[places] = len(rows) + np.arange(len(places))
    for name in ("rle", *SCORED):
        both = pa.concat_arrays([_chunk(rows[name]), _chunk(found[name]).cast(rows[name].type)])
        rows = rows.set_column(rows.column_names.index(name), name, both.take(pa.array(order)))
    return rows


def boxes_of(column: pa.ChunkedArray) -> Floats:
    """A column of boxes without null as (N, 4)."""
    flat: Floats = _chunk(column).flatten().to_numpy().reshape(-1, 4)
    return flat


def _heights(rows: pa.Table) -> Ints:
    sizes = pc.struct_field(rows["rle"], "size")
    heights: Ints = pc.list_element(sizes, 0).to_numpy().astype(np.int64)
    return heights


def _chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
