"""transformers (the processor of DETR and its kin) and torchgeo (the reader of NWPU VHR-10)."""

from __future__ import annotations

import numpy as np
import torch
from common import ROOT, Found, Tiles, finish, probe, splits
from PIL import Image
from pycocotools.coco import COCO
from torchgeo.datasets.vhr10 import ConvertCocoAnnotations
from transformers import DetrImageProcessor


def images(export: str):
    for split in splits():
        coco = COCO(str(ROOT / export / "annotations" / f"instances_{split}.json"))
        for image in coco.imgs.values():
            path = ROOT / export / "images" / split / image["file_name"]
            yield path, coco, image["id"], coco.imgToAnns[image["id"]]


def detr(export: str) -> Tiles:
    processor = DetrImageProcessor(do_resize=False, do_pad=False)
    found: Tiles = {}
    for path, coco, number, entries in images(export):
        picture = Image.open(path).convert("RGB")
        given = processor(
            images=picture,
            annotations={"image_id": number, "annotations": entries},
            return_segmentation_masks=True,
            return_tensors="pt",
        )["labels"][0]
        sides = np.array([*picture.size, *picture.size])
        found[path.stem] = []
        for c, box, mask in zip(given["class_labels"], given["boxes"], given["masks"], strict=True):
            x, y, w, h = box.numpy().astype(float) * sides
            corners = np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
            found[path.stem].append(Found(coco.cats[int(c)]["name"], corners, mask.numpy() > 0))
    return found


def geo(export: str) -> Tiles:
    convert = ConvertCocoAnnotations()
    found: Tiles = {}
    for path, coco, number, entries in images(export):
        found[path.stem] = []
        if not entries:  # VHR10 calls it for images with objects only
            continue
        picture = np.asarray(Image.open(path).convert("RGB"))
        sample = {
            "image": torch.from_numpy(picture.copy()).permute(2, 0, 1),
            "label": {"image_id": number, "annotations": entries},
        }
        given = convert(sample)["label"]
        rows = zip(given["labels"], given["boxes"], given.get("masks", ()), strict=True)
        found[path.stem] = [
            Found(coco.cats[int(c)]["name"], box.numpy().astype(float), mask.numpy() > 0)
            for c, box, mask in rows
        ]
    return found


for name in ("coco", "coco-polygon"):
    probe(name, "transformers `DetrImageProcessor(…, return_segmentation_masks=True)`")(
        lambda: detr(name)
    )
    probe(name, "torchgeo `ConvertCocoAnnotations` (of `VHR10`)")(lambda: geo(name))
finish("transformers", "torchgeo")
