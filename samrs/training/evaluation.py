"""Segmentation maps of whole tiles and their scores.

Tiles are predicted in overlapping windows; class probabilities are averaged where windows overlap
and, if asked, with those of the mirrored window and of the tile at other scales (SAMRS's protocol:
stride 2/3 of the window, horizontal flip). Each pixel of a scene counts once, in one of the tiles
that show it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samrs.core.errors import ParameterError
from samrs.core.progress import progress
from samrs.core.records import BACKGROUND, IGNORE
from samrs.core.tiling import Window, windows
from samrs.training.augmentation import PAD_RGB
from samrs.training.blocks import Image
from samrs.training.networks import MultiHeadNetwork
from samrs.training.tiles import SemanticTiles

WINDOWS = 16
"""Windows in one pass of the network."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a network is tested.

    Args:
        window: side of a window in px, divisible by 32; None: that of the training crop.
        stride: from one window to the next, as a share of the window.
        flip: whether predictions are averaged with those of the mirrored window.
        scales: of the tile at which it is predicted; the mean of all is the answer.
        boundary: px around a border between labels that a second score leaves out, as ISPRS does
            with 3; 0: no second score.
    """

    window: int | None
    stride: float
    flip: bool
    scales: Sequence[float]
    boundary: int

    def __post_init__(self) -> None:
        if self.window is not None and (self.window < 32 or self.window % 32):
            raise ParameterError(
                f"window: does not fit the encoder's strides, got {self.window}; null and "
                "multiples of 32 are allowed; use the next one"
            )
        if not 0 < self.stride <= 1:
            raise ParameterError(
                f"stride: not a share of the window, got {self.stride}; above 0 and up to 1 is "
                "allowed; correct it"
            )
        if not self.scales or min(self.scales) < 0.25 or max(self.scales) > 4:
            raise ParameterError(
                f"scales: not sizes to predict at, got {list(self.scales)}; at least one, each "
                "from 0.25 to 4, is allowed; correct it"
            )
        if not 0 <= self.boundary <= 100:
            raise ParameterError(
                f"boundary: not a width, got {self.boundary}; 0 to 100 px are allowed; correct it"
            )


PLAIN = Protocol(window=None, stride=1.0, flip=False, scales=(1.0,), boundary=0)
"""Each pixel predicted once; for a look while training and at what was held out."""


@torch.inference_mode()
def predict(
    network: MultiHeadNetwork,
    head: str,
    image: Image,
    protocol: Protocol,
    *,
    crop: int,
    precision: str,
    asked: NDArray[np.bool_] | None = None,
) -> Tensor:
    """Label map (H, W) int64 of an image (H, W, 3) RGB, on the network's device.

    Args:
        head: the subset whose head answers.
        protocol: windows, flips and scales; images smaller than a window are padded.
        crop: side of a window where the protocol has none.
        precision: as in training.
        asked: (H, W) pixels whose label is needed, at least one; windows of the tile's own scale
            without one are left out, and what lies in no other has any label. None: all.
    """
    size_hw, window = image.shape[:2], protocol.window or crop
    stride = max(1, round(protocol.stride * window))
    shares: Tensor | None = None
    for scale in protocol.scales:
        height, width = (max(1, round(side * scale)) for side in size_hw)
        scaled = image
        if (height, width) != size_hw:
            scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR).astype(
                np.uint8
            )
        places = windows(
            max(width, window), max(height, window), tile=window, overlap=window - stride
        )
        if asked is not None and scaled is image:
            places = [p for p in places if asked[p.y0 : p.y0 + window, p.x0 : p.x0 + window].any()]
        found = _shares(network, head, scaled, places, flip=protocol.flip, precision=precision)
        if found.shape[1:] != size_hw:
            found = F.interpolate(found[None], size_hw, mode="bilinear")[0]
        shares = found if shares is None else shares + found
    assert shares is not None
    return shares.max(dim=0).indices  # a third of argmax's time across planes


def _shares(
    network: MultiHeadNetwork,
    head: str,
    image: Image,
    places: Sequence[Window],
    *,
    flip: bool,
    precision: str,
) -> Tensor:
    """Probabilities (C, H, W) of an image where one of the square windows lies, 0 elsewhere."""
    (height, width), window = image.shape[:2], places[0].width
    below, right = max(window - height, 0), max(window - width, 0)
    padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PAD_RGB)
    pixels = torch.from_numpy(padded).permute(2, 0, 1).to(network.mean.device)
    total: Tensor | None = None
    times = pixels.new_zeros(pixels.shape[1:], dtype=torch.float32)
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
            times[place.y0 : place.y0 + window, place.x0 : place.x0 + window] += 1 + flip
    assert total is not None
    total /= times.clamp(min=1)
    return total[:, :height, :width]


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
    protocol: Protocol,
    *,
    desc: str,
    crop: int,
    precision: str,
) -> tuple[Tensor, Tensor]:
    """Pixels (C, C) by true class (row) and predicted class (column), each of a scene once.

    Args:
        head: the subset whose head answers.
        indices: which tiles.
        protocol: how they are predicted.
        desc: what the progress bar is called.
        crop: as in ``predict``.
        precision: as in training.

    Returns:
        Of all labelled pixels, and of those that are not within ``boundary`` px of another label.
    """
    count, chosen = len(tiles.categories), set(indices)
    network.eval()
    whole, inside = torch.zeros(2, count, count, dtype=torch.int64)
    for index in progress(indices, desc=desc, unit="tile"):
        image, labels = tiles.read_once(index, chosen)
        if (labels == IGNORE).all():
            continue
        found = predict(
            network, head, image, protocol, crop=crop, precision=precision, asked=labels != IGNORE
        )
        whole += counted(found, labels, count)
        if protocol.boundary:
            kept = np.where(
                away_from_borders(tiles.read(index)[1], protocol.boundary), labels, IGNORE
            )
            inside += counted(found, kept.astype(np.uint8), count)
    return whole, inside


def counted(found: Tensor, labels: Image, count: int) -> Tensor:
    """Labelled pixels (C, C) by true class (row) and predicted class (column), on the CPU.

    Args:
        found: (H, W) predicted classes.
        labels: (H, W), 255 where nothing is known.
        count: of classes.
    """
    truth = torch.from_numpy(labels).to(found.device).long()
    known = truth != IGNORE
    pairs = truth[known] * count + found[known]
    return torch.bincount(pairs, minlength=count**2).view(count, count).cpu()


def away_from_borders(labels: Image, reach: int) -> NDArray[np.bool_]:
    """Pixels (H, W) that have no other label within a disc, as in ISPRS's labels without boundary.

    Args:
        labels: (H, W).
        reach: radius of the disc in px.
    """
    y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
    disc = (x**2 + y**2 <= reach**2).astype(np.uint8)
    same: NDArray[np.bool_] = cv2.dilate(labels, disc) == cv2.erode(labels, disc)
    return same


def scores(matrix: Tensor, categories: Sequence[str]) -> dict[str, Any]:
    """Scores of a confusion matrix (C, C), truth in rows.

    Means are over the classes that the truth has, so the same ones for every network; the class
    ``background`` counts as a prediction but is in no mean (iSAID's protocol: 15 classes).

    Returns:
        ``miou``, ``mf1`` (means over classes), ``oa`` (share of labelled pixels that are right),
        ``oa_foreground`` (that of pixels whose true class is not background), ``iou`` by category;
        0 where there is nothing to score.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    hits, truth, found = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    classes = [i for i, name in enumerate(categories) if name != BACKGROUND]
    present = [i for i in classes if truth[i] > 0]
    iou = {categories[i]: hits[i] / (truth[i] + found[i] - hits[i]) for i in present}
    f1 = [2 * hits[i] / (truth[i] + found[i]) for i in present]
    return {
        "miou": round(float(np.mean(list(iou.values()))), 4) if present else 0.0,
        "oa": _share(hits.sum(), counts.sum()),
        "oa_foreground": _share(hits[classes].sum(), truth[classes].sum()),
        "mf1": round(float(np.mean(f1)), 4) if present else 0.0,
        "iou": {name: round(float(value), 4) for name, value in iou.items()},
    }


def _share(part: float, whole: float) -> float:
    return round(float(part / whole), 4) if whole else 0.0
