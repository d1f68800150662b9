"""Normalized instances as annotation files again, and a plain reading of such files.

DOTA's txt, DIOR's two xml and FAIR1M's xml. The reading shares no code with the readers of
``samrs/datasets``: what it finds in a file and in the one written back can be compared.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from samrs.core.shards import iter_rows

Key = tuple[Any, ...]
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
            name = box.category.replace("-", " ")
            inner = "".join(f"<point>{point}</point>" for point in points)
            objects.append(
                f"<object><possibleresult><name>{name}</name></possibleresult>"
                f"<points>{inner}</points></object>"
            )
    return f"<annotation><objects>{''.join(objects)}</objects></annotation>"


def corners(values: Iterable[float]) -> tuple[tuple[float, float], ...]:
    """Four points in a fixed order: neither the first corner nor the turn counts."""
    points = np.round(np.reshape(list(values), (4, 2)), 6) + 0.0
    low, high = points.min(axis=0), points.max(axis=0)
    if (low == high).any():  # a row of px: its outer edges
        low, high = low - 0.5, high + 0.5
        points = np.array([low, [high[0], low[1]], high, [low[0], high[1]]])
    return tuple(sorted((float(x), float(y)) for x, y in points))


def dota_boxes(lines: str) -> Counter[Key]:
    """Class, difficult and corners of a labelTxt file, by a plain reading."""
    found: Counter[Key] = Counter()
    for line in lines.splitlines():
        fields = line.split()
        if len(fields) in (9, 10):
            hard = len(fields) == 10 and fields[9] != "0"
            found[(fields[8], hard, corners(map(float, fields[:8])))] += 1
    return found


def dior_boxes(xml: str, tag: str) -> Counter[Key]:
    """Class and numbers of each object of a DIOR file, by a plain reading."""
    found: Counter[Key] = Counter()
    for item in re.findall(r"<object>.*?</object>", xml, re.DOTALL):
        (name,) = re.findall(r"<name>\s*(.*?)\s*</name>", item)
        (box,) = re.findall(rf"<{tag}>(.*?)</{tag}>", item, re.DOTALL)
        names = ("xmin", "ymin", "xmax", "ymax")
        if tag == "robndbox":
            names = tuple(re.findall(r"<([xy]_\w+)>", box))
        values = [float(*re.findall(rf"<{n}>\s*(.*?)\s*</{n}>", box)) for n in names]
        key = corners(values) if len(values) == 8 else tuple(np.round(values, 6))
        found[(name.lower(), key)] += 1
    return found


def fair1m_boxes(xml: str) -> Counter[Key]:
    """Class and corners of each object of a FAIR1M file, by a plain reading."""
    found: Counter[Key] = Counter()
    for item in re.findall(r"<object>.*?</object>", xml, re.DOTALL):
        (name,) = re.findall(r"<name>(.*?)</name>", item)
        points = re.findall(r"<point>(.*?),(.*?)</point>", item)
        assert points[0] == points[-1]
        found[(name, corners(float(v) for p in points[:4] for v in p))] += 1
    return found
