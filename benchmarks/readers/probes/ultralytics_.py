"""Ultralytics: its data set on YOLO exports, and its converter on COCO exports."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import yaml
from common import ROOT, Found, Tiles, finish, hull, probe, splits, truth
from ultralytics.data.converter import convert_coco
from ultralytics.data.dataset import YOLODataset
from ultralytics.data.utils import polygon2mask


def read(folder: Path, names: dict[int, str], task: str) -> Tiles:
    found: Tiles = {}
    tiles = truth()
    for split in splits():
        dataset = YOLODataset(
            img_path=str(folder / "images" / split),
            data={"names": names, "channels": 3, "nc": len(names)},
            task=task,
            imgsz=1024,
            augment=False,
        )
        for label in dataset.labels:
            name = Path(label["im_file"]).stem
            size_wh = np.array([tiles[name]["width"], tiles[name]["height"]])
            found[name] = [
                Found(names[int(c)], *shown(box, segment, size_wh, task))
                for c, box, segment in zip(
                    label["cls"].ravel(), label["bboxes"], label["segments"], strict=True
                )
            ]
    return found


def shown(box, segment, size_wh, task):
    points = segment * size_wh
    if task == "obb":
        return (hull(points),)
    x, y, w, h = box.astype(float) * np.tile(size_wh, 2)
    mask = polygon2mask(tuple(size_wh[::-1]), [points.reshape(-1)], color=1)
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]), mask > 0


def own(export: str, task: str) -> Tiles:
    data = yaml.safe_load((ROOT / export / "data.yaml").read_text())
    return read(ROOT / export, data["names"], task)


def converted(export: str) -> Tiles:
    folder = ROOT / f"{export}-converted"
    shutil.rmtree(folder, ignore_errors=True)
    convert_coco(
        str(ROOT / export / "annotations"), str(folder), use_segments=True, cls91to80=False
    )
    for split in splits():
        shutil.copytree(ROOT / export / "images" / split, folder / "images" / split)
    names = dict(
        enumerate(yaml.safe_load((ROOT / "yolo_seg" / "data.yaml").read_text())["names"].values())
    )
    return read(folder, names, "segment")


probe("yolo_seg", 'Ultralytics `YOLODataset(task="segment")`, masks at tile size')(
    lambda: own("yolo_seg", "segment")
)
probe("yolo_obb", 'Ultralytics `YOLODataset(task="obb")`', "yolo_obb")(
    lambda: own("yolo_obb", "obb")
)
for name in ("coco", "coco-polygon"):
    probe(name, "Ultralytics `convert_coco(use_segments=True)`, then `YOLODataset`")(
        lambda: converted(name)
    )
finish("ultralytics")
