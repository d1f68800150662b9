"""Linear probes: how well a linear map of a frozen network's features tells classes apart.

A probe is a ridge regression of one-hot labels on standardised features of labelled pixels, solved
exactly: it has no step, rate or order of its own, so that probes differ in features and labelled
pixels alone. Features lie on a grid of one cell for 4 x 4 px; a cell's answer holds for its pixels.
What it needs of a tile are sums, which are added up over tiles, in float64: libraries that round
otherwise on other CPUs then differ in digits that decide no pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from samrs.core.errors import ProductError
from samrs.core.records import IGNORE
from samrs.training.augmentation import PAD_RGB
from samrs.training.blocks import Image
from samrs.training.networks import MEAN_RGB, STD_RGB, MultiHeadNetwork

CELL = 4
"""Side of a grid cell in px."""
STRIDE = 32
"""Networks take sides that are multiples of it."""
CELLS = 512
"""Labelled cells of a tile that a probe learns from, at most."""
RIDGE = 1.0
"""Weight of the penalty on standardised features, against a mean loss over cells."""
LEAST_SPREAD = 1e-6

Features = dict[str, Tensor]
"""(C, h, w) on the grid of cells, by name."""
Probe = tuple[Tensor, Tensor]
"""Weights (C, classes) and offsets (classes,)."""


def frozen(network: MultiHeadNetwork) -> MultiHeadNetwork:
    """The network for evaluation, its weights laid out as a CPU takes 0.7 of the time for."""
    return network.eval().to(memory_format=torch.channels_last)


def network_features(network: MultiHeadNetwork, image: Image) -> Features:
    """``encoder``: all its levels side by side, ``decoder``: what the heads see.

    Args:
        network: from ``frozen``; it stays as it is.
        image: (H, W, 3) RGB.
    """
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(
        image, 0, -height % STRIDE, 0, -width % STRIDE, cv2.BORDER_CONSTANT, value=PAD_RGB
    )
    grid = padded.shape[0] // CELL, padded.shape[1] // CELL
    with torch.inference_mode():
        given = torch.from_numpy(padded).to(network.mean.device).permute(2, 0, 1)[None]
        normal = (given - network.mean) / network.std
        levels = network.encoder(normal.contiguous(memory_format=torch.channels_last))
        decoded = network.decoder(levels)
        pixels = decoded if isinstance(decoded, Tensor) else decoded.pixels
        encoded = [_on_grid(level, grid) for level in levels[1:]]  # the first is the image itself
        rows, columns = -(-height // CELL), -(-width // CELL)
        return {
            "encoder": torch.cat(encoded)[:, :rows, :columns],
            "decoder": _on_grid(pixels, grid)[:, :rows, :columns],
        }


def colour_features(image: Image) -> Features:
    """``rgb``: the mean colour of each cell, what no network has touched.

    Args:
        image: (H, W, 3) RGB.
    """
    rows, columns = -(-image.shape[0] // CELL), -(-image.shape[1] // CELL)
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)
    pixels = (small.astype(np.float32) - MEAN_RGB) / np.asarray(STD_RGB, np.float32)
    return {"rgb": torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)}


def _on_grid(level: Tensor, grid: tuple[int, int]) -> Tensor:
    larger = level.shape[-1] > grid[1]
    return F.interpolate(level.float(), grid, mode="area" if larger else "bilinear")[0]


@dataclass(frozen=True)
class Sample:
    """Labelled cells of a tile: features (N, C) by name and labels (N,)."""

    features: Features
    labels: Tensor


def sample(features: Features, labels: Image, rng: np.random.Generator) -> Sample:
    """Draw at most ``CELLS`` labelled cells; a cell's label is that of its middle pixel.

    Args:
        features: of the tile.
        labels: (H, W), 255 where nothing is known.
    """
    middle = _whole_cells(labels)[CELL // 2 :: CELL, CELL // 2 :: CELL].ravel()
    chosen = np.sort(rng.permutation(np.flatnonzero(middle != IGNORE))[:CELLS])
    at = torch.from_numpy(chosen)
    return Sample(
        {name: found.flatten(1)[:, at].T.contiguous() for name, found in features.items()},
        torch.from_numpy(middle[chosen].astype(np.int64)),
    )


@dataclass
class Sums:
    """What a probe needs of labelled cells, float64, to be added up over tiles.

    Args:
        cells: (classes,) their number by label.
        by_class: (C, classes) sums of features by label.
        products: (C, C) sums of products of features.
    """

    cells: Tensor
    by_class: Tensor
    products: Tensor

    def __iadd__(self, other: Sums) -> Sums:
        """Add those of other cells."""
        self.cells += other.cells
        self.by_class += other.by_class
        self.products += other.products
        return self


def sums(features: Tensor, labels: Tensor, classes: int) -> Sums:
    """Sums over labelled cells.

    Args:
        features: (N, C).
        labels: (N,) from 0 to ``classes`` - 1.
        classes: their number.
    """
    exact, wanted = features.double(), F.one_hot(labels, classes).double()
    return Sums(wanted.sum(0), exact.T @ wanted, exact.T @ exact)


def fit(found: Sums) -> Probe:
    """Weights (C, classes) and offsets (classes,) float64 of a probe.

    Args:
        found: of all cells to learn from.

    Raises:
        ProductError: there is no labelled cell.
    """
    count = found.cells.sum()
    if not count:
        raise ProductError(
            "probe: nothing to learn from, got tiles without a labelled pixel; one with labels is "
            "needed; raise finetune.shares or check the benchmark"
        )
    mean, share = found.by_class.sum(1) / count, found.cells / count
    covariance = found.products / count - torch.outer(mean, mean)
    spread = covariance.diagonal().clamp(min=0).sqrt().clamp(min=LEAST_SPREAD)
    standard = covariance / torch.outer(spread, spread)
    standard.diagonal().add_(RIDGE)
    wanted = (found.by_class / count - torch.outer(mean, share)) / spread[:, None]
    weights = torch.linalg.solve(standard, wanted) / spread[:, None]
    return weights, share - mean @ weights


def cell_counts(labels: Image, classes: int) -> Tensor:
    """Pixels (classes, cells) float32 of each class in each cell; unlabelled ones in none.

    Args:
        labels: (H, W), 255 where nothing is known.
        classes: their number.
    """
    whole = _whole_cells(labels)
    rows, columns = whole.shape[0] // CELL, whole.shape[1] // CELL
    cells = whole.reshape(rows, CELL, columns, CELL).transpose(0, 2, 1, 3).reshape(-1, CELL**2)
    counts = np.stack([(cells == label).sum(axis=1) for label in range(classes)])
    return torch.from_numpy(counts.astype(np.float32))


def confusions(features: Tensor, counts: Tensor, probes: Sequence[Probe]) -> Tensor:
    """Pixels (probes, classes, classes) by true class (row) and answered class (column).

    Args:
        features: (C, h, w) of a tile.
        counts: of the tile, from ``cell_counts``.
        probes: from ``fit``.
    """
    classes = len(counts)
    weights = torch.cat([weight for weight, _ in probes], dim=1)
    offsets = torch.cat([offset for _, offset in probes])
    scores = features.flatten(1).T.double() @ weights + offsets
    answers = scores.view(len(scores), len(probes), classes).argmax(dim=2)
    hits = [counts @ F.one_hot(answers[:, i], classes).float() for i in range(len(probes))]
    return torch.stack(hits).round().to(torch.int64)


def _whole_cells(labels: Image) -> NDArray[np.uint8]:
    height, width = labels.shape
    return np.pad(labels, ((0, -height % CELL), (0, -width % CELL)), constant_values=IGNORE)
