"""pycocotools and faster-coco-eval."""

from __future__ import annotations

import faster_coco_eval
from common import ROOT, Found, Tiles, finish, probe, splits, xyxy
from pycocotools.coco import COCO


def read(kind: type, export: str) -> Tiles:
    found: Tiles = {}
    for split in splits():
        coco = kind(str(ROOT / export / "annotations" / f"instances_{split}.json"))
        for image in coco.imgs.values():
            name = image["file_name"].rpartition(".")[0]
            found[name] = [
                Found(
                    coco.cats[entry["category_id"]]["name"],
                    xyxy(entry["bbox"]),
                    coco.annToMask(entry).astype(bool),
                )
                for entry in coco.imgToAnns[image["id"]]
            ]
    return found


for export in ("coco", "coco-polygon"):
    probe(export, "pycocotools `COCO`, `annToMask`")(lambda: read(COCO, export))
    probe(export, "faster-coco-eval `COCO`, `annToMask`")(
        lambda: read(faster_coco_eval.COCO, export)
    )
finish("pycocotools", "faster-coco-eval")
