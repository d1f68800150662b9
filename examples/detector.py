"""Mask R-CNN, or Faster R-CNN, of torchvision on the pre-trained encoder and a COCO export.

    samrs export coco data/release/sota exported
    python -m examples.detector data/pretrain exported --steps 1000
    python -m examples.detector data/pretrain exported --boxes-only

The encoder is a ResNet, which torchvision gives a feature pyramid; its weights are those of
``encoder.safetensors``, all but the classifier's, which pre-training does not have. Any trainer of
detectors that reads COCO and takes a torchvision model can go on from here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pycocotools.coco import COCO
from safetensors.torch import load_file
from torch import Tensor
from torchvision.io import ImageReadMode, read_image
from torchvision.models import get_model
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.backbone_utils import _resnet_fpn_extractor
from torchvision.ops.misc import FrozenBatchNorm2d


def detector(pretrained: Path, classes: int, *, boxes_only: bool, side: int) -> Any:
    """A detector whose encoder is the pre-trained one.

    Args:
        pretrained: product ``pretrain`` with a ResNet.
        classes: with the background.
        boxes_only: Faster R-CNN instead of Mask R-CNN.
        side: of the images in px, which are not resized where they have it.
    """
    name = json.loads((pretrained / "manifest.json").read_text())["encoder"]
    resnet = get_model(name, weights=None, norm_layer=FrozenBatchNorm2d)
    weights = load_file(pretrained / "encoder.safetensors")
    # frozen norms count no batches
    weights = {n: t for n, t in weights.items() if not n.endswith("num_batches_tracked")}
    found = resnet.load_state_dict(weights, strict=False)
    assert sorted(found.missing_keys) == ["fc.bias", "fc.weight"], found.missing_keys
    assert not found.unexpected_keys, found.unexpected_keys
    backbone = _resnet_fpn_extractor(resnet, trainable_layers=5)
    kind = FasterRCNN if boxes_only else MaskRCNN
    return kind(backbone, num_classes=classes, min_size=side, max_size=side)


def samples(exported: Path, split: str) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Images (3, H, W) in 0 to 1 with boxes x1 y1 x2 y2, labels and masks; those without instances
    are left out, as are boxes without extent.

    Args:
        exported: folder of the COCO export.
        split: of the release.
    """
    coco = COCO(str(exported / "annotations" / f"instances_{split}.json"))
    for number, image in sorted(coco.imgs.items()):
        rows = [a for a in coco.imgToAnns[number] if min(a["bbox"][2:]) > 0]
        if not rows:
            continue
        path = exported / "images" / split / image["file_name"]
        boxes = torch.tensor([row["bbox"] for row in rows], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        masks = np.stack([coco.annToMask(row) for row in rows])
        target = {
            "boxes": boxes,
            "labels": torch.tensor([row["category_id"] for row in rows]),
            "masks": torch.from_numpy(masks),
        }
        yield read_image(str(path), ImageReadMode.RGB) / 255, target


def train(model: Any, exported: Path, split: str, *, steps: int, lr: float) -> list[float]:
    """Losses of so many steps of one image each, in the export's order again and again.

    Args:
        model: from ``detector``.
        exported: see ``samples``.
        split: see ``samples``.
        steps: of the training.
        lr: of plain descent with momentum.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    model.train()
    losses: list[float] = []
    while len(losses) < steps:
        seen = len(losses)
        for image, target in samples(exported, split):
            loss = torch.stack(list(model([image], [target]).values())).sum()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            if len(losses) == steps:
                break
        if len(losses) == seen:
            raise SystemExit(f"{exported}: no instance in the split {split}; take another one")
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.detector")
    parser.add_argument("pretrained", type=Path)
    parser.add_argument("exported", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--lr", type=float, default=0.002)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--boxes-only", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(0)
    listed = json.loads(
        (given.exported / "annotations" / f"instances_{given.split}.json").read_text()
    )
    classes = max(category["id"] for category in listed["categories"]) + 1
    model = detector(given.pretrained, classes, boxes_only=given.boxes_only, side=given.side)
    losses = train(model, given.exported, given.split, steps=given.steps, lr=given.lr)
    torch.save(model.state_dict(), "detector.pt")
    print(f"loss {losses[0]:.3f} at first, {losses[-1]:.3f} at last; weights in detector.pt")


if __name__ == "__main__":
    main()
