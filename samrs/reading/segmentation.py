"""True masks out of COCO's ``segmentation``: polygons or run lengths, good or not.

A bad segmentation never costs the box: what cannot be read of it is told, and the box stays.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from samrs.core.geometry import Array
from samrs.core.records import Quarantine
from samrs.core.rle import Rle, crop_to_rle, polygons_to_rle, rle_area
from samrs.core.runs import rle_runs
from samrs.reading.annotations import Place

LARGEST_SIDE = 65_535
"""Largest width, height or place of a segmentation's point, px."""


def read_segmentation(
    segmentation: Any, size_wh: tuple[int, int] | None
) -> tuple[Rle | None, str | None]:
    """The true mask of an entry, and what of it could not be read.

    Args:
        segmentation: polygons ``[[x1, y1, x2, y2, ...], ...]``, run lengths
            ``{"size": [h, w], "counts": ...}``, or anything else.
        size_wh: width and height of the image in px; None where unknown.

    Returns:
        The mask, None where there is none or it paints no px; and what is wrong in words, None
        where nothing is. Of several polygons the good ones are taken.
    """
    if not segmentation:
        return None, None
    try:
        if isinstance(segmentation, Mapping):
            return _painted(_run_lengths(segmentation)), None
        if size_wh is None:
            return None, "polygons for an image of unknown size"
        points, wrong = _polygons(segmentation)
        rle = polygons_to_rle(points, size_wh[::-1]) if points else None
        return _painted(rle), wrong
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        return None, str(error)


def true_mask(
    segmentation: Any,
    size_wh: tuple[int, int] | None,
    at: Place,
    quarantine: Quarantine,
) -> Rle | None:
    """The true mask of an annotation, None without; what of it could not be read is quarantined.

    Args:
        segmentation: as ``read_segmentation`` takes it.
        size_wh: width and height of the image in px; None where unknown.
        at: where the annotation stands.
    """
    truth, wrong = read_segmentation(segmentation, size_wh)
    if wrong is not None:
        tell_bad_mask(wrong, at, quarantine)
    return truth


def tell_bad_mask(wrong: str, at: Place, quarantine: Quarantine) -> None:
    """Quarantine a true mask, whose box stays.

    Args:
        wrong: what is wrong with it, in words.
        at: where the annotation stands.
    """
    quarantine.add(
        at.source_file,
        at.line,
        "true mask does not parse",
        f"{at.where}: segmentation does not parse, got {wrong}; polygons [x1, y1, ...] or run "
        "lengths are allowed; the box stays, correct the entry",
    )


def mask_in_box(crop: NDArray[np.bool_], hbb: Array, size_wh: tuple[int, int]) -> Rle | None:
    """The mask of an image out of that of a box in it; px beyond the image are cut off.

    Args:
        crop: (h, w), px of the box.
        hbb: (4,) xyxy, whole px, of the crop's size.
        size_wh: width and height of the image, px.

    Raises:
        ValueError: the box is of another size, or not at whole px.
    """
    x0, y0, x1, y1 = (int(v) for v in hbb)
    if (y1 - y0, x1 - x0) != crop.shape or (hbb != [x0, y0, x1, y1]).any():
        raise ValueError(
            f"a mask of {crop.shape[1]} x {crop.shape[0]} px in the box {hbb.tolist()}"
        )
    left, top = max(0, -x0), max(0, -y0)
    inside = crop[top : max(0, size_wh[1] - y0), left : max(0, size_wh[0] - x0)]
    if not inside.any():
        return None
    return crop_to_rle(inside, x0 + left, y0 + top, size_wh[::-1])


def _painted(rle: Rle | None) -> Rle | None:
    return rle if rle is not None and rle_area(rle) > 0 else None


def _polygons(segmentation: Any) -> tuple[list[Array], str | None]:
    """The good polygons of a list, each (N, 2), and what is wrong with the last bad one."""
    if not isinstance(segmentation, Sequence) or isinstance(segmentation, str):
        raise ValueError(f"neither polygons nor run lengths: {reprlib.repr(segmentation)}")
    good, wrong = [], None
    for polygon in segmentation:
        try:
            points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        except (ValueError, TypeError, OverflowError):
            wrong = f"no list of x and y: {reprlib.repr(polygon)}"
            continue
        if len(points) < 3:
            wrong = f"a polygon of fewer than three points: {reprlib.repr(polygon)}"
        elif not (np.abs(points) <= LARGEST_SIDE).all():
            wrong = "a point far outside any image"
        else:
            good.append(points)
    return good, wrong


def _run_lengths(segmentation: Mapping[str, Any]) -> Rle:
    size, counts = [int(v) for v in segmentation["size"]], segmentation["counts"]
    if len(size) != 2 or not all(0 < side <= LARGEST_SIDE for side in size):
        raise ValueError(f"run lengths of {reprlib.repr(size)} px")
    if isinstance(counts, str):
        rle: Rle = {"size": size, "counts": counts}
        found = rle_runs([rle])
        if found.bad[0]:
            raise ValueError(f"run lengths that are no encoding: {reprlib.repr(counts)}")
        runs = found.lengths
    else:
        runs = np.array(counts, dtype=np.int64).reshape(-1)
    if (runs < 0).any() or runs.sum() != size[0] * size[1]:
        # pycocotools would write beyond the mask
        raise ValueError(f"run lengths that add up to {runs.sum()} px for {size[0]} x {size[1]}")
    if isinstance(counts, str):
        return rle
    packed = coco_mask.frPyObjects({"size": size, "counts": runs.tolist()}, *size)
    return {"size": size, "counts": packed["counts"].decode("ascii")}
