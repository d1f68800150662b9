"""supervision: its DetectionDataset."""

from __future__ import annotations

from pathlib import Path

import supervision as sv
from common import ROOT, Found, Tiles, finish, hull, probe, splits


def read(datasets, *, corners: bool = False) -> Tiles:
    found: Tiles = {}
    for dataset in datasets:
        for path, _, detections in dataset:
            masks = detections.mask if detections.mask is not None else [None] * len(detections)
            boxes = detections.data["xyxyxyxy"] if corners and len(detections) else detections.xyxy
            found[Path(path).stem] = [
                Found(dataset.classes[i], hull(box), mask)
                for i, box, mask in zip(detections.class_id, boxes, masks, strict=True)
            ]
    return found


def coco(export: str) -> Tiles:
    folder = ROOT / export
    return read(
        sv.DetectionDataset.from_coco(
            str(folder / "images" / split),
            str(folder / "annotations" / f"instances_{split}.json"),
            force_masks=True,
        )
        for split in splits()
    )


def yolo(export: str, **options) -> Tiles:
    folder = ROOT / export
    return read(
        (
            sv.DetectionDataset.from_yolo(
                str(folder / "images" / split),
                str(folder / "labels" / split),
                str(folder / "data.yaml"),
                **options,
            )
            for split in splits()
        ),
        corners=options.get("is_obb", False),
    )


for name in ("coco", "coco-polygon"):
    probe(name, "supervision `from_coco(force_masks=True)`")(lambda: coco(name))
probe("yolo_seg", "supervision `from_yolo(force_masks=True)`")(
    lambda: yolo("yolo_seg", force_masks=True)
)
probe("yolo_obb", "supervision `from_yolo(is_obb=True)`", "yolo_obb")(
    lambda: yolo("yolo_obb", is_obb=True)
)
probe("voc", "supervision `from_pascal_voc`")(
    lambda: read(
        [
            sv.DetectionDataset.from_pascal_voc(
                str(ROOT / "voc" / "JPEGImages"), str(ROOT / "voc" / "Annotations")
            )
        ]
    )
)
finish("supervision", "opencv-python-headless")
