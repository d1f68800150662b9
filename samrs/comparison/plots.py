"""The plots of an ablation, made for some twenty recipes: one line a recipe, no bars.

Equal tables, equal bytes (``samrs/drawing/style.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from samrs.drawing.style import INK, save_png, shorten, styled
from samrs.measures.groups import ALL, BINS, REFERENCE

RECIPE, FLOOR = "#2166ac", "#8a8f98"
WORSE, NO_MATTER = "#b2182b", "#a9b1ba"
LINE, HEAD = 0.27, 1.15
"""Inches: height of a recipe's line, and of what stands above and below the lines."""
NAMES = {"precision": "precision", "recall": "recall", "boundary_f": "boundary F"}
MARKS = {"precision": ("o", "#2166ac"), "recall": ("s", "#d9730d"), "boundary_f": ("D", "#3a8f4a")}


def write_ablation_plots(rows: Sequence[dict[str, Any]], folder: Path) -> list[str]:
    """Write ``plot.png`` (IoU by size), ``differences.png`` (against ``hbox``) and
    ``precision_recall.png``.

    Args:
        rows: as ``samrs.comparison.tables.to_rows`` returns them.

    Returns:
        The names of the files. Where a plot has nothing to show, it says so.
    """
    table = pd.DataFrame(rows)
    overall = table[table["bin"] == ALL]
    ranked = overall.sort_values(
        ["kind", "miou_i", "recipe"], ascending=[False, False, True], kind="stable"
    )
    compared = ranked[(ranked["kind"] == "recipe") & (ranked["recipe"] != REFERENCE)]
    comparable = "lead" in table and bool(compared["lead"].notna().any())
    figures = {
        "plot.png": _sizes(table, ranked),
        "differences.png": _differences(table, compared)
        if comparable
        else _note(f"No recipe was measured beside {REFERENCE}, so there is no difference to it."),
        "precision_recall.png": _precision_recall(ranked),
    }
    for name, figure in figures.items():
        with styled():
            save_png(figure, folder / name)
    return list(figures)


def _note(text: str) -> Figure:
    with styled():
        figure = Figure(figsize=(10, 0.6))
        figure.text(0.01, 0.5, text, va="center")
        return figure


def _lines(axes: Axes, ranked: pd.DataFrame, names: bool = True) -> None:
    """One line a recipe, the first at the top; a rule between recipes and floors."""
    axes.set_ylim(len(ranked) - 0.5, -0.5)
    kinds = ranked["kind"].tolist()
    axes.set_yticks(range(len(ranked)))
    if names:
        axes.set_yticklabels(
            f"{shorten(name)}{' (floor)' if kind == 'floor' else ''}"
            for name, kind in zip(ranked["recipe"], kinds, strict=True)
        )
        for label, kind in zip(axes.get_yticklabels(), kinds, strict=True):
            label.set_color(FLOOR if kind == "floor" else INK)
    else:
        axes.tick_params(labelleft=False)
    if 0 < kinds.count("floor") < len(kinds):
        axes.axhline(kinds.count("recipe") - 0.5, color=FLOOR, linewidth=0.8)


def _by_bin(table: pd.DataFrame, ranked: pd.DataFrame, name: str, column: str) -> Any:
    """(K,) a column of a size bin, in the order of the lines; NaN where there is nothing."""
    part = table[table["bin"] == name].set_index(["kind", "recipe"])[column]
    return part.reindex(list(zip(ranked["kind"], ranked["recipe"], strict=True))).to_numpy(float)


def _head(table: pd.DataFrame, name: str) -> str:
    count = table.loc[table["bin"] == name, "count"].max()
    return f"{name}{'' if name == ALL else ' px'}\nn = {count:,}"


