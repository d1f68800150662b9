"""A picture of some masks beside the truth: what the numbers of an audit look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from samrs.core.geometry import hbb_to_polygon
from samrs.plots import STYLE

MARGIN = 0.6
"""Surroundings shown around the box and the true mask, as a share of half the longer side."""

MIN_MARGIN = 6
COLOURS = {"box": "#ffd54a", "true mask": "#35e06f", "predicted mask": "#ff3d8b"}


@dataclass(frozen=True)
class Cell:
    """One mask of the sheet.

    Args:
        title: written above it.
        image: (H, W, 3) uint8 RGB tile.
        hbb: (4,) xyxy, the box that was asked about.
        predicted, truth: (H, W) masks.
    """

    title: str
    image: NDArray[np.uint8]
    hbb: Sequence[float]
    predicted: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def write_sheet(rows: Sequence[tuple[str, Sequence[Cell]]], path: Path) -> None:
    """Write rows of cells, each row with its name at the left, as PNG."""
    columns = max(len(cells) for _, cells in rows)
    with mpl.rc_context({**STYLE, "font.size": 7.5}):
        figure = Figure(
            figsize=(1.9 * columns + 0.4, 2.12 * len(rows) + 0.35), layout="constrained"
        )
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for (name, cells), line in zip(rows, grid, strict=True):
            for cell, axes in zip(cells, line, strict=False):
                _draw(axes, cell)
            line[0].annotate(
                name, (-0.06, 0.5), xycoords="axes fraction", rotation=90, ha="right", va="center"
            )
        lines = [Line2D([], [], color=colour, label=name) for name, colour in COLOURS.items()]
        figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110, metadata={"Software": None})


def _draw(axes: Axes, cell: Cell) -> None:
    x0, y0, x1, y1 = _region(cell)
    axes.imshow(cell.image[y0:y1, x0:x1], extent=(x0, x1, y1, y0), interpolation="nearest")
    columns, lines = np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5
    for mask, name in ((cell.truth, "true mask"), (cell.predicted, "predicted mask")):
        part = mask[y0:y1, x0:x1]
        if part.any() and not part.all():
            axes.contour(columns, lines, part, [0.5], colors=[COLOURS[name]], linewidths=1.3)
    axes.add_patch(
        Polygon(hbb_to_polygon(cell.hbb), fill=False, edgecolor=COLOURS["box"], linewidth=0.9)
    )
    axes.set_title(cell.title, fontsize=7, loc="center", fontweight="normal")


def _region(cell: Cell) -> tuple[int, int, int, int]:
    """A square around the box and the true mask, with a margin, cut to the image."""
    height, width = cell.image.shape[:2]
    rows, columns = np.nonzero(cell.truth)
    low = np.minimum(cell.hbb[:2], [columns.min(initial=width), rows.min(initial=height)])
    high = np.maximum(cell.hbb[2:], [columns.max(initial=0) + 1, rows.max(initial=0) + 1])
    half = (high - low).max() / 2
    half += max(MARGIN * half, MIN_MARGIN)
    x0, y0 = np.floor(np.maximum((low + high) / 2 - half, 0)).astype(int)
    x1, y1 = np.ceil(np.minimum((low + high) / 2 + half, [width, height])).astype(int)
    return int(x0), int(y0), int(x1), int(y1)
