"""Segmentation maps of whole tiles and their scores.

Tiles are predicted in overlapping windows of the training crop's size; class probabilities are
averaged where windows overlap and, if asked, with those of the mirrored window (SAMRS's protocol:
stride 2/3 of the window, horizontal flip).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_confusion_matrix

from samrs.core.progress import progress
from samrs.core.records import IGNORE
from samrs.core.tiling import windows
from samrs.training.networks import MultiHeadNetwork
from samrs.training.tiles import BACKGROUND, PAD_RGB, Image, SemanticTiles

WINDOWS = 16
"""Windows in one pass of the network."""


@torch.inference_mode()
def predict(
    network: MultiHeadNetwork,
    head: str,
    image: Image,
    *,
    window: int,
    stride: int,
    flip: bool,
    precision: str,
) -> Tensor:
    """Label map (H, W) int64 of an image (H, W, 3) RGB, on the network's device.

    Args:
        head: the subset whose head answers.
        window: side in px; smaller images are padded.
        stride: px from one window to the next, at most ``window``.
        flip: average with the prediction of the mirrored window.
        precision: as in training.
    """
    height, width = image.shape[:2]
    below, right = max(window - height, 0), max(window - width, 0)
    padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PAD_RGB)
    pixels = torch.from_numpy(padded).permute(2, 0, 1).to(network.mean.device)
    places = windows(width + right, height + below, tile=window, overlap=window - stride)
    total: Tensor | None = None
    for begin in range(0, len(places), WINDOWS):
        group = places[begin : begin + WINDOWS]
        views = torch.stack([pixels[:, p.y0 : p.y0 + window, p.x0 : p.x0 + window] for p in group])
        shares = _probabilities(network, head, views, precision)
        if flip:
            shares += _probabilities(network, head, views.flip(-1), precision).flip(-1)
        if total is None:
            total = shares.new_zeros(shares.shape[1], *pixels.shape[1:])
        for place, share in zip(group, shares, strict=True):
            total[:, place.y0 : place.y0 + window, place.x0 : place.x0 + window] += share
    assert total is not None
    # All classes of a pixel are summed over the same windows: the largest sum is the largest mean.
    return total[:, :height, :width].argmax(dim=0)


def _probabilities(network: MultiHeadNetwork, head: str, views: Tensor, precision: str) -> Tensor:
    mixed = precision == "bf16-mixed"
    with torch.autocast(views.device.type, dtype=torch.bfloat16, enabled=mixed):
        logits = network(views, {head: len(views)})[head]
    return torch.softmax(logits.float(), dim=1)


def confusion(
    network: MultiHeadNetwork,
    head: str,
    tiles: SemanticTiles,
    indices: Sequence[int],
    *,
    desc: str,
    window: int,
    stride: int,
    flip: bool,
    precision: str,
) -> Tensor:
    """Pixels (C, C) by true class (row) and predicted class (column); unlabelled ones left out.

    Args:
        head: the subset whose head answers.
        indices: which tiles.
        desc: what the progress bar is called.
        window: as in ``predict``.
        stride: as in ``predict``.
        flip: as in ``predict``.
        precision: as in training.
    """
    count = len(tiles.categories)
    network.eval()
    total = torch.zeros(count, count, dtype=torch.int64)
    for index in progress(indices, desc=desc, unit="tile"):
        image, labels = tiles.read(index)
        if (labels == IGNORE).all():
            continue
        found = predict(
            network, head, image, window=window, stride=stride, flip=flip, precision=precision
        )
        truth = torch.from_numpy(labels).to(found.device).long()
        total += multiclass_confusion_matrix(
            found, truth, num_classes=count, ignore_index=IGNORE, validate_args=False
        ).cpu()
    return total


def scores(matrix: Tensor, categories: Sequence[str]) -> dict[str, Any]:
    """Scores of a confusion matrix (C, C), truth in rows.

    A class that is neither in the truth nor in the prediction has no score and is in no mean; the
    class ``background`` counts as a prediction but is in no mean either (iSAID's protocol).

    Returns:
        ``miou``, ``mf1`` (means over classes), ``oa`` (share of labelled pixels that are right,
        background included), ``iou`` by category; 0 where there is nothing to score.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    hits, truth, found = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    present = [
        i for i, name in enumerate(categories) if name != BACKGROUND and truth[i] + found[i] > 0
    ]
    iou = {categories[i]: hits[i] / (truth[i] + found[i] - hits[i]) for i in present}
    f1 = [2 * hits[i] / (truth[i] + found[i]) for i in present]
    return {
        "miou": round(float(np.mean(list(iou.values()))), 4) if present else 0.0,
        "oa": round(float(hits.sum() / counts.sum()), 4) if counts.sum() else 0.0,
        "mf1": round(float(np.mean(f1)), 4) if present else 0.0,
        "iou": {name: round(float(value), 4) for name, value in iou.items()},
    }
