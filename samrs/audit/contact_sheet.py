"""A sheet of masks beside the truth: what the numbers of an audit look like."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from samrs.drawing.crops import BOX, PREDICTED, TRUE, Crop, draw_crop, load_crops
from samrs.drawing.palette import to_hex
from samrs.drawing.style import shorten, styled

COLOURS = {"box": BOX, "true mask": TRUE, "predicted mask": PREDICTED}
CROPS = 8
CROPS_OF_CLASS = 3
SIDE = 354
"""px of a crop, drawn at twice the size it is shown at."""

MOST_CLASSES = 60
"""Lines of a sheet; JPEG ends at 65,535 px, some 300 of them."""
JPEG_QUALITY = 88

Lines = Sequence[tuple[str, Sequence[Crop]]]


def best_median_worst(rows: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """The best, the middle and the worst rows by IoU, at most ``count`` of each and none twice.

    Where there are fewer than three times as many, the best and the worst come first.
    """
    ranked = rows.sort_values(["iou", "tile_id", "instance_id"], ascending=[False, True, True])
    left = len(ranked)
    most = {"best": min(count, (left + 2) // 3), "worst": min(count, (left + 1) // 3)}
    most["median"] = min(count, left - most["best"] - most["worst"])
    middle = max((left - most["median"]) // 2, most["best"])
    return {
        "best": ranked.iloc[: most["best"]],
        "median": ranked.iloc[middle : middle + most["median"]],
        "worst": ranked.iloc[::-1].iloc[: most["worst"]],
    }


def sheet_lines(product: Path, rows: pd.DataFrame) -> list[tuple[str, list[Crop]]]:
    """A line each for the best, the middle and the worst masks of one recipe."""
    recipe = rows["recipe"].iloc[0]
    parts = best_median_worst(rows, CROPS)
    return [
        (f"{name} by {recipe}", load_crops(product, part.assign(title=part["category"])))
        for name, part in parts.items()
        if len(part)
    ]


def class_lines(product: Path, rows: pd.DataFrame) -> list[tuple[str, list[Crop]]]:
    """A line a class: its best, its middle and its worst masks by one recipe, the worst last.

    Of the most frequent classes: a picture has an end.
    """
    lines = []
    for category in most_frequent(rows):
        part = rows[rows["category"] == category]
        parts = best_median_worst(part, CROPS_OF_CLASS)
        parts["worst"] = parts["worst"].iloc[::-1]
        chosen = pd.concat([some.assign(title=name) for name, some in parts.items()])
        lines.append((f"{shorten(category)}\nn = {len(part):,}", load_crops(product, chosen)))
    return lines


def most_frequent(rows: pd.DataFrame) -> list[str]:
    """The classes that a sheet has room for, by name."""
    counts = rows["category"].value_counts().sort_index()
    return sorted(counts.sort_values(ascending=False, kind="stable").index[:MOST_CLASSES])


def write_sheet(lines: Lines, path: Path) -> None:
    """Write lines of crops, each with its name at the left, as PNG or JPEG."""
    columns = max(len(crops) for _, crops in lines)
    with styled(font_size=7.5):
        figure = Figure(figsize=(1.72 * columns + 0.5, 1.98 * len(lines) + 0.4))
        # Not "constrained", which takes minutes for some hundred axes.
        left, low = 0.45 / figure.get_figwidth(), 0.3 / figure.get_figheight()
        grid = figure.subplots(
            len(lines), columns, squeeze=False,
            gridspec_kw={"left": left, "right": 0.995, "bottom": low, "wspace": 0.06,
                         "top": 1 - 0.38 / figure.get_figheight(), "hspace": 0.26},
        )  # fmt: skip
        for axes in grid.flat:
            axes.axis("off")
        for (name, crops), line in zip(lines, grid, strict=True):
            for crop, axes in zip(crops, line, strict=False):
                _draw(axes, crop)
            line[0].annotate(
                name, (-0.05, 0.5), xycoords="axes fraction", rotation=90, ha="right", va="center"
            )
        marks = [Line2D([], [], color=to_hex(rgb), label=name) for name, rgb in COLOURS.items()]
        figure.legend(handles=marks, loc="lower center", ncols=len(marks), frameon=False)
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=110)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").save(path, quality=JPEG_QUALITY, optimize=True)


def _draw(axes: Axes, crop: Crop) -> None:
    axes.imshow(draw_crop(crop, SIDE, box=True, predicted=True))
    row = crop.row
    text = f"{shorten(row['title'])}\nIoU {row['iou']:.2f}, {row['true_area']:,} px"
    axes.set_title(text, fontsize=7, loc="center", fontweight="normal")
