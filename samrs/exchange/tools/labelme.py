"""labelme's JSON files, one an image, with masks as PNG crops.

An id goes as a shape's ``description``, a text that labelme shows and keeps. A shape of the kind
``mask`` is exact, holes and parts included; a polygon has no holes, and several shapes of one
description are parts of one object.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from samrs.core.errors import AnnotationError
from samrs.core.rle import Rle, polygons_to_rle, rle_area
from samrs.core.shards import write_json
from samrs.exchange.shapes import Picture, Shape, cropped, joined, placed
from samrs.reading.json_file import read_json

LOSES = "holes where a person draws polygons"


def write(pictures: Iterable[Picture], categories: Sequence[str], out: Path) -> None:
    """Write a JSON file beside each image.

    Args:
        pictures: the tiles.
        categories: the classes, in order.
    """
    for picture in pictures:
        picture.write_image(out)
        width, height = picture.size_wh
        about: dict[str, Any] = {
            "version": "5.0.0",
            "flags": {},
            "shapes": [_shape(shape) for shape in picture.shapes],
            "imagePath": picture.file,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        write_json(out / f"{Path(picture.file).stem}.json", about)


def _shape(shape: Shape) -> dict[str, Any]:
    (x0, y0, x1, y1), crop = cropped(shape.rle)
    png = io.BytesIO()
    Image.fromarray(crop.astype(np.uint8)).save(png, "PNG")
    return {
        "label": shape.category,
        "points": [[x0, y0], [x1 - 1, y1 - 1]],  # the second is inside
        "group_id": None,
        "description": shape.instance_id,
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png.getvalue()).decode("ascii"),
    }


def read(path: Path, sizes_wh: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, list[Shape]]]:
    """The objects of each image that has a file.

    Args:
        path: a file, or a folder of them.
        sizes_wh: width and height by name of the image file.

    Raises:
        AnnotationError: a file is none of labelme's, or a shape is neither mask nor polygon.
    """
    for file in [path] if path.is_file() else sorted(path.rglob("*.json")):
        data = read_json(file, str(file), "labelme's JSON")
        try:
            name = str(data["imagePath"]).replace("\\", "/").split("/")[-1]
            size = sizes_wh.get(name)
            shapes = [] if size is None else _shapes(file, data["shapes"], size)
        except (KeyError, TypeError, AttributeError) as error:
            raise AnnotationError(
                f"{file}:1: not labelme's, got no {error}; imagePath and shapes are needed; save "
                "it in labelme again"
            ) from error
        yield name, shapes


def _shapes(file: Path, told: Any, size_wh: tuple[int, int]) -> list[Shape]:
    found: list[Shape] = []
    for number, entry in enumerate(told, start=1):
        rle = _mask(entry, size_wh)
        if rle is None or not rle_area(rle):
            raise AnnotationError(
                f"{file}:{number}: shape without a mask, got {entry.get('shape_type')!r}; a mask "
                "or a polygon inside the image is needed; draw it again, or delete it"
            )
        found.append(Shape(entry.get("description") or None, str(entry["label"]), rle))
    return joined(found)


def _mask(entry: Any, size_wh: tuple[int, int]) -> Rle | None:
    try:
        points = np.array(entry["points"], dtype=np.float64).reshape(-1, 2)
        if entry.get("shape_type") == "polygon" and len(points) > 2:
            inside = np.isfinite(points).all() and np.abs(points).max() < 2**20
            return polygons_to_rle([points], size_wh[::-1]) if inside else None
        if entry.get("shape_type") != "mask":
            return None
        data = base64.b64decode(entry["mask"], validate=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.width > size_wh[0] or picture.height > size_wh[1]:
                return None
            crop = np.asarray(picture.convert("L")) > 0
        x0, y0 = (int(v) for v in points[0])
        return placed(crop, x0, y0, size_wh)
    except (ValueError, OSError, SyntaxError, Image.DecompressionBombError, IndexError):
        return None
