"""Procedural scenes as COCO instances: ``images/`` and one ``annotations.json``.

Masks stand there in every form COCO has: polygons where those say the same as the mask, else
run-lengths, compressed (text) and plain (numbers) in turn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from samrs.core.images import encode_rgb
from samrs.core.rle import crop_to_rle, polygons_to_rle, rle_iou, rle_to_mask
from samrs.core.shards import json_text
from samrs.scenes.scene import SceneObject
from samrs.scenes.series import View, render_series

BLOCK = 6
SIZE_HW = (700, 800)
CATEGORIES = {
    "plane": "airplane",
    "ship": "ship",
    "storage_tank": "storage tank",
    "baseball_diamond": "baseball diamond",
    "tennis_court": "tennis court",
    "basketball_court": "basketball court",
    "small_vehicle": "vehicle",
    "large_vehicle": "vehicle",
}
VIEWS = (
    View("airport", 0.4, ("plane",)),
    View("sports", 0.35, ("tennis_court", "basketball_court", "baseball_diamond")),
    View("port", 0.5, ("ship", "storage_tank")),
    View("collage", 0.4, ("plane", "ship")),
    View("parking_lot", 0.2, ("small_vehicle",)),
    View("countryside", 0.5, empty=True),
)
POLYGON_MIN_IOU = 0.97


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` images and one annotation file below ``root``."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(CATEGORIES.values()))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, scene in render_series(
        "coco", VIEWS, kinds=tuple(CATEGORIES), size_hw=SIZE_HW, block=BLOCK, seed=seed,
        scenes=scenes,
    ):  # fmt: skip
        suffix = ".jpg" if number % 2 else ".png"
        name = f"{number + 1:03d}{suffix}"
        (root / "images" / name).write_bytes(encode_rgb(scene.image, suffix))
        height, width = SIZE_HW
        images.append({"id": number + 1, "file_name": name, "width": width, "height": height})
        for item in scene.objects:
            category_id = names.index(CATEGORIES[item.kind]) + 1
            annotations.append(_annotation(item, len(annotations) + 1, number + 1, category_id))
    categories = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
    value = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json_text(value, ascii=True) + "\n", encoding="utf-8")


def _annotation(item: SceneObject, number: int, image_id: int, category_id: int) -> dict[str, Any]:
    x0, y0, x1, y1 = item.box
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": int(item.mask.sum()),
        "iscrowd": 0,
        "segmentation": _segmentation(item, plain=number % 2 == 0),
    }


def _segmentation(item: SceneObject, *, plain: bool) -> Any:
    """The mask as a polygon, if its convex hull is nearly it, else as run-lengths."""
    x0, y0, _, _ = item.box
    rle = crop_to_rle(item.mask, x0, y0, SIZE_HW)
    rows, columns = np.nonzero(item.mask)
    corners = [np.stack([columns + dx, rows + dy], axis=1) for dx in (0, 1) for dy in (0, 1)]
    hull = cv2.convexHull(np.concatenate(corners).astype(np.int32))[:, 0] + (x0, y0)
    if rle_iou([rle], [polygons_to_rle([hull], SIZE_HW)])[0, 0] >= POLYGON_MIN_IOU:
        return [hull.ravel().tolist()]
    if not plain:
        return rle
    flat = rle_to_mask(rle).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat, prepend=False, append=False))
    bounds = [0, *edges.tolist(), flat.size]
    return {"size": list(SIZE_HW), "counts": np.diff(bounds).tolist()}
