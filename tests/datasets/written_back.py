"""Normalized instances as annotation files again: DOTA txt, DIOR's two xml, FAIR1M xml."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samrs.core.shards import iter_rows
from tests.datasets.by_hand import fair1m_object

CORNERS = ("left_top", "right_top", "right_bottom", "left_bottom")


class Box(NamedTuple):
    """An instance in scene px: hbb (4,) xyxy, obb (4, 2) xy or None."""

    category: str
    hbb: NDArray[np.float64]
    obb: NDArray[np.float64] | None
    difficult: bool


def scene_boxes(
    tiles: Iterable[dict[str, Any]], instances: Iterable[dict[str, Any]]
) -> dict[str, list[Box]]:
    """Boxes of each scene in the order of their annotations, each once."""
    places = {tile["tile_id"]: tile for tile in tiles}
    found: dict[str, dict[int, Box]] = defaultdict(dict)
    for row in instances:
        tile = places[row["tile_id"]]
        offset = np.array([tile["x0"], tile["y0"]], dtype=np.float64)
        obb = None if row["obb"] is None else np.reshape(row["obb"], (4, 2)) + offset
        hbb = np.array(row["hbb_annotated"]) + np.tile(offset, 2)
        ordinal = int(row["instance_id"].rsplit("#", 1)[1])
        found[tile["scene_id"]][ordinal] = Box(row["category"], hbb, obb, row["difficult"])
    return {scene: [boxes[i] for i in sorted(boxes)] for scene, boxes in found.items()}


def product_boxes(out: Path) -> dict[str, list[Box]]:
    """Boxes of each scene of a normalized product."""
    columns = ["tile_id", "scene_id", "x0", "y0"]
    return scene_boxes(iter_rows(out, "tiles", columns), iter_rows(out, "instances"))


def text(value: float) -> str:
    """A number with at most six decimals."""
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".")


def to_dota(boxes: Iterable[Box]) -> str:
    """Lines of a labelTxt file."""
    return "".join(
        " ".join([*map(text, np.ravel(b.obb)), b.category, str(int(b.difficult))]) + "\n"
        for b in boxes
        if b.obb is not None
    )


def to_dior(boxes: Iterable[Box]) -> tuple[str, str]:
    """The horizontal and the rotated file."""
    horizontal, oriented = [], []
    for box in boxes:
        x0, y0, x1, y1 = box.hbb
        voc = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
        horizontal.append(_object(box, "bndbox", voc))
        if box.obb is not None:
            px = {
                f"{a}_{k}": v
                for k, xy in zip(CORNERS, box.obb + 0.5, strict=True)
                for a, v in zip("xy", xy, strict=True)
            }
            oriented.append(_object(box, "robndbox", px))
    whole = "<annotation>{}</annotation>"
    return whole.format("".join(horizontal)), whole.format("".join(oriented))


def _object(box: Box, tag: str, values: dict[str, float]) -> str:
    inner = "".join(f"<{k}>{text(v)}</{k}>" for k, v in values.items())
    difficult = f"<difficult>{int(box.difficult)}</difficult>"
    return f"<object><name>{box.category}</name>{difficult}<{tag}>{inner}</{tag}></object>"


def to_fair1m(boxes: Iterable[Box]) -> str:
    """A file of closed polygons, names with spaces."""
    objects = []
    for box in boxes:
        if box.obb is not None:
            points = [f"{text(x)},{text(y)}" for x, y in [*box.obb, box.obb[0]]]
            objects.append(fair1m_object(box.category.replace("-", " "), *points))
    return f"<annotation><objects>{''.join(objects)}</objects></annotation>"
