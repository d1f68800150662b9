"""CVAT's own XML, "CVAT for images 1.1", with masks as run lengths in their boxes.

An id goes as an attribute ``instance_id`` of each shape, for which the labels of the task need a
text attribute of that name (``labels.json`` declares them: paste it into the task's raw labels).
Masks are exact, holes and parts included; a polygon has no holes, and shapes of one id are parts of
one object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from samrs.core.errors import AnnotationError
from samrs.core.rle import Rle, polygons_to_rle, rle_area
from samrs.core.shards import write_json
from samrs.exchange.shapes import ID, Picture, Shape, cropped, joined, placed
from samrs.reading.xml import read_xml

LOSES = "ids where the task's labels lack the attribute; holes where a person draws polygons"
FILE = "annotations.xml"


def write(pictures: Iterable[Picture], categories: Sequence[str], out: Path) -> None:
    """Write ``annotations.xml``, ``labels.json`` and the images beside them in ``images/``.

    Args:
        pictures: the tiles.
        categories: the classes, in order.
    """
    attribute = {"name": ID, "mutable": False, "input_type": "text", "default_value": "",
                 "values": [""]}  # fmt: skip
    labels = [{"name": name, "attributes": [attribute]} for name in categories]
    write_json(out / "labels.json", labels)
    with (out / FILE).open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("  <version>1.1</version>\n")
        file.write(f"  {_meta(categories)}\n")  # Datumaro reads no file without
        for number, picture in enumerate(pictures):
            picture.write_image(out / "images")
            width, height = picture.size_wh
            name = quoteattr(picture.file)
            file.write(f'  <image id="{number}" name={name} width="{width}" height="{height}">\n')
            file.writelines(_element(shape) for shape in picture.shapes)
            file.write("  </image>\n")
        file.write("</annotations>\n")


def _meta(categories: Sequence[str]) -> str:
    """The labels of the task, each with the attribute that holds ids."""
    attribute = (
        f"<attribute><name>{ID}</name><mutable>False</mutable><input_type>text</input_type>"
        "<default_value></default_value><values></values></attribute>"
    )
    labels = "".join(
        f"<label><name>{escape(name)}</name><attributes>{attribute}</attributes></label>"
        for name in categories
    )
    return f"<meta><task><mode>annotation</mode><labels>{labels}</labels></task></meta>"


def _element(shape: Shape) -> str:
    (x0, y0, x1, y1), crop = cropped(shape.rle)
    flat = crop.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0)).tolist()
    runs = np.diff([0, *edges, len(flat)]).tolist()
    place = f'left="{x0}" top="{y0}" width="{x1 - x0}" height="{y1 - y0}"'
    attribute = f"<attribute name={quoteattr(ID)}>{escape(shape.instance_id or '')}</attribute>"
    return (
        f'    <mask label={quoteattr(shape.category)} source="manual" occluded="0" '
        f'rle="{", ".join(map(str, runs))}" {place} z_order="0">{attribute}</mask>\n'
    )


def read(path: Path, sizes_wh: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, list[Shape]]]:
    """The objects of each image that a file, or the XML files of a folder, list.

    Args:
        path: the file or folder.
        sizes_wh: width and height by name of the image file.

    Raises:
        AnnotationError: it is none of CVAT's, or a shape is neither mask nor polygon.
    """
    for file in [path] if path.is_file() else sorted(path.rglob("*.xml")):
        root = read_xml(file, str(file), "annotations")
        for image in root.iter("image"):
            name = str(image.get("name")).replace("\\", "/").split("/")[-1]
            size = sizes_wh.get(name)
            shapes = [] if size is None else _shapes(file, image, size)
            yield name, joined(shapes)


def _shapes(file: Path, image: Any, size_wh: tuple[int, int]) -> list[Shape]:
    found = []
    for number, element in enumerate(image, start=1):
        if element.tag == "tag":
            continue
        rle = _mask(element, size_wh)
        if rle is None or not rle_area(rle):
            raise AnnotationError(
                f"{file}:{number}: shape without a mask, got {element.tag!r} in "
                f"{image.get('name')!r}; a mask or a polygon inside the image is needed; draw it "
                "again, or delete it"
            )
        ids = [a.text for a in element.iter("attribute") if a.get("name") == ID]
        found.append(Shape((ids[0] if ids else None) or None, str(element.get("label")), rle))
    return found


def _mask(element: Any, size_wh: tuple[int, int]) -> Rle | None:
    try:
        if element.tag == "polygon":
            points = [[float(v) for v in p.split(",")] for p in element.get("points").split(";")]
            outline = np.array(points)
            good = len(outline) > 2 and np.isfinite(outline).all() and np.abs(outline).max() < 2**20
            return polygons_to_rle([outline], size_wh[::-1]) if good else None
        if element.tag != "mask":
            return None
        x0, y0, width, height = (
            int(element.get(key)) for key in ("left", "top", "width", "height")
        )
        runs = np.array([int(run) for run in element.get("rle").split(",")])
        if width > size_wh[0] or height > size_wh[1] or (runs < 0).any():
            return None
        if runs.sum() != width * height:
            return None
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        return placed(flat.reshape(height, width), x0, y0, size_wh)
    except (ValueError, AttributeError, TypeError):
        return None
