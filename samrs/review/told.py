"""What the page is told of a release and of a mask: plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow.compute as pc

from samrs.core.rle import Rle, rle_area, rle_iou
from samrs.corrections.records import VERDICTS
from samrs.drawing.html import model_note
from samrs.export.outlines import path_of, rle_rings
from samrs.review.beside import Beside
from samrs.review.desk import Desk
from samrs.review.held import Held
from samrs.review.index import SCORES, SIZE, STORED
from samrs.review.marks import Marks

MOST_NEIGHBOURS = 3000
"""Other masks of a tile that are drawn at once."""


def release_told(desk: Desk, beside: Beside | None) -> dict[str, Any]:
    """What the page shows before any mask.

    Args:
        desk: of the release.
        beside: other masks, if any.
    """
    index = desk.index
    counts = np.bincount(index.category, minlength=len(index.categories)).tolist()
    return {
        "name": index.manifest["subset"],
        "dataset": index.manifest["dataset"],
        "build": desk.build,
        "note": model_note(index.manifest)["title"],
        "terms": index.manifest["terms"],
        "count": len(index),
        "categories": index.categories,
        "counts": counts,
        "splits": index.splits,
        "recipes": index.recipes,
        "sorts": [*index.scores, SIZE, STORED],
        "verdicts": list(VERDICTS),
        "clicks": desk.mender is not None,
        "beside": None if beside is None else beside.recipe,
        "sample": None if desk.sample is None else list(desk.sample.numbers),
    }


def marks_told(marks: Marks) -> dict[str, Any]:
    """What people said of masks, those they said something of: number, verdict, flags, mask.

    Args:
        marks: of all masks.
    """
    some = np.flatnonzero(marks.verdict | marks.changed).tolist()
    return {
        "stamp": marks.stamp,
        "marks": [
            [n, int(marks.verdict[n]), int(marks.changed[n]), marks.masks.get(n, "")] for n in some
        ],
    }


def mark_told(desk: Desk, number: int) -> list[Any]:
    """What people said of one mask, as ``marks_told`` has it.

    Args:
        desk: of the release.
        number: of the mask.
    """
    marks = desk.marks()
    verdict, changed = int(marks.verdict[number]), int(marks.changed[number])
    return [number, verdict, changed, marks.masks.get(number, "")]


def added_told(desk: Desk, number: int) -> list[dict[str, Any]]:
    """The objects that people added to a mask's tile and that are not released yet.

    Args:
        desk: of the release.
        number: of a mask in the tile.
    """
    found = [(one, one.rle) for one in desk.added(number)]
    return [
        {"seen": one.seen, "category": one.category, "mask": "" if rle is None else path(rle)}
        for one, rle in found
    ]


def mask_told(desk: Desk, beside: Beside | None, number: int) -> dict[str, Any]:
    """Everything of one mask.

    Args:
        desk: of the release.
        beside: other masks, if any.
        number: of the mask.
    """
    index, held = desk.index, desk.held(number)
    row, place = held.row, int(index.place[number])
    line = row["source_line"]
    machine = path(row["rle"]) if held.made_by != "machine" else ""
    return {
        "number": number,
        "instance_id": row["instance_id"],
        "tile_id": row["tile_id"],
        "category": held.category,
        "released_category": row["category"],
        "split": index.splits[int(index.split[number])],
        "scene": index.scenes[int(index.scene[number])],
        "source": row["source_file"] if line is None else f"{row['source_file']}:{line}",
        "size_wh": list(reversed(row["rle"]["size"])),
        "part": desk.pictures.around(number),
        "box": path_of([_corners(row["hbb"])]),
        "hbb": row["hbb"],
        "obb": path_of([np.reshape(row["obb"], (4, 2))]) if row["obb"] else "",
        "mask": path(held.rle),
        "machine": machine,
        "scores": scores_told(row),
        "facts": _facts(held),
        "beside": None if beside is None else _beside_told(beside, held),
        "siblings": index.siblings(number),
        "neighbours": int(np.count_nonzero(index.place == place)) - 1,
        "added": added_told(desk, number),
        "mark": mark_told(desk, number),
        "state": state_told(desk, held),
    }


def state_told(desk: Desk, held: Held) -> dict[str, Any]:
    """What people said of one mask, and what a change of it must have seen.

    Args:
        desk: of the release.
        held: the mask.
    """
    clicks = held.clicks
    return {
        "seen": held.seen,
        "verdict": held.verdict.verdict if held.verdict else "",
        "reason": held.verdict.reason if held.verdict else "",
        "made_by": held.made_by,
        "stale": held.stale,
        "taken_back": held.taken_back,
        "added": held.added is not None,
        "positive": clicks.positive if clicks else (),
        "negative": clicks.negative if clicks else (),
        "asked_box": clicks.box if clicks else None,
        "area": rle_area(held.rle),
        "stamp": desk.current()[0],
    }


def neighbours_told(desk: Desk, number: int) -> list[dict[str, Any]]:
    """The other masks of the tile, the largest first, so that small ones are drawn on top.

    Args:
        desk: of the release.
        number: of the mask whose neighbours they are.
    """
    index = desk.index
    rows = desk.pictures.tile(number).instances
    first = int(np.searchsorted(index.place, index.place[number]))
    order = pc.sort_indices(rows["area"], sort_keys=[("", "descending")]).to_pylist()
    others = [place for place in order if first + place != number][:MOST_NEIGHBOURS]
    shown = rows.select(["category", "rle"]).take(others).to_pylist()
    return [
        {"number": first + place, "category": row["category"], "mask": path(row["rle"])}
        for place, row in zip(others, shown, strict=True)
    ]


def path(rle: Rle) -> str:
    """A mask's outline along its px as the data of an SVG path, in tile px.

    Args:
        rle: of the whole tile.
    """
    if not rle_area(rle):
        return ""
    return path_of(np.array(ring, dtype=np.float64) for ring in rle_rings(rle))


def scores_told(row: dict[str, Any]) -> list[tuple[str, float]]:
    """Names and values of the scores that there are.

    Args:
        row: of a table of masks.
    """
    return [(name, round(row[name], 4)) for name in SCORES if _is_number(row.get(name))]


def _facts(held: Held) -> list[tuple[str, str]]:
    """What else the release says of a mask, in words."""
    row = held.row
    told = {
        "area": f"{row['area']} px",
        "parts": row.get("components"),
        "visible": f"{row['visible']:.0%}",
        "difficult": "yes" if row["difficult"] else "no",
        "made by": row.get("made_by"),
        "accepted": "yes" if row.get("accepted") else None,
        "recipe": f"{row['recipe'] or 'none'}{' (no rotated box)' if row.get('fallback') else ''}",
        "cleaned": f"{row['changed_px']} px" if row.get("changed_px") else "not",
    }
    return [(name, str(value)) for name, value in told.items() if value is not None]


def _beside_told(beside: Beside, held: Held) -> dict[str, Any] | None:
    other = beside.row(held.row["instance_id"], held.row["tile_id"])
    if other is None or other["rle"]["size"] != held.row["rle"]["size"]:
        return None
    return {
        "mask": path(other["rle"]),
        "recipe": other.get("recipe") or beside.recipe,
        "scores": scores_told(other),
        "iou": round(float(rle_iou([held.row["rle"]], [other["rle"]])[0, 0]), 4),
    }


def _corners(hbb: Iterable[float]) -> Any:
    x0, y0, x1, y1 = hbb
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _is_number(value: Any) -> bool:
    return value is not None and math.isfinite(value)
