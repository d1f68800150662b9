"""Pascal VOC's XML: upright boxes, of the masks or as annotated (host.robots.ox.ac.uk/pascal/VOC).

Layout::

    Annotations/P0000__0_0.xml
    JPEGImages/P0000__0_0.png
    ImageSets/Main/train.txt          names of the tiles of each split
    labelmap.txt                      classes and their colours, for Datumaro and CVAT

An object::

    <object><name>plane</name><difficult>0</difficult>
        <bndbox><xmin>38</xmin><ymin>74</ymin><xmax>879</xmax><ymax>192</ymax></bndbox></object>

The box is the mask's, corners 1-based and inclusive as VOC's; with ``--boxes annotated`` it is the
px that the annotated box touches, cut to the tile. ``truncated`` is 1 where a part of
the annotated box lies outside the tile. ``labelmap.txt`` parts its columns by colons: it is left
out where a class name has one (``labelmap`` in the summary).
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from samrs.export.boxes import COLUMNS, upright
from samrs.export.files import open_text, write_file
from samrs.export.subset import ExportedTile, Row, Subset

LEVELS = "tile", "scene"


def write(subset: Subset, out: Path, *, boxes: str = "mask") -> dict[str, Any]:
    """Write the export; returns images, instances and whether it has a ``labelmap.txt``.

    Args:
        boxes: whose the boxes are, one of BOXES.
    """
    names = [escape(name) for name in subset.categories]
    images = instances = 0
    (out / "Annotations").mkdir()
    lists = out / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    with ExitStack() as stack:
        files = {
            split: stack.enter_context(open_text(lists / f"{split}.txt"))
            for split in subset.folders
        }
        for tile in subset.tiles([*COLUMNS, "difficult", "visible"]):
            tile.write_image(out / "JPEGImages")
            files[tile.split].write(f"{tile.name}\n")
            rows = [row for row in tile.rows if row["area"]]
            objects = "".join(
                _object(row, names[row["label"]], upright(row, boxes, tile.size_wh)) for row in rows
            )
            text = _file(tile, escape(subset.name), objects)
            write_file(out / "Annotations" / f"{tile.name}.xml", text)
            images += 1
            instances += len(rows)
    return {"images": images, "instances": instances, "labelmap": _write_labelmap(subset, out)}


def _write_labelmap(subset: Subset, out: Path) -> bool:
    """Write the classes, unless their names cannot stand in such a file."""
    names = ("background", *subset.categories)
    if any(":" in name or name.startswith("#") for name in names):
        return False
    colours = ((0, 0, 0), *subset.palette)
    lines = [f"{name}:{r},{g},{b}::\n" for name, (r, g, b) in zip(names, colours, strict=True)]
    write_file(out / "labelmap.txt", "# label:color_rgb:parts:actions\n" + "".join(lines))
    return True


def _file(tile: ExportedTile, database: str, objects: str) -> str:
    width, height = tile.size_wh
    return (
        "<annotation>\n"
        f"<folder>JPEGImages</folder><filename>{tile.file}</filename>\n"
        f"<source><database>{database}</database></source>\n"
        f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
        f"<segmented>0</segmented>\n{objects}</annotation>\n"
    )


def _object(row: Row, name: str, box: list[float]) -> str:
    x0, y0 = (math.floor(v) for v in box[:2])
    x1, y1 = (math.ceil(v) for v in box[2:])
    flags = {"truncated": int(row["visible"] < 1), "difficult": int(row["difficult"])}
    corners = {"xmin": x0 + 1, "ymin": y0 + 1, "xmax": x1, "ymax": y1}
    return (
        f"<object><name>{name}</name><pose>Unspecified</pose>{_tags(flags)}"
        f"<bndbox>{_tags(corners)}</bndbox></object>\n"
    )


def _tags(values: dict[str, int]) -> str:
    return "".join(f"<{key}>{value}</{key}>" for key, value in values.items())
