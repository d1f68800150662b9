"""sahi: its COCO classes, which slicing works on."""

from __future__ import annotations

from common import ROOT, Found, Tiles, finish, painted, probe, splits, truth, xyxy
from sahi.utils.coco import Coco


def read(export: str) -> Tiles:
    found: Tiles = {}
    tiles = truth()
    for split in splits():
        coco = Coco.from_coco_dict_or_path(
            str(ROOT / export / "annotations" / f"instances_{split}.json"),
            image_dir=str(ROOT / export / "images" / split),
        )
        for image in coco.images:
            name = image.file_name.rpartition("/")[2].rpartition(".")[0]
            size_hw = tiles[name]["height"], tiles[name]["width"]
            found[name] = [
                Found(a.category_name, xyxy(a.bbox), painted(a.segmentation, size_hw))
                for a in image.annotations
            ]
    return found


for name in ("coco", "coco-polygon"):
    probe(name, "sahi `Coco.from_coco_dict_or_path`")(lambda: read(name))
finish("sahi")
