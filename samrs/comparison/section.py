"""The section on prompts, of the report and of an audit: tables, plots, masks side by side."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from samrs.comparison.side_by_side import side_by_side
from samrs.drawing.html import file_uri
from samrs.drawing.tables import NONE, Table, metrics_file, metrics_json, number, percent
from samrs.measures.groups import ALL, REFERENCE

STAGE = "compare-prompts"
PLOTS = {
    "plot": "mIOU_I of each recipe over all instances, with its 95 % interval, and by true size.",
    "differences": f"Mean difference of IoU to {REFERENCE} on the same instances, by true size, "
    "with the 95 % interval of a paired bootstrap.",
    "precision_recall": "Precision and recall of the masks’ pixels and F-score of their outlines.",
}


def prompts_section(folder: Path, product: Path, frame: pd.DataFrame) -> dict[str, Any]:
    """What the template ``prompts.html`` shows.

    Args:
        folder: with ``table.csv``, ``summary.json`` and the plots of an ablation.
        product: the normalized product that was measured.
        frame: as ``samrs.ablation.ablation.ablate`` returned it.

    Raises:
        MissingInputError: a file is not there.
    """
    summary = metrics_json(folder / "summary.json", STAGE)
    table = metrics_file(folder / "table.csv", STAGE)
    return {
        **ablation_table(table),
        "measures": measures_table(table, summary.get("cost", {})),
        "instances": summary["instances"],
        "chosen": choice_sentence(summary),
        "drawn": drawn_sentence(summary),
        "plots": [
            {
                "image": file_uri(metrics_file(folder / f"{name}.png", STAGE)),
                "alt": name.replace("_", " and "),
                "caption": caption,
            }
            for name, caption in PLOTS.items()
        ],
        "side_by_side": [
            {**entry, "area": number(entry["true_area"])} for entry in side_by_side(product, frame)
        ],
    }


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _points(text: str, sign: str = "") -> str:
    """A share as written in a CSV, in per cent; a dash where the CSV has nothing."""
    return f"{100 * float(text):{sign}.1f}" if text else NONE


def ablation_table(path: Path) -> dict[str, Any]:
    """The prompt ablation: recipes by size bins, from the CSV of stage compare-prompts.

    Returns:
        ``bins`` with the number of instances in each; ``rows``: ``recipe``, whether it is a
        ``floor``, and ``cells`` (``text`` and whether it is the ``best`` recipe of its bin by
        mIOU_I).
    """
    scores = {(r["kind"], r["recipe"], r["bin"]): r for r in _read(path)}
    counts = {size_bin: int(row["count"]) for (_, _, size_bin), row in scores.items()}
    best: dict[str, float] = {}
    for (kind, _, size_bin), row in scores.items():
        if kind == "recipe":
            best[size_bin] = max(best.get(size_bin, 0), float(row["miou_i"]))

    def cell(kind: str, recipe: str, size_bin: str) -> dict[str, Any]:
        row = scores.get((kind, recipe, size_bin))
        if row is None:
            return {"text": NONE, "best": False}
        text = f"{_points(row['miou_i'])} / {_points(row['miou_p'])}"
        is_best = kind == "recipe" and float(row["miou_i"]) == best[size_bin]
        return {"text": text, "best": is_best}

    return {
        "bins": [{"name": b, "count": f"{n:,}"} for b, n in counts.items()],
        "rows": [
            {
                "recipe": recipe,
                "floor": kind == "floor",
                "cells": [cell(kind, recipe, b) for b in counts],
            }
            for kind, recipe in dict.fromkeys((kind, recipe) for kind, recipe, _ in scores)
        ],
    }


MEASURES = (
    "Recipe", "mIOU_I", "95 %", "Boundary F", "Precision", "Recall", f"vs {REFERENCE}", "95 %",
    "Better", "Worse", "Encoder passes", "Prompts",
)  # fmt: skip


def measures_table(path: Path, cost: Mapping[str, Any]) -> Table:
    """Every measure of each recipe and floor over all instances, in per cent; and what it costs.

    Args:
        path: ``table.csv`` of an ablation.
        cost: encoder passes and decoder prompts an instance by recipe, or None.
    """
    rows = []
    for row in _read(path):
        if row["bin"] != ALL:
            continue
        own = cost.get(row["recipe"]) if row["kind"] == "recipe" else None
        name = row["recipe"] if row["kind"] == "recipe" else f"{row['recipe']} (floor)"
        rows.append(
            [
                name,
                _points(row["miou_i"]),
                _interval(row["low"], row["high"]),
                *(_points(row[key]) for key in ("boundary_f", "precision", "recall")),
                *_against(row),
                number(own["encoder_passes"] if own else None, 2),
                number(own["decoder_prompts"] if own else None, 1),
            ]
        )
    return Table(MEASURES, rows)


def _against(row: Mapping[str, str]) -> list[str]:
    """The cells of the comparison; dashes for the reference itself."""
    if not row.get("lead") or row["recipe"] == REFERENCE:
        return [NONE] * 4
    shares = [percent(float(row[key])) for key in ("better", "worse")]
    return [_points(row["lead"], "+"), _interval(row["lead_low"], row["lead_high"], "+"), *shares]


def _interval(low: str, high: str, sign: str = "") -> str:
    return f"{_points(low, sign)} to {_points(high, sign)}" if low else NONE


def choice_sentence(summary: Mapping[str, Any]) -> str:
    """What ``prompt: auto`` takes, and why."""
    chosen = summary["auto"]
    if chosen is None:
        return "No recipe was measured, so prompt: auto has nothing to take."
    text = f"prompt: auto takes {chosen['recipe']}: {chosen['reason']}."
    if chosen["tied"]:
        text += f" Not to be told apart from {chosen['best']}: {chosen['tied']}."
    upright = summary["auto_without_obb"]
    if upright is not None and upright["recipe"] != chosen["recipe"]:
        text += f" Where there are no rotated boxes: {upright['recipe']}."
    return text


def drawn_sentence(summary: Mapping[str, Any]) -> str:
    """How the intervals were drawn."""
    drawn = summary["bootstrap"]
    text = (
        f"Intervals: 95 % of {number(drawn['draws'])} bootstrap draws of {drawn['unit']} "
        f"({number(drawn['units'])} of them)."
    )
    if drawn["unit"] != "scenes":
        text += " There are too few scenes to draw scenes, so that the intervals are too narrow."
    return text
