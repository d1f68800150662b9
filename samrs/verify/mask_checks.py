"""Checks of masks and label maps against their tiles, their rows and each other."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from samrs.core.errors import ImageError
from samrs.core.label_png import LabelCounts, label_counts
from samrs.core.records import IGNORE
from samrs.core.runs import decode_runs, text_buffers
from samrs.release.mask_boxes import mask_boxes
from samrs.verify.parts import (
    Rows,
    coordinates,
    flat,
    mask_areas,
    numbers,
    places_in,
    tiles_in,
    tiles_of,
    truths,
    whole_numbers,
)

NEAR = 2e-6
"""By which ``box_iou``, rounded to six places, may differ."""


def check_masks(rows: Rows) -> None:
    """A mask is an encoding of its tile's size, with the area and the boxes that its row says.

    The masks' px are summed.
    """
    rle = flat(rows["rle"])
    sizes = _sizes_hw(rle)
    runs = decode_runs(*text_buffers(pc.struct_field(rle, "counts")))
    wrong = runs.bad | (sizes <= 0).any(axis=1) | (runs.totals() != sizes.prod(axis=1))
    rows.note("mask", wrong, lambda i: f"no encoding of {sizes[i].tolist()} (height, width) px")
    tiles = tiles_of(rows.part)
    if tiles is not None:
        places = places_in(tiles, rows)
        of_tile = tiles.sizes_hw[places] if len(tiles.ids) else sizes
        other = (places >= 0) & ~wrong & (sizes != of_tile).any(axis=1)
        rows.note("mask", other,
             lambda i: f"size {sizes[i].tolist()}, {of_tile[i].tolist()} needed")  # fmt: skip
    if "area" not in rows.column_names:
        return
    said, found = whole_numbers(rows["area"], -1), runs.areas()
    rows.checked.mask_pixels += int(found.sum())
    rows.note("area", ~wrong & (said != found),
         lambda i: f"area {said[i]}, its mask has {found[i]} px")  # fmt: skip
    if "mask_hbb" not in rows.column_names:
        return
    boxes = mask_boxes(runs, np.maximum(sizes[:, 0], 1))
    given = coordinates(rows["mask_hbb"])
    odd = ~wrong & np.isfinite(given).all(axis=1) & (given != boxes).any(axis=1)
    rows.note("box", odd,
         lambda i: f"mask_hbb {given[i].tolist()}, its mask's is {boxes[i].tolist()}")  # fmt: skip
    if rows.has("hbb", "box_iou"):
        _check_overlap(rows, boxes, ~wrong)


def _check_overlap(rows: Rows, boxes: NDArray[np.float64], whole: NDArray[np.bool_]) -> None:
    """Note rows whose ``box_iou`` is not that of the mask's box with the box it was asked for."""
    asked = coordinates(rows["hbb"])
    low, high = np.maximum(boxes, asked)[:, :2], np.minimum(boxes, asked)[:, 2:]
    both = np.maximum(high - low, 0).prod(axis=1)
    areas = [np.maximum(b[:, 2:] - b[:, :2], 0).prod(axis=1) for b in (boxes, asked)]
    union = areas[0] + areas[1] - both
    found = both / np.where(union > 0, union, 1)
    said = numbers(rows["box_iou"])
    wrong = whole & np.isfinite(found) & np.isfinite(said) & (np.abs(said - found) > NEAR)
    rows.note("score", wrong, lambda i: f"box_iou {said[i]}, its boxes give {found[i]:.6f}")


def _sizes_hw(rle: pa.StructArray) -> NDArray[np.int64]:
    """(N, 2) sizes of masks; zeros where there is none."""
    sizes = pc.struct_field(rle, "size")
    none = pc.is_null(sizes).to_numpy(zero_copy_only=False)
    found = np.zeros((len(rle), 2), dtype=np.int64)
    found[~none] = whole_numbers(pc.list_flatten(sizes), 0).reshape(-1, 2)
    return found


def check_label_maps(rows: Rows) -> None:
    """A label map is of its tile's size and split, and holds known labels.

    In a release it holds the classes of its tile's masks, none of them more px than these have,
    and together no fewer than the largest of them. The labels' px are summed.
    """
    assert rows.part.tiles_of is not None
    tiles, first = tiles_in(rows.part.tiles_of), rows.part.said.first
    known = first + len(rows.part.said.categories)
    places = places_in(tiles, rows)
    maps = flat(rows["label_map"])
    _check_names(rows, pc.struct_field(maps, "path"), places)
    for i, image in enumerate(pc.struct_field(maps, "bytes")):
        try:
            size_hw, counts = _counted(image.as_py() or b"")
        except ImageError as error:
            wrong = str(error)
        else:
            rows.checked.label_pixels += counts
            wrong = _unknown(counts, known)
            if not wrong and places[i] >= 0:
                wanted = tuple(tiles.sizes_hw[places[i]].tolist())
                if size_hw != wanted:
                    wrong = f"size {size_hw}, its tile's is {wanted}"
                elif rows.part.masks_of is not None:
                    areas = mask_areas(rows.part.masks_of, known - first)[places[i]]
                    wrong = _unlike(areas, counts, first)
        if wrong:
            rows.checked.findings.add("label_map", rows.named(i, wrong))


def _check_names(rows: Rows, paths: pa.Array, places: NDArray[np.int64]) -> None:
    """Note maps that are not called as their tile, or are of another split."""
    assert rows.part.tiles_of is not None
    names = pc.binary_join_element_wise(rows["tile_id"], pa.scalar(".png"), "")
    odd = ~truths(pc.equal(paths, names), null=False) & truths(pc.is_valid(paths), null=False)
    rows.note("label_map", odd,
         lambda i: f"called {paths[i].as_py()!r}, {names[i].as_py()!r} is needed")  # fmt: skip
    if not rows.has("split"):
        return
    splits = tiles_in(rows.part.tiles_of).splits
    wanted = splits.take(pa.array(places, mask=places < 0))
    other = ~truths(pc.equal(rows["split"], wanted), null=True)
    rows.note("split", other,
         lambda i: f"split {rows['split'][i].as_py()!r}, its tile's is "
         f"{wanted[i].as_py()!r}")  # fmt: skip


def _unknown(counts: NDArray[np.int64], known: int) -> str:
    labels = counts[known:IGNORE].nonzero()[0] + known
    return f"unknown labels {labels.tolist()[:5]}" if len(labels) else ""


def _unlike(masks: NDArray[np.int64], counts: NDArray[np.int64], first: int) -> str:
    """How a tile's map differs from its masks; empty where nothing speaks against it.

    Args:
        masks: (C + 1,) as ``mask_areas`` has it of the tile.
        counts: (256,) px of each label in the map.
        first: the label of the first class.
    """
    areas, shown = masks[:-1], counts[first : first + len(masks) - 1]
    more = (shown > areas).nonzero()[0]
    if len(more):
        label = int(more[0])
        return f"{shown[label]} px of label {first + label}, its masks have {areas[label]}"
    if shown.sum() < masks[-1]:
        return f"{shown.sum()} px are labelled, its largest mask has {masks[-1]}"
    return ""


@lru_cache(maxsize=64)
def _counted(data: bytes) -> LabelCounts:
    """The labels of a map; those of tiles without masks are alike."""
    return label_counts(data, "label map")
