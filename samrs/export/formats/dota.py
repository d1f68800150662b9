"""DOTA's labelTxt: rotated boxes, of the masks or as annotated (captain-whu.github.io/DOTA).

Layout, or the same without ``train/`` where the release has no splits::

    train/images/P0000__0_0.png
    train/labelTxt/P0000__0_0.txt     empty for a tile without instances

A line is four corners in px, clockwise, the class and whether it is difficult::

    687.8 126.2 793.5 6.4 934.1 130.4 828.5 250.3 plane 0

The box is the rectangle of least area around the mask: it covers each of its pixels and may reach
beyond the tile. ``--boxes annotated`` writes the annotated one, upright where there is no rotated
one. Blanks in class names become ``-``; names that would then be one are refused. There are no
header lines: they are optional, and readers of tiles (mmrotate) do not expect them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samrs.export.boxes import COLUMNS, rotated
from samrs.export.files import write_file
from samrs.export.subset import Subset

LEVELS = "tile", "scene"


def write(subset: Subset, out: Path, *, boxes: str = "mask") -> dict[str, Any]:
    """Write the export; returns images and instances.

    Args:
        boxes: whose the boxes are, one of BOXES.
    """
    names = subset.words()
    images = instances = 0
    for tile in subset.tiles([*COLUMNS, "rle", "difficult"]):
        base = out if subset.folders == ("all",) else out / tile.split
        tile.write_image(base / "images")
        lines = []
        for row in tile.rows:
            if row["area"]:
                corners = " ".join(f"{value:.2f}" for value in rotated(row, boxes).ravel())
                lines.append(f"{corners} {names[row['label']]} {int(row['difficult'])}\n")
        folder = base / "labelTxt"
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / f"{tile.name}.txt", "".join(lines))
        images += 1
        instances += len(lines)
    return {"images": images, "instances": instances}
