"""The plots of the SAMRS paper for each subset, and the tables behind them.

Equal numbers, equal bytes (``samrs/drawing/style.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from samrs.core.shards import write_csv
from samrs.drawing.palette import bright, colour, to_hex
from samrs.drawing.style import save_png, short_number, shorten, styled
from samrs.stats.stats import SIZE_BIN

BAR = "#3b7dd8"
LEFT_END = 0.8  # of the log axes, so that a class with one instance shows
ROOM_FOR_NUMBERS = 1.16  # of the axis' length, right of the longest bar


def _class_bars(axes: Axes, classes: Sequence[Mapping[str, Any]], key: str, title: str) -> None:
    """Horizontal bars on a log scale, the largest class at the top."""
    ranked = sorted(classes, key=lambda c: (-c[key], c["category_id"]))
    values = [c[key] for c in ranked]
    fills = [colour(c["category_id"]) for c in ranked]
    places = np.arange(len(ranked))
    bars = axes.barh(
        places,
        values,
        height=0.74,
        color=[to_hex(f) for f in fills],
        edgecolor=[to_hex(bright(f)) for f in fills],
        linewidth=0.8,
    )
    axes.set_xscale("log")
    axes.set_xlim(LEFT_END, LEFT_END * (max([10, *values]) / LEFT_END) ** ROOM_FOR_NUMBERS)
    axes.minorticks_off()
    axes.bar_label(bars, [short_number(v) for v in values], padding=4, size=8)
    axes.set_yticks(places, [shorten(c["category"]) for c in ranked])
    axes.set_ylim(max(len(ranked), 1) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: short_number(v)))
    axes.grid(axis="x")
    axes.set_title(title)


def _named(subset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The classes of a subset, each with its name as ``category``."""
    return [{"category": name, **values} for name, values in subset["classes"].items()]


def plot_classes(subset: Mapping[str, Any], name: str, path: Path) -> None:
    """Write the class histogram of a subset by instances and by pixels, as PNG.

    Args:
        subset: one value of what ``stats`` returns.
        name: the subset's name, for the title.
    """
    classes = _named(subset)
    present = [c for c in classes if c["instances"]]
    with styled():
        figure = Figure(figsize=(10, 1.1 + 0.235 * len(present)), layout="constrained")
        left, right = figure.subplots(1, 2)
        _class_bars(left, present, "instances", f"{name}: instances per class")
        _class_bars(right, present, "pixels", f"{name}: mask pixels per class")
        absent = len(classes) - len(present)
        if absent:
            note = f"{absent} of {len(classes)} classes have no instance"
            left.set_xlabel(note, loc="left", size=8)
        save_png(figure, path)


def plot_mask_sizes(subset: Mapping[str, Any], name: str, path: Path) -> None:
    """Write the mask-size histogram of a subset as PNG: bins of 50 px, the last one open.

    Args:
        subset: one value of what ``stats`` returns.
        name: the subset's name, for the title.
    """
    counts = list(subset["mask_sizes"].values())
    lows = range(0, SIZE_BIN * len(counts), SIZE_BIN)
    width, total = SIZE_BIN, sum(counts)
    with styled():
        figure = Figure(figsize=(10, 3.2), layout="constrained")
        axes = figure.subplots()
        bars = axes.bar(lows, counts, width=width * 0.9, align="edge", color=BAR)
        bars[-1].set(hatch="////", edgecolor="white", linewidth=0)
        axes.grid(axis="y")
        axes.set_xticks([*lows[:-1:4], lows[-1]], [f"{v:,}" for v in lows[:-1:4]] + ["more"])
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        axes.set_xlim(0, lows[-1] + width)
        axes.set_xlabel("mask size, px")
        axes.set_ylabel("masks")
        small = sum(c for low, c in zip(lows, counts, strict=True) if low < 300)
        share = f"{small / total:.0%} under 300 px" if total else "no masks"
        axes.set_title(f"{name}: mask sizes ({total:,} masks, {share})")
        save_png(figure, path)


def write_plots(stats: Mapping[str, Any], out: Path) -> None:
    """Write ``<subset>-classes.png`` and ``<subset>-sizes.png``.

    Args:
        stats: what ``samrs.stats.stats`` returns.
        out: folder; files of the same names are replaced.
    """
    for name, subset in stats.items():
        plot_classes(subset, name.upper(), out / f"{name}-classes.png")
        plot_mask_sizes(subset, name.upper(), out / f"{name}-sizes.png")


def write_tables(stats: Mapping[str, Any], classes: Path, sizes: Path) -> None:
    """Write what the plots show, all subsets in one file each, as ``dvc plots`` draws them.

    Args:
        stats: what ``samrs.stats.stats`` returns.
        classes: CSV of ``subset, category, instances, pixels``, the most frequent class first.
        sizes: CSV of ``subset, size_bin, count``.
    """
    ranked = {
        name: sorted(_named(subset), key=lambda c: (-c["instances"], c["category_id"]))
        for name, subset in stats.items()
    }
    write_csv(
        classes,
        ["subset", "category", "instances", "pixels"],
        [
            (name, c["category"], c["instances"], c["pixels"])
            for name, rows in ranked.items()
            for c in rows
        ],
    )
    write_csv(
        sizes,
        ["subset", "size_bin", "count"],
        [
            (name, *entry)
            for name, subset in stats.items()
            for entry in subset["mask_sizes"].items()
        ],
    )
