"""True masks for boxes of another annotation of the same images: DOTA's boxes, iSAID's masks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from samrs.core.errors import ProductError
from samrs.core.geometry import hbb_iou
from samrs.core.records import TRUTH
from samrs.core.shards import iter_rows, read_manifest, read_table, write_manifest, write_table

MATCH_IOU = 0.5

Row = dict[str, Any]


def match_truth(product: Path, masks: Path) -> dict[str, int]:
    """Give a product without masks those of another product of the same images.

    Per tile, instances are matched one to one so that the sum of box IoUs is largest; pairs need
    one class (case, blanks, ``_`` and ``-`` aside) and an IoU of at least 0.5. The truth table is
    added to ``product`` under its own instance ids.

    Returns:
        ``matched``, ``boxes_without_mask`` and ``masks_without_box``.

    Raises:
        ProductError: the two have no tile in common.
    """
    rles = {(r["tile_id"], r["instance_id"]): r["rle"] for r in iter_rows(masks, "truth")}
    ours, theirs = _by_tile(product), _by_tile(masks)
    stored = [read_table(p, "tiles", ["tile_id"])["tile_id"].to_pylist() for p in (product, masks)]
    if not set(stored[0]) & set(stored[1]):
        raise ProductError(
            f"{masks}: no tile in common with {product}, got {stored[1][:1]} beside "
            f"{stored[0][:1]}; the same images under the same names are needed; check the folder"
        )
    rows = []
    for tile in stored[0]:
        for i, k in _pairs(ours[tile], theirs[tile]):
            name = ours[tile][i]["instance_id"]
            rle = rles[tile, theirs[tile][k]["instance_id"]]
            rows.append({"instance_id": name, "tile_id": tile, "rle": rle})
    write_table(product, "truth", TRUTH, rows)
    write_manifest(product, read_manifest(product))
    return {
        "matched": len(rows),
        "boxes_without_mask": sum(map(len, ours.values())) - len(rows),
        "masks_without_box": sum(map(len, theirs.values())) - len(rows),
    }


def _by_tile(product: Path) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    columns = ["tile_id", "instance_id", "category", "hbb"]
    for row in iter_rows(product, "instances", columns):
        grouped[row["tile_id"]].append(row)
    return grouped


def _pairs(ours: Sequence[Row], theirs: Sequence[Row]) -> list[tuple[int, int]]:
    if not ours or not theirs:
        return []
    overlap = hbb_iou([row["hbb"] for row in ours], [row["hbb"] for row in theirs])
    classes = [[_plain(row["category"]) for row in rows] for rows in (ours, theirs)]
    same = np.array(classes[0])[:, None] == np.array(classes[1])[None, :]
    overlap = np.where(same & (overlap >= MATCH_IOU), overlap, 0)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return [(int(i), int(k)) for i, k in zip(rows, columns, strict=True) if overlap[i, k] > 0]


def _plain(category: str) -> str:
    return category.lower().replace("_", "-").replace(" ", "-")
