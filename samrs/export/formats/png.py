"""Pictures: a label map and a map of instances beside each image.

Layout::

    images/train/P0000__0_0.png
    semantic/train/P0000__0_0.png    8-bit palette PNG: label ids, 255 = unlabelled
    instances/train/P0000__0_0.png   which instance a pixel is of, 0 = none
    images/train/P0000__0_0.pgw      of images on a map: where it lies, beside each picture
    images/train/P0000__0_0.png.aux.xml    the same with the coordinate system, for GDAL and QGIS
    classes.csv                      label, name, red, green, blue
    instances.csv                    what each value of an instance map is

The label map is the release's own, in SAMRS's colours. Where the release tells the background it is
label 0, ``classes.csv`` begins with it, and 255 is what is not known. Where masks overlap, the
instance map follows the same rule; instances are numbered from 1 in each tile. It is 16-bit grey;
where any tile of the export has more than 65,535 instances, every map is 8-bit RGB instead and the
number is 65536 red + 256 green + blue. The summary (``instance_map``) says which.

Pillow reads the numbers of both kinds::

    labels = np.asarray(Image.open("semantic/train/P0000__0_0.png"))
    numbers = np.asarray(Image.open("instances/train/P0000__0_0.png"))

OpenCV gives colours for a palette, whatever its flags: read label maps by Pillow. Instance maps
want ``cv2.IMREAD_UNCHANGED``; by default OpenCV divides 16 bits by 256, and all is 0. The RGB kind
it gives as blue, green, red.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samrs.core.errors import ImageError
from samrs.core.images import encode_rgb
from samrs.export.class_table import csv_rows, write_classes
from samrs.export.files import open_text
from samrs.export.subset import Subset

ONE_LEVEL = "a PNG is made of a map that is held whole; geotiff writes scenes by window"

MOST_IN_16_BITS = 65_535
_HEADER = ("split", "tile", "value", "instance_id", "label", "category", "area")


def write(subset: Subset, out: Path) -> dict[str, Any]:
    """Write the export; returns images, instances and the kind of instance maps."""
    wide = subset.most_instances > MOST_IN_16_BITS
    images = instances = 0
    colours = [channel for rgb in subset.map_palette for channel in rgb]
    colours += [0] * (3 * 255 - len(colours)) + [255] * 3
    write_classes(subset, out / "classes.csv")
    with open_text(out / "instances.csv") as file:
        table = csv_rows(file)
        table.writerow(_HEADER)
        for tile in subset.tiles(["instance_id", "area"], semantic=True):
            tile.write_image(out / "images" / tile.split)
            numbers = range(1, len(tile.rows) + 1)
            maps = {
                "semantic": palette_png(tile.labels(), colours),
                "instances": number_png(subset.paint(tile, numbers, background=0), wide=wide),
            }
            for kind, data in maps.items():
                tile.write_picture(out / kind / tile.split / f"{tile.name}.png", data)
            for number, row in zip(numbers, tile.rows, strict=True):
                label = row["label"]
                name, number_of = subset.categories[label], label + subset.first
                what = row["instance_id"], number_of, name, row["area"]
                table.writerow((tile.split, tile.name, number, *what))
            images += 1
            instances += len(tile.rows)
    kind = "8-bit RGB, 65536 R + 256 G + B" if wide else "16-bit grey"
    return {"images": images, "instances": instances, "instance_map": kind}


def palette_png(labels: NDArray[np.uint8], colours: list[int]) -> bytes:
    """A (H, W) label map as PNG of 256 colours, given as r, g, b, r, g, b, ..."""
    image = Image.fromarray(labels).convert("L")
    image.putpalette(colours)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def number_png(numbers: NDArray[np.int32], *, wide: bool) -> bytes:
    """A (H, W) map of whole numbers as PNG: 16-bit grey, or ``wide``: 24 bits in RGB."""
    if wide:
        parts = [numbers >> 16, numbers >> 8, numbers]
        return encode_rgb(np.stack([part & 255 for part in parts], axis=-1).astype(np.uint8))
    done, data = cv2.imencode(".png", numbers.astype(np.uint16))
    if not done:
        raise ImageError(
            f"map: cannot encode, got shape {numbers.shape}; (H, W) with at least one px is "
            "allowed; make the release again"
        )
    return data.tobytes()
