"""Linear probes: how well a linear map of a frozen network's features tells classes apart.

A probe is a ridge regression of one-hot labels on standardised features of labelled pixels, solved
exactly: it has no step, rate or order of its own, so that probes differ in features and labelled
pixels alone. Features lie on a grid of one cell for 4 x 4 px; a cell's answer holds for its pixels.
What it needs of a tile are sums, which are added up over tiles, in float64: libraries that round
otherwise on other CPUs then differ in digits that decide no pixel. A tested tile is answered level
by level, and the answers are brought to the grid: both maps are linear, so the order is free, and a
level of 32 px has a 64th of the grid's places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
from samrs.training.blocks import Image, PackedTile, Window
from samrs.training.networks import MEAN_RGB, STD_RGB, MultiHeadNetwork

CELL = 4
"""Side of a grid cell in px."""
STRIDE = 32
"""Networks take sides that are multiples of it."""
WINDOWS, WINDOW = 4, 128
"""What a probe learns from in a labelled tile: so many windows, of so many px a side. A network
sees nothing else of the tile, which takes a quarter of the time where a tile has 512 px."""
CELLS = 128
"""Labelled cells of a window that a probe learns from, at most."""
RIDGE = 1.0
"""Weight of the penalty on standardised features, against a mean loss over cells."""
LEAST_SPREAD = 1e-6

Probe = tuple[Tensor, Tensor]
"""Weights (C, classes) and offsets (classes,)."""


@dataclass(frozen=True)
class Features:
    """What there is to learn from in images of one size, on a grid of cells.

    Attributes:
        levels: (N, C, h, w) each, none finer than the grid, by name; a cell has those of all.
        grid: rows and columns that all levels span.
        size: rows and columns that show the images; the others are padding.
    """

    levels: Mapping[str, Sequence[Tensor]]
    grid: tuple[int, int]
    size: tuple[int, int]

    def cells(self, name: str) -> Tensor:
        """Features (N, cells, C) of all cells that show the images, row after row.

        Args:
            name: of the features.
        """
        return torch.cat([self._spread(level) for level in self.levels[name]], dim=2)

    def scores(self, name: str, probes: Sequence[Probe]) -> Tensor:
        """Answers (N, cells, probes, classes) float64 of all cells that show the images.

        Args:
            name: of the features.
            probes: from ``fit``.
        """
        weights = torch.cat([weight for weight, _ in probes], dim=1)
        found = torch.cat([offset for _, offset in probes])
        levels = self.levels[name]
        parts = torch.split(weights, [level.shape[1] for level in levels])
        for level, part in zip(levels, parts, strict=True):
            answered = level.permute(0, 2, 3, 1).double() @ part
            found = found + self._spread(answered.permute(0, 3, 1, 2))
        return found.view(*found.shape[:2], len(probes), -1)

    def _spread(self, level: Tensor) -> Tensor:
        """A level (N, C, h, w) as (N, cells, C)."""
        rows, columns = self.size
        if level.shape[2:] != self.grid:
            level = F.interpolate(level, self.grid, mode="bilinear")
        return level[:, :, :rows, :columns].permute(0, 2, 3, 1).flatten(1, 2)


def frozen(network: MultiHeadNetwork) -> MultiHeadNetwork:
    """The network for evaluation in float32."""
    network.lay_out(network.mean.device, "32-true")
    return network.eval()


def network_features(network: MultiHeadNetwork, images: Image) -> Features:
    """``encoder``: all its levels side by side, ``decoder``: what the heads see.

    Args:
        network: from ``frozen``; it stays as it is.
        images: (N, H, W, 3) RGB.
    """
    height, width = images.shape[1:3]
    given = torch.from_numpy(_padded(images, STRIDE)).to(network.mean.device).permute(0, 3, 1, 2)
    grid = given.shape[2] // CELL, given.shape[3] // CELL
    with torch.inference_mode():
        normal = (given - network.mean) / network.std
        levels = network.encoder(normal.contiguous(memory_format=network.layout))
        decoded = network.decoder(levels)
        pixels = decoded if isinstance(decoded, Tensor) else decoded.pixels
        found = {"encoder": levels[1:], "decoder": [pixels]}  # the first is the image itself
        levels = {name: [_level(one, grid) for one in each] for name, each in found.items()}
    return Features(levels, grid, (-(-height // CELL), -(-width // CELL)))


def _padded(images: Image, side: int) -> Image:
    """Images (N, H, W, 3) whose sides are multiples of ``side``."""
    below, right = -images.shape[1] % side, -images.shape[2] % side
    if not (below or right):
        return images
    border = [
        cv2.copyMakeBorder(each, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PAD_RGB)
        for each in images
    ]
    return np.stack(border).astype(np.uint8)


def colour_features(images: Image) -> Features:
    """``rgb``: the mean colour of each cell, what no network has touched.

    Args:
        images: (N, H, W, 3) RGB.
    """
    rows, columns = size = -(-images.shape[1] // CELL), -(-images.shape[2] // CELL)
    small = [cv2.resize(each, (columns, rows), interpolation=cv2.INTER_AREA) for each in images]
    pixels = (np.stack(small).astype(np.float32) - MEAN_RGB) / np.asarray(STD_RGB, np.float32)
    level = torch.from_numpy(pixels.astype(np.float32)).permute(0, 3, 1, 2)
    return Features({"rgb": [level]}, size, size)


def _level(found: Tensor, grid: tuple[int, int]) -> Tensor:
    """A network's level (N, C, h, w) on the CPU, no finer than the grid.

    Channels lie side by side, as in the network: other layouts are copied at each step.
    """
    level = found.float()
    if level.shape[3] > grid[1]:
        level = F.interpolate(level, grid, mode="area")
    return level.cpu().contiguous(memory_format=torch.channels_last)


def learning_window(tile: PackedTile, rng: np.random.Generator) -> Window:
    """The part of a tile that is learned from, of up to ``WINDOW`` px a side.

    It is anywhere; around a labelled pixel where it would hold none.

    Args:
        tile: any; one without a labelled pixel has a window without.
    """
    width, height = min(WINDOW, tile.frame.width), min(WINDOW, tile.frame.height)
    last_x, last_y = tile.frame.width - width, tile.frame.height - height
    x, y = int(rng.integers(last_x + 1)), int(rng.integers(last_y + 1))
    window = Window(x, y, width, height)
    if (tile.labels(window) != IGNORE).any():
        return window
    place = tile.place(None, lambda count: int(rng.integers(count)))
    if place is None:
        return window
    row, column = place
    x = min(max(column - width // 2, 0), last_x)
    y = min(max(row - height // 2, 0), last_y)
    return Window(x, y, width, height)


@dataclass(frozen=True)
class Sample:
    """Labelled cells of a tile: features (N, C) by name and labels (N,)."""

    features: Mapping[str, Tensor]
    labels: Tensor


def sample_tile(
    tile: PackedTile, ask: Callable[[Image], Features], rng: np.random.Generator
) -> Sample:
    """Labelled cells of a tile's windows, which the network sees in one pass.

    Args:
        tile: to learn from.
        ask: gives the features of images.
    """
    windows = [learning_window(tile, rng) for _ in range(WINDOWS)]
    features = ask(np.stack([tile.image(window) for window in windows]))
    return sample(features, np.stack([tile.labels(window) for window in windows]), rng)


def sample(features: Features, labels: Image, rng: np.random.Generator) -> Sample:
    """Draw at most ``CELLS`` labelled cells an image; a cell's label is that of its middle pixel.

    Args:
        features: of the images.
        labels: (N, H, W), 255 where nothing is known.
    """
    middle = _whole_cells(labels)[:, CELL // 2 :: CELL, CELL // 2 :: CELL]
    flat = middle.reshape(len(labels), -1)
    drawn = [np.sort(rng.permutation(np.flatnonzero(each != IGNORE))[:CELLS]) for each in flat]
    at = np.repeat(np.arange(len(flat)), [len(each) for each in drawn]), np.concatenate(drawn)
    place = tuple(torch.from_numpy(index) for index in at)
    return Sample(
        {name: features.cells(name)[place] for name in features.levels},
        torch.from_numpy(flat[at].astype(np.int64)),
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
    weights = torch.cholesky_solve(wanted, torch.linalg.cholesky(standard)) / spread[:, None]
    return weights, share - mean @ weights


def cell_counts(labels: Image, classes: int) -> Tensor:
    """Pixels (classes, cells) float32 of each class in each cell; unlabelled ones in none.

    Args:
        labels: (H, W), 255 where nothing is known.
        classes: their number.
    """
    (whole,) = _whole_cells(labels[None])
    rows, columns = whole.shape[0] // CELL, whole.shape[1] // CELL
    cells = whole.reshape(rows, CELL, columns, CELL).transpose(0, 2, 1, 3).reshape(-1, CELL**2)
    counts = np.stack([(cells == label).sum(axis=1) for label in range(classes)])
    return torch.from_numpy(counts.astype(np.float32))


def confusions(scores: Tensor, counts: Tensor) -> Tensor:
    """Pixels (probes, classes, classes) by true class (row) and answered class (column).

    Args:
        scores: (cells, probes, classes) of a tile, from ``Features.scores``.
        counts: of the tile, from ``cell_counts``.
    """
    answers = scores.argmax(dim=2)
    hits = [counts @ F.one_hot(each, len(counts)).float() for each in answers.T]
    return torch.stack(hits).round().to(torch.int64)


def _whole_cells(labels: Image) -> NDArray[np.uint8]:
    height, width = labels.shape[1:]
    below, right = (0, -height % CELL), (0, -width % CELL)
    return np.pad(labels, ((0, 0), below, right), constant_values=IGNORE)
