"""torchvision."""

from __future__ import annotations

import numpy as np
from common import ROOT, Found, Tiles, finish, probe, same_maps, splits
from torchvision import datasets
from torchvision.io import ImageReadMode, decode_image, read_file


def coco(export: str) -> Tiles:
    found: Tiles = {}
    for split in splits():
        plain = datasets.CocoDetection(
            str(ROOT / export / "images" / split),
            str(ROOT / export / "annotations" / f"instances_{split}.json"),
        )
        wrapped = datasets.wrap_dataset_for_transforms_v2(plain, target_keys="all")
        for i, number in enumerate(plain.ids):
            _, target = wrapped[i]
            name = plain.coco.imgs[number]["file_name"].rpartition(".")[0]
            found[name] = [
                Found(plain.coco.cats[int(c)]["name"], box.numpy().astype(float), mask.numpy() > 0)
                for c, box, mask in zip(
                    target.get("labels", ()),
                    target.get("boxes", ()),
                    target.get("masks", ()),
                    strict=True,
                )
            ]
    return found


for name in ("coco", "coco-polygon"):
    probe(name, "torchvision `CocoDetection`, `wrap_dataset_for_transforms_v2`")(lambda: coco(name))
for kind in ("semantic", "instances"):
    same_maps(
        "png",
        f"torchvision `decode_image(…, UNCHANGED)`, {kind}",
        kind,
        lambda p: np.asarray(decode_image(read_file(str(p)), ImageReadMode.UNCHANGED))[0],
    )
finish("torchvision", "torch")
