"""FiftyOne's importers, by themselves: its data sets want a MongoDB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from common import ROOT, Found, Tiles, finish, painted, probe, splits, truth, xyxy
from fiftyone.utils.coco import COCODetectionDatasetImporter
from fiftyone.utils.voc import VOCDetectionDatasetImporter
from fiftyone.utils.yolo import YOLOv5DatasetImporter


def read(importers) -> Tiles:
    found: Tiles = {}
    tiles = truth()
    for importer in importers:
        with importer:
            for path, _, label in importer:
                tile = tiles[Path(path).stem]
                if isinstance(label, dict):
                    label = label.get("segmentations") or label.get("detections")
                kept = getattr(label, "detections", None) or getattr(label, "polylines", None)
                objects = kept or []
                found[Path(path).stem] = [shown(o, tile) for o in objects]
    return found


def shown(thing, tile) -> Found:
    sides = np.array([tile["width"], tile["height"]])
    if hasattr(thing, "points"):
        polygons = [np.array(points) * sides for points in thing.points]
        corners = np.concatenate(polygons)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        return Found(thing.label, box, painted(polygons, (tile["height"], tile["width"])))
    box = xyxy(np.array(thing.bounding_box) * np.tile(sides, 2))
    if thing.mask is None:
        return Found(thing.label, box)
    mask = np.zeros((tile["height"], tile["width"]), dtype=bool)
    x, y = box[:2].round().astype(int)
    crop = np.asarray(thing.mask) > 0
    mask[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    return Found(thing.label, box, mask)


def coco(export: str) -> Tiles:
    return read(
        COCODetectionDatasetImporter(
            data_path=str(ROOT / export / "images" / split),
            labels_path=str(ROOT / export / "annotations" / f"instances_{split}.json"),
            label_types=["segmentations"],
        )
        for split in splits()
    )


for name in ("coco", "coco-polygon"):
    probe(name, "FiftyOne `COCODetectionDatasetImporter`")(lambda: coco(name))
for name, key, what in (("yolo_seg", "box", "polylines"), ("yolo_obb", "yolo_obb", "polylines")):
    probe(name, f'FiftyOne `YOLOv5DatasetImporter(label_type="{what}")`', key)(
        lambda: read(
            YOLOv5DatasetImporter(
                dataset_dir=str(ROOT / name), yaml_path="data.yaml", split=split, label_type=what
            )
            for split in splits()
        )
    )
probe("voc", "FiftyOne `VOCDetectionDatasetImporter`")(
    lambda: read(
        [
            VOCDetectionDatasetImporter(
                data_path=str(ROOT / "voc" / "JPEGImages"),
                labels_path=str(ROOT / "voc" / "Annotations"),
            )
        ]
    )
)
finish("fiftyone")
