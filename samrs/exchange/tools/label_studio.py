"""Label Studio's JSON: a task an image, masks as brush strokes.

An id goes as the region's ``meta.text`` and as its ``id``; both come back in the tool's JSON. Read
its JSON export, never its COCO export: that leaves brush strokes out. A brush is exact, holes and
parts included.

A stroke's ``rle`` is a bit stream: 32 bits number of values (height x width x 4, row by row), 5
bits length of a value less 1, four times 4 bits lengths of counts less 1; then pieces: 1 bit
whether one value is repeated, 2 bits which length, the count less 1, and the value or values
(label_studio_sdk/converter/brush.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import AnnotationError
from samrs.core.rle import Rle, mask_to_rle, polygons_to_rle, rle_area, rle_to_mask
from samrs.core.shards import json_text
from samrs.exchange.shapes import Picture, Shape, joined
from samrs.reading.json_file import read_json

LOSES = "holes where a person draws polygons, whose corners are percent of the image"
FILE = "tasks.json"
CHANNELS = 4
VALUE_BITS, COUNT_BITS = 8, 16
PAINTED = 255


def write(pictures: Iterable[Picture], categories: Sequence[str], out: Path) -> None:
    """Write ``tasks.json``, ``labels.xml`` and the images beside them in ``images/``.

    Args:
        pictures: the tiles.
        categories: the classes, in order.
    """
    tasks = []
    for picture in pictures:
        picture.write_image(out / "images")
        result = [_region(shape, picture.size_wh) for shape in picture.shapes]
        image = f"/data/local-files/?d=images/{picture.file}"
        about = {"data": {"image": image, "file": picture.file}}
        tasks.append({**about, "annotations": [{"result": result}]})
    (out / FILE).write_text(json_text(tasks, spaces=False), encoding="utf-8")
    brushes = "".join(f"<Label value={quoteattr(name)}/>" for name in categories)
    tags = f'<BrushLabels name="tag" toName="image">{brushes}</BrushLabels>'
    config = f'<View><Image name="image" value="$image"/>{tags}</View>\n'
    (out / "labels.xml").write_text(config, encoding="utf-8")


def _region(shape: Shape, size_wh: tuple[int, int]) -> dict[str, Any]:
    return {
        "id": shape.instance_id,
        "meta": {"text": [shape.instance_id]},
        "type": "brushlabels",
        "from_name": "tag",
        "to_name": "image",
        "original_width": size_wh[0],
        "original_height": size_wh[1],
        "image_rotation": 0,
        "value": {
            "format": "rle",
            "rle": encode_brush(rle_to_mask(shape.rle)),
            "brushlabels": [shape.category],
        },
    }


def encode_brush(mask: NDArray[np.bool_]) -> list[int]:
    """The bytes of a brush stroke.

    Args:
        mask: (H, W) of the image.
    """
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=flat[0]))
    bounds = np.concatenate([[0], edges, [len(flat)]]) * CHANNELS
    most = 2**COUNT_BITS
    bits = [_bits(len(flat) * CHANNELS, 32), _bits(VALUE_BITS - 1, 5)]
    bits += [_bits(COUNT_BITS - 1, 4)] * 4
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        value = PAINTED * int(flat[begin // CHANNELS])
        for first in range(begin, end, most):
            count = min(end - first, most)
            bits += [_bits(1, 1), _bits(0, 2), _bits(count - 1, COUNT_BITS)]
            bits.append(_bits(value, VALUE_BITS))
    return [int(v) for v in np.packbits(np.concatenate(bits))]


def _bits(value: int, number: int) -> NDArray[np.uint8]:
    return (
        np.uint64(value) >> np.arange(number - 1, -1, -1, dtype=np.uint64) & np.uint64(1)
    ).astype(np.uint8)


def decode_brush(data: Sequence[int], size_wh: tuple[int, int]) -> NDArray[np.bool_]:
    """The mask (H, W) of a brush stroke.

    Args:
        data: its bytes.
        size_wh: width and height of the image, px.

    Raises:
        ValueError: it is none of an image of that size.
    """
    width, height = size_wh
    bits = "".join(f"{byte:08b}" for byte in bytes(data))
    place = 0

    def take(number: int) -> int:
        nonlocal place
        if place + number > len(bits):
            raise ValueError("a brush stroke that ends early")
        place += number
        return int(bits[place - number : place], 2)

    total = take(32)
    if total != width * height * CHANNELS:
        raise ValueError(f"a brush stroke of {total} values")
    word = take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=bool)
    begin = 0
    while begin < total:
        repeated = take(1)
        end = begin + 1 + take(sizes[take(2)])
        if end > total:
            raise ValueError("a brush stroke beyond its image")
        if repeated:
            values[begin:end] = take(word) > 0
        else:
            values[begin:end] = [take(word) > 0 for _ in range(end - begin)]
        begin = end
    return np.asarray(values.reshape(height, width, CHANNELS).any(axis=2))


def read(path: Path, sizes_wh: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, list[Shape]]]:
    """The objects of each image that a file, or the JSON files of a folder, list.

    A task that nobody submitted, or that was skipped, did not come back.

    Args:
        path: the file or folder.
        sizes_wh: width and height by name of the image file.

    Raises:
        AnnotationError: it is none of Label Studio's, a region is neither brush nor polygon, or a
            task has several annotations.
    """
    for file in [path] if path.is_file() else sorted(path.rglob("*.json")):
        data = read_json(file, str(file), "Label Studio's JSON")
        try:
            for task in data:
                name = str(task["data"].get("file") or task["data"]["image"]).split("/")[-1]
                size, annotation = sizes_wh.get(name), _annotation(file, name, task)
                if annotation is not None:
                    regions = annotation["result"]
                    yield name, [] if size is None else joined(_shapes(file, regions, size))
        except (KeyError, TypeError, AttributeError, IndexError) as error:
            raise AnnotationError(
                f"{file}:1: not Label Studio's, got no {error}; a list of tasks with data and "
                "annotations is needed; export it as JSON, not as JSON-MIN"
            ) from error


def _annotation(file: Path, name: str, task: Any) -> Any:
    """What a person submitted of a task; None where nobody did, or skipped it."""
    found = [one for one in task["annotations"] if not one.get("was_cancelled")]
    if len(found) > 1:
        raise AnnotationError(
            f"{file}: several annotations of a task, got {len(found)} of {name!r}; one is allowed; "
            "delete the others in Label Studio and export it again"
        )
    return found[0] if found else None


def _shapes(file: Path, regions: Any, size_wh: tuple[int, int]) -> list[Shape]:
    found = []
    for number, region in enumerate(regions, start=1):
        value = region["value"]
        labels = value.get("brushlabels") or value.get("polygonlabels")
        rle = _mask(value, size_wh)
        if not labels or rle is None or not rle_area(rle):
            raise AnnotationError(
                f"{file}:{number}: region without a mask, got {region.get('type')!r}; a brush or "
                "a polygon with a label is needed; draw it again, or delete it"
            )
        text = (region.get("meta") or {}).get("text") or [None]
        told = text[0] if isinstance(text, list) else text
        found.append(Shape(told or None, str(labels[0]), rle))
    return found


def _mask(value: Any, size_wh: tuple[int, int]) -> Rle | None:
    try:
        if value.get("format") == "rle":
            return mask_to_rle(decode_brush(value["rle"], size_wh))
        if "points" in value:
            points = np.array(value["points"], dtype=np.float64).reshape(-1, 2) / 100
            good = len(points) > 2 and np.isfinite(points).all() and np.abs(points).max() < 100
            return polygons_to_rle([points * size_wh], size_wh[::-1]) if good else None
    except (ValueError, TypeError):
        return None
    return None
