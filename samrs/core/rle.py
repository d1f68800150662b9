"""Masks as COCO run-length encodings, through pycocotools: the one rasteriser of the project.

An RLE here is ``{"size": [height, width], "counts": str}``: COCO's compressed form with counts as
text, so that it can stand in Parquet and JSON as it is. Rasterising a 10 x 6 px box gives 60 px
here; cv2 and PIL paint 77, because they include the far edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools import mask as coco

LARGE = 8
"""Crops of more than 1 / LARGE of the mask are encoded as whole masks: faster from there on."""


FIRST_CODE = 48
"""The character that stands for 0 in COCO's compressed text."""


class Rle(TypedDict):
    """COCO run-length encoding of one mask; ``size`` is [height, width] in px."""

    size: list[int]
    counts: str


def _to_text(rle: dict[str, Any]) -> Rle:
    return {"size": [int(v) for v in rle["size"]], "counts": rle["counts"].decode("ascii")}


def mask_to_rle(mask: ArrayLike) -> Rle:
    """Encode a boolean mask (H, W)."""
    return _to_text(coco.encode(np.asfortranarray(np.asarray(mask, dtype=np.uint8))))


def crop_to_rle(crop: ArrayLike, x0: int, y0: int, size_hw: Sequence[int]) -> Rle:
    """Encode a boolean crop (h, w) placed at column x0, row y0 of an empty (H, W) mask.

    A small crop costs its own px, not the mask's: runs go straight to COCO's counts.
    """
    part = np.asarray(crop, dtype=bool)
    height, width = int(size_hw[0]), int(size_hw[1])
    h, w = part.shape
    if h * w * LARGE > height * width:
        whole = np.zeros((width, height), dtype=np.uint8)
        whole[x0 : x0 + w, y0 : y0 + h] = part.T
        return _to_text(coco.encode(whole.T))
    # A background row below each column keeps runs of neighbouring columns apart.
    padded = np.zeros((w, h + 1), dtype=np.int8)
    padded[:, :h] = part.T
    edges = np.diff(padded.ravel(), prepend=np.int8(0))
    columns, rows = np.divmod(
        np.stack([np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)]), h + 1
    )
    starts, ends = (columns + x0) * height + rows + y0
    if h == height and len(starts):
        joined = starts[1:] == ends[:-1]
        starts, ends = starts[np.r_[True, ~joined]], ends[np.r_[~joined, True]]
    bounds = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
    counts = np.diff(bounds).tolist()
    if counts[-1] == 0:
        counts.pop()
    return _to_text(coco.frPyObjects({"size": [height, width], "counts": counts}, height, width))


def rle_to_crop(rle: Rle, x0: int, y0: int, width: int, height: int) -> NDArray[np.bool_]:
    """Decode a window (height, width) of a mask; it must lie inside the mask.

    Costs the px of the window's columns, not the mask's.
    """
    rows = rle["size"][0]
    bounds = np.cumsum(run_lengths(rle))
    starts, ends = bounds[:-1:2], bounds[1::2]
    low, high = x0 * rows, (x0 + width) * rows
    edges = np.zeros(width * rows + 1, dtype=np.int8)
    meets = (ends > low) & (starts < high)
    edges[np.maximum(starts[meets], low) - low] += 1
    edges[np.minimum(ends[meets], high) - low] -= 1
    columns = np.cumsum(edges[:-1], dtype=np.int8).reshape(width, rows)
    return np.asarray(columns.T[y0 : y0 + height] > 0)


def run_lengths(rle: Rle) -> NDArray[np.int64]:
    """Lengths of alternating background and foreground runs, px, of a mask that is known to be one.

    What is not known yet goes through ``samrs.core.runs.rle_runs``.
    """
    lengths, _ = written_counts(np.frombuffer(rle["counts"].encode("ascii"), dtype=np.uint8))
    lengths[2::2] = np.cumsum(lengths[2::2])
    lengths[1::2] = np.cumsum(lengths[1::2])
    return lengths


