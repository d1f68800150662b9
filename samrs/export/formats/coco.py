"""COCO's instance format: one JSON a split and the images (cocodataset.org/#format-data).

Layout::

    annotations/instances_train.json
    images/train/P0000__0_0.png          "file_name": "P0000__0_0.png"

An annotation::

    {"id": 1, "image_id": 1, "category_id": 5, "segmentation": {"size": [1000, 1024],
     "counts": "aXT1..."}, "area": 7622, "bbox": [37.0, 73.0, 842.0, 119.0], "iscrowd": 0,
     "object_id": "P0000#2", "difficult": false, "made_by": "machine", "accepted": false,
     "predicted_iou": 0.54, ...}

Masks are run lengths, so they are exact, holes and parts included; ``iscrowd`` is 0 all the same:
each is one object, and COCO's evaluation would leave out crowds. ``--masks polygon`` is for readers
that know polygons only: outlines along the edges of pixels, which pycocotools paints as the same
mask. A polygon has no holes, so a part with holes is cut upright into pieces without; each piece is
a simple polygon. ``bbox`` is the mask's, xywh, and with ``--boxes annotated`` the annotated one,
cut to the tile; both stand beside it as ``mask_bbox`` and ``annotated_bbox``, and the corners x1 y1
... x4 y4 of the rotated box as ``annotated_obb``, null without one. ``area`` is the mask's px.

Ids begin at 1 and are unique over all splits, since COCO's evaluation takes 0 for "no match";
``category_id`` is the label + 1. ``object_id`` is the release's ``instance_id`` (FiftyOne keeps
that word for itself): an object seen in two tiles has one.

COCO's evaluation looks at 100 detections of a picture. Where a tile has more
(``most_instances_in_a_tile`` in ``export.json``), a perfect result has an AP below 1:
docs/exports.md says what to set.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import IO, Any

from samrs.core.errors import check_known
from samrs.core.records import MADE
from samrs.core.rle import Rle
from samrs.core.shards import json_text
from samrs.export.boxes import BOXES, COLUMNS, upright, xywh
from samrs.export.files import open_text
from samrs.export.outlines import simple_rings
from samrs.export.subset import ExportedTile, Row, Subset

LEVELS = "tile", "scene"

MASKS = ("rle", "polygon")
"""How masks are written."""

_COLUMNS = ("instance_id", *COLUMNS, "difficult", *MADE)
_PLACE = ("tile_id", "scene_id", "x0", "y0", "gsd")
_encode = partial(json_text, spaces=False, ascii=True)
"""In ASCII: pycocotools opens the file in whatever encoding the machine has."""


class _File:
    """One JSON file, written as it comes: annotations first, the images after them."""

    def __init__(self, file: IO[str], head: Mapping[str, Any]) -> None:
        self._file, self._images, self.num_annotations = file, list[str](), 0
        file.write(_encode(head)[:-1] + ',"annotations":[')

    def add(self, image: Row, annotations: list[str]) -> None:
        self._images.append(_encode(image))
        if annotations:
            self._file.write(",\n" if self.num_annotations else "\n")
            self._file.write(",\n".join(annotations))
            self.num_annotations += len(annotations)

    def end(self) -> None:
        self._file.write('\n],"images":[\n' + ",\n".join(self._images) + "\n]}\n")


def write(subset: Subset, out: Path, *, masks: str = "rle", boxes: str = "mask") -> dict[str, Any]:
    """Write the export; returns images and annotations by split.

    Args:
        masks: one of MASKS.
        boxes: whose ``bbox`` is, one of BOXES.

    Raises:
        ParameterError: ``masks`` is another.
    """
    check_known("coco", "kind of masks", masks, MASKS)
    head = _head(subset)
    image_id = annotation_id = 0
    folder = out / "annotations"
    folder.mkdir()
    with ExitStack() as stack:
        files: dict[str, _File] = {}
        for split in subset.folders:
            path = folder / f"instances_{split}.json"
            files[split] = _File(stack.enter_context(open_text(path)), head)
        counts = dict.fromkeys(subset.folders, 0)
        for tile in subset.tiles([*_COLUMNS, *subset.scores]):
            image_id += 1
            counts[tile.split] += 1
            tile.write_image(out / "images" / tile.split)
            lines = []
            for row in tile.rows:
                annotation_id += 1
                segmentation = row["rle"] if masks == "rle" else polygons(row["rle"])
                names = subset.scores, boxes, tile.size_wh
                lines.append(_annotation(row, annotation_id, image_id, segmentation, *names))
            files[tile.split].add(_image(tile, image_id), lines)
        for file in files.values():
            file.end()
        annotations = {split: file.num_annotations for split, file in files.items()}
    return {"images": counts, "annotations": annotations}


def _head(subset: Subset) -> dict[str, Any]:
    terms = subset.manifest["terms"]
    maker = " ".join(str(subset.manifest.get(key, "")) for key in ("segmenter", "model")).strip()
    return {
        "info": {"description": f"{subset.name}: masks made out of boxes by {maker}"},
        "licenses": [{"id": 1, "name": terms, "url": ""}],
        "categories": [
            {"id": label + 1, "name": name, "supercategory": subset.name, "label": label}
            for label, name in enumerate(subset.categories)
        ],
    }


def _image(tile: ExportedTile, image_id: int) -> Row:
    about = tile.about
    return {
        "id": image_id,
        "file_name": tile.file,
        "width": about["width"],
        "height": about["height"],
        "license": 1,
        **{key: about[key] for key in _PLACE if key in about},
        **({} if tile.place is None else tile.place._asdict()),
    }


def polygons(rle: Rle) -> list[list[int]]:
    """Outlines x1 y1 x2 y2 ... in px of pieces that make up a mask; they lie on pixels' edges."""
    return [[int(v) for corner in ring for v in corner] for ring in simple_rings(rle)]


def _annotation(
    row: Row,
    annotation_id: int,
    image_id: int,
    segmentation: Any,
    scores: tuple[str, ...],
    main: str,
    size_wh: tuple[int, int],
) -> str:
    found = {f"{boxes}_bbox": xywh(upright(row, boxes, size_wh)) for boxes in BOXES}
    entry = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": row["label"] + 1,
        "segmentation": segmentation,
        "area": row["area"],
        "bbox": found[f"{main}_bbox"],
        "iscrowd": 0,
        "object_id": row["instance_id"],
        "difficult": row["difficult"],
        **{name: row[name] for name in MADE},
        **found,
        "annotated_obb": row["obb"],
    }
    for name in scores:
        value = row[name]
        entry[name] = value if value == value else None  # JSON knows no NaN
    return _encode(entry)
