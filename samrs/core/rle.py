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
    """Encode a boolean crop (h, w) placed at column x0, row y0 of an empty (H, W) mask."""
    part = np.asarray(crop, dtype=np.uint8)
    full = np.zeros((int(size_hw[0]), int(size_hw[1])), dtype=np.uint8, order="F")
    full[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
    return _to_text(coco.encode(full))


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
    return _to_text(coco.frPyObjects([[x0, y0, x1 - x0, y1 - y0]], height, width)[0])


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


def rle_iou(a: Sequence[Rle], b: Sequence[Rle]) -> NDArray[np.float64]:
    """IoU (N, M) of masks; two empty masks have IoU 0."""
    if not a or not b:
        return np.zeros((len(a), len(b)))
    return np.asarray(coco.iou(list(a), list(b), [0] * len(b)), dtype=np.float64)


def rle_intersection(a: Rle, b: Rle) -> int:
    """Number of pixels in both masks."""
    return int(coco.area(coco.merge([a, b], intersect=True)))