def written_counts(characters: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The counts in COCO's compressed text, as they are written.

    The text holds 5 bits a character, low ones first, bit 6 for "more follows", two's complement;
    from the fourth count of a mask on it holds differences to the count two before (pycocotools'
    maskApi.c, rleFrString).

    Args:
        characters: (C,) of one mask or of several, one after the other.

    Returns:
        (K,) counts, differences not undone, and (K,) where the characters of each end.
    """
    codes = characters - np.uint8(FIRST_CODE)
    ends = np.flatnonzero(codes < 32) + 1
    widths = np.diff(ends, prepend=0)
    nth = np.arange(len(codes)) - np.repeat(ends - widths, widths)
    digits = (codes & 31).astype(np.int64) << (5 * nth)
    counts = np.add.reduceat(digits, ends - widths) if len(ends) else digits
    negative = (codes[ends - 1] & 16) != 0
    return counts - np.where(negative, np.int64(1) << (5 * widths), 0), ends


def crop_rle(rle: Rle, x0: int, y0: int, width: int, height: int) -> Rle:
    """The part of a mask inside a window, as a mask of the window's size."""
    if [height, width] == rle["size"]:
        return rle
    left, top, right, bottom = (int(v) for v in rle_to_hbb(rle))
    left, top = max(left, x0), max(top, y0)
    w, h = min(right, x0 + width) - left, min(bottom, y0 + height) - top
    if w <= 0 or h <= 0:
        return empty_rle((height, width))
    return crop_to_rle(rle_to_crop(rle, left, top, w, h), left - x0, top - y0, (height, width))


def rle_to_mask(rle: Rle) -> NDArray[np.bool_]:
    """Decode to a boolean mask (H, W)."""
    return np.asarray(coco.decode(rle), dtype=bool)


def polygons_to_rle(polygons: Sequence[ArrayLike], size_hw: Sequence[int]) -> Rle:
    """Rasterise the union of polygons, each (K, 2) xy with K >= 3, on an (H, W) grid."""
    height, width = int(size_hw[0]), int(size_hw[1])
    flat = [np.asarray(p, dtype=np.float64).reshape(-1).tolist() for p in polygons]
    return _to_text(coco.merge(coco.frPyObjects(flat, height, width)))


def hbb_to_rle(hbb: ArrayLike, size_hw: Sequence[int]) -> Rle:
    """Rasterise a box (4,) xyxy on an (H, W) grid."""
    x0, y0, x1, y1 = (float(v) for v in np.asarray(hbb, dtype=np.float64))
    height, width = int(size_hw[0]), int(size_hw[1])
    box_xywh = np.array([[x0, y0, x1 - x0, y1 - y0]])
    return _to_text(coco.frPyObjects(box_xywh, height, width)[0])


def empty_rle(size_hw: Sequence[int]) -> Rle:
    """An all-background mask of (H, W)."""
    return mask_to_rle(np.zeros((int(size_hw[0]), int(size_hw[1])), dtype=np.uint8))


def rle_area(rle: Rle) -> int:
    """Number of foreground pixels."""
    return int(coco.area(rle))


def rle_to_hbb(rle: Rle) -> NDArray[np.float64]:
    """Tight box (4,) xyxy around the foreground; zeros when there is none."""
    x, y, w, h = (float(v) for v in coco.toBbox(rle))
    return np.array([x, y, x + w, y + h])


def rle_union(rles: Sequence[Rle]) -> Rle:
    """The pixels in any of at least one mask, all of one size."""
    return rles[0] if len(rles) == 1 else _to_text(coco.merge(list(rles)))


def rle_iou(a: Sequence[Rle], b: Sequence[Rle]) -> NDArray[np.float64]:
    """IoU (N, M) of masks; two empty masks have IoU 0.

    Args:
        a: N masks of one size.
        b: M masks of that size.
    """
    if not a or not b:
        return np.zeros((len(a), len(b)))
    return np.asarray(coco.iou(list(a), list(b), [0] * len(b)), dtype=np.float64)


def rle_intersection(a: Rle, b: Rle) -> int:
    """Number of pixels in both masks.

    Args:
        a: one mask.
        b: another of its size.
    """
    return int(coco.area(coco.merge([a, b], intersect=True)))
