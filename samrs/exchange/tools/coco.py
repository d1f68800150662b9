"""COCO's JSON, as CVAT, Roboflow, FiftyOne and Datumaro read it and write it back.

Masks go out as run lengths, with ``iscrowd`` 1: of a mask without it Datumaro makes polygons
through the middles of px, so that a box of 10 x 6 px comes back as one of 9 x 5, one px as nothing,
and holes are filled. An id goes as ``attributes.object_id``, which Datumaro keeps, and CVAT where
the label has such an attribute, and as ``object_id``, which FiftyOne keeps with ``extra_attrs``: it
opens no file where an attribute is called ``instance_id``, its own word (1.22.1). A tool that keeps
neither loses ids: an untouched mask is found by its px again, a touched one by the overlap it has
left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from samrs.core.errors import AnnotationError
from samrs.core.shards import json_text
from samrs.exchange.shapes import ID, Picture, Shape
from samrs.reading.json_file import read_json
from samrs.reading.segmentation import read_segmentation

LOSES = "ids where a tool drops attributes; holes where it writes polygons"
FILE = "annotations.json"
OBJECT = "object_id"
"""What an id is called."""


def write(pictures: Iterable[Picture], categories: Sequence[str], out: Path) -> None:
    """Write ``annotations.json`` and the images beside it in ``images/``.

    Args:
        pictures: the tiles.
        categories: the classes, in order.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, picture in enumerate(pictures, start=1):
        width, height = picture.size_wh
        images.append({"id": number, "file_name": picture.file, "width": width, "height": height})
        picture.write_image(out / "images")
        for shape in picture.shapes:
            annotations.append(_annotation(shape, len(annotations) + 1, number, categories))
    named = [{"id": i, "name": name} for i, name in enumerate(categories, start=1)]
    told = {"images": images, "annotations": annotations, "categories": named}
    (out / FILE).write_text(json_text(told, spaces=False, ascii=True), encoding="ascii")


def _annotation(shape: Shape, number: int, image: int, categories: Sequence[str]) -> dict[str, Any]:
    from samrs.core.rle import rle_area, rle_to_hbb

    x0, y0, x1, y1 = rle_to_hbb(shape.rle).tolist()
    return {
        "id": number,
        "image_id": image,
        "category_id": categories.index(shape.category) + 1,
        "segmentation": dict(shape.rle),
        "area": rle_area(shape.rle),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "iscrowd": 1,  # says how the mask is stored: see above
        OBJECT: shape.instance_id,
        "attributes": {OBJECT: shape.instance_id},
    }


def read(path: Path, sizes_wh: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, list[Shape]]]:
    """The objects of each image that a file, or the JSON files of a folder, list.

    Args:
        path: the file or folder.
        sizes_wh: width and height by name of the image file.

    Raises:
        AnnotationError: it is no COCO, or an object's mask is none.
    """
    for file in [path] if path.is_file() else sorted(path.rglob("*.json")):
        data = read_json(file, str(file), "COCO's JSON")
        try:
            yield from _read(file, data, sizes_wh)
        except (KeyError, TypeError, AttributeError) as error:
            raise AnnotationError(
                f"{file}:1: not COCO, got no {error}; images, annotations and categories are "
                "needed; export it from the tool as COCO again"
            ) from error


def _read(
    file: Path, data: Any, sizes_wh: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, list[Shape]]]:
    names = {entry["id"]: str(entry["name"]) for entry in data["categories"]}
    found: dict[str, list[Shape]] = {}
    images = {
        i["id"]: str(i["file_name"]).replace("\\", "/").split("/")[-1] for i in data["images"]
    }
    for name in images.values():
        found.setdefault(name, [])
    for number, entry in enumerate(data["annotations"], start=1):
        name = images[entry["image_id"]]
        size = sizes_wh.get(name)
        if size is None:
            continue  # told as an unknown image
        rle, wrong = read_segmentation(entry.get("segmentation"), size)
        if rle is None or wrong or rle["size"] != [size[1], size[0]]:
            raise AnnotationError(
                f"{file}:{number}: annotation without a mask, got {wrong or 'none of its size'}; "
                "run lengths or polygons of the image are needed; draw it again, or delete it"
            )
        attributes = entry.get("attributes") or {}
        told = attributes.get(OBJECT) or attributes.get(ID) or entry.get(OBJECT)
        found[name].append(Shape(told or None, names[entry["category_id"]], rle))
    yield from found.items()