def _sizes(table: pd.DataFrame, ranked: pd.DataFrame) -> Figure:
    """mIOU_I: over all with its interval, and by size bin as a table of coloured cells."""
    bins = [name for name in BINS if (table["bin"] == name).any()]
    with styled():
        figure = Figure(figsize=(10, HEAD + LINE * len(ranked)), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=[1, 0.16 + 0.2 * len(bins)])
        _lines(left, ranked)
        places = np.arange(len(ranked))
        fills = [RECIPE if kind == "recipe" else FLOOR for kind in ranked["kind"]]
        left.hlines(places, ranked["low"], ranked["high"], colors=fills, linewidth=1.6, alpha=0.5)
        left.scatter(ranked["miou_i"], places, c=fills, s=26, zorder=3)
        left.grid(axis="x")
        left.set_title(f"mIOU_I over all, 95 % interval, n = {ranked['count'].max():,}")
        _cells(right, table, ranked, bins)
        return figure


def _cells(axes: Axes, table: pd.DataFrame, ranked: pd.DataFrame, bins: Sequence[str]) -> None:
    values = np.column_stack([_by_bin(table, ranked, name, "miou_i") for name in bins])
    axes.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    recipes = (ranked["kind"] == "recipe").to_numpy()
    best = np.max(values[recipes], axis=0, initial=-1, where=np.isfinite(values[recipes]))
    for (line, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            axes.text(
                column, line, f"{value:.2f}", ha="center", va="center", size=8,
                color="black" if value > 0.55 else "white",
                weight="bold" if recipes[line] and value == best[column] else "normal",
            )  # fmt: skip
    _lines(axes, ranked, names=False)
    axes.set_xticks(range(len(bins)), [_head(table, name) for name in bins], size=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title("mIOU_I by true area, the best recipe of a size in bold")


def _differences(table: pd.DataFrame, compared: pd.DataFrame) -> Figure:
    """A forest plot: mean difference to hbox on the same instances, with its paired interval."""
    shown = [name for name in (ALL, *BINS) if (table["bin"] == name).any()]
    with styled():
        figure = Figure(figsize=(11, HEAD + 0.3 + LINE * len(compared)), layout="constrained")
        panels = figure.subplots(1, len(shown), width_ratios=[1.6, *[1] * (len(shown) - 1)])
        for k, (name, axes) in enumerate(zip(shown, np.atleast_1d(panels), strict=True)):
            _forest(axes, table, compared, name)
            _lines(axes, compared, names=k == 0)
            axes.set_title(_head(table, name), size=8.5)
        figure.suptitle(f"IoU less that of {REFERENCE}, in points of IoU", x=0.01, ha="left")
        key = (("better", RECIPE), ("cannot be told apart", NO_MATTER), ("worse", WORSE))
        figure.legend(
            handles=[
                Line2D([], [], color=colour, marker="o", markersize=5, label=text)
                for text, colour in key
            ],
            loc="outside lower center",
            ncols=3,
            frameon=False,
        )
        return figure


def _forest(axes: Axes, table: pd.DataFrame, compared: pd.DataFrame, name: str) -> None:
    lead, low, high = (
        100 * _by_bin(table, compared, name, column) for column in ("lead", "lead_low", "lead_high")
    )
    fills = np.where(low > 0, RECIPE, np.where(high < 0, WORSE, NO_MATTER))
    places = np.arange(len(compared))
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.hlines(places, low, high, colors=list(fills), linewidth=1.6)
    axes.scatter(lead, places, c=list(fills), s=18, zorder=3)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10], min_n_ticks=2))


def _precision_recall(ranked: pd.DataFrame) -> Figure:
    """Precision, recall and boundary F of each recipe on one line."""
    with styled():
        figure = Figure(figsize=(10, HEAD + LINE * len(ranked)), layout="constrained")
        axes = figure.subplots()
        _lines(axes, ranked)
        places = np.arange(len(ranked))
        ends = ranked[["precision", "recall"]]
        axes.hlines(places, ends.min(axis=1), ends.max(axis=1), colors=NO_MATTER, linewidth=1.6)
        for name, (mark, colour) in MARKS.items():
            axes.scatter(
                ranked[name], places, marker=mark, s=26, color=colour, label=NAMES[name], zorder=3
            )
        axes.grid(axis="x")
        axes.set_title("Means over instances: recall above precision means masks too large")
        figure.legend(loc="outside lower center", ncols=3, frameon=False)
        return figure
