"""The numbers of an ablation: by recipe, class and size bin, with intervals and a comparison.

Metrics of SAMRS (arXiv 2305.02034): **mIOU_I** is the mean over instances of IoU(mask, true mask),
**mIOU_P** the sum of intersections over the sum of unions. Precision, recall and the boundary
F-score (``measures/truth_scores.py``) are means over instances. Intervals:
``measures/bootstrap.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samrs.comparison.choice import Candidate, best_of, choose
from samrs.core.shards import write_json
from samrs.measures.bootstrap import DRAWS, LEVEL, SEED, Resampling, as_interval
from samrs.measures.groups import ALL, BINS, REFERENCE, in_bin
from samrs.prompting.recipes import parse_recipe

MEANS = ("precision", "recall", "boundary_f")
COSTS = ("encoder_passes", "decoder_prompts")

Row = dict[str, Any]
Key = tuple[str, str]


class Measured:
    """An ablation's frame as tables with one row an instance and one column a recipe or floor.

    Args:
        frame: as ``samrs.ablation.ablation.ablate`` returns it.

    Attributes:
        series: kind and name of each recipe and floor, in the frame's order.
        instances: one row an instance: ``tile_id, instance_id, category, true_area`` and, where
            the frame has it, ``scene_id``.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.series: list[Key] = list(
            dict.fromkeys(zip(frame["kind"], frame["recipe"], strict=True))
        )
        about = [c for c in ("scene_id", "category", "true_area") if c in frame]
        known = frame.groupby(["tile_id", "instance_id"], sort=True)[about].first().reset_index()
        self.instances = known
        self.resampling = Resampling(known)
        self._frame = frame
        columns = [c for c in ("iou", "intersection", "union", *MEANS) if c in frame]
        self.values = {column: self._wide(column) for column in columns}

    def _wide(self, column: str) -> NDArray[np.float64]:
        """(N, K) one column of the frame; NaN where a recipe was not asked for an instance."""
        wide = self._frame.pivot(
            index=["tile_id", "instance_id"], columns=["kind", "recipe"], values=column
        )
        index = pd.MultiIndex.from_frame(self.instances[["tile_id", "instance_id"]])
        columns = pd.MultiIndex.from_tuples(self.series)
        return np.asarray(wide.reindex(index=index, columns=columns), dtype=np.float64)

    def lead(self, of: Key) -> NDArray[np.float64]:
        """(N, K) how much better the IoU of each column is than that of one of them."""
        iou = self.values["iou"]
        return iou - iou[:, [self.series.index(of)]]

    def cost(self, key: Key) -> dict[str, float] | None:
        """Encoder passes and decoder prompts an instance; None where the frame does not say."""
        if not set(COSTS) <= set(self._frame.columns):
            return None
        own = (self._frame["kind"] == key[0]) & (self._frame["recipe"] == key[1])
        means = self._frame.loc[own, list(COSTS)].astype(float).mean()
        return (
            {name: round(float(means[name]), 4) for name in COSTS} if means.notna().all() else None
        )


def _rows(measured: Measured, groups: Iterator[tuple[Row, NDArray[np.bool_]]]) -> list[Row]:
    """One row a group and column; groups or columns without instances have none."""
    reference = ("recipe", REFERENCE)
    lead = measured.lead(reference) if reference in measured.series else None
    rows = []
    for about, among in groups:
        ends = measured.resampling.intervals(measured.values["iou"], among)
        lead_ends = None if lead is None else measured.resampling.intervals(lead, among)
        for k, (kind, recipe) in enumerate(measured.series):
            own = among & np.isfinite(measured.values["iou"][:, k])
            if not own.any():
                continue
            row = {"recipe": recipe, "kind": kind, **about, "count": int(own.sum())}
            row["clusters"] = measured.resampling.num_clusters(own)
            row |= _scores({name: v[own, k] for name, v in measured.values.items()})
            row["low"], row["high"] = as_interval(ends[k]) or (None, None)
            if lead is not None and lead_ends is not None:
                row |= _compared(lead[own, k], lead_ends[k])
            rows.append(row)
    order = {key: place for place, key in enumerate(measured.series)}
    return sorted(rows, key=lambda row: order[row["kind"], row["recipe"]])


def _scores(values: Mapping[str, NDArray[np.float64]]) -> Row:
    means = {name: round(float(values[name].mean()), 4) for name in MEANS if name in values}
    return {
        "miou_i": round(float(values["iou"].mean()), 4),
        "miou_p": round(float(values["intersection"].sum() / values["union"].sum()), 4),
        **means,
    }


def _compared(lead: NDArray[np.float64], ends: NDArray[np.float64]) -> Row:
    low, high = as_interval(ends) or (None, None)
    lead = lead[np.isfinite(lead)]
    if not len(lead):
        return dict.fromkeys(("lead", "lead_low", "lead_high", "better", "worse"))
    return {
        "lead": round(float(lead.mean()), 4) + 0.0,
        "lead_low": low,
        "lead_high": high,
        "better": round(float((lead > 0).mean()), 4),
        "worse": round(float((lead < 0).mean()), 4),
    }


def to_rows(measured: Measured) -> list[Row]:
    """What was measured of each recipe and floor, over all and per size bin, for a CSV.

    Returns:
        ``recipe, kind, bin, count, clusters`` (scenes or tiles these are from), ``miou_i, miou_p,
        precision, recall, boundary_f, low, high`` (95 % interval of miou_i), and against
        ``hbox`` on the same instances, where it was asked: ``lead`` (mean difference of IoU),
        ``lead_low, lead_high`` (its paired interval), ``better`` and ``worse`` (shares of
        instances). None where there is too little to tell.
    """
    return _rows(measured, (({"bin": name}, among) for name, among in _bins(measured)))


def class_rows(measured: Measured) -> list[Row]:
    """As ``to_rows``, with ``category`` before ``bin``: what was measured over all classes, and for
    each of them.
    """
    category = measured.instances["category"].replace(ALL, f"{ALL} (class)").to_numpy()
    groups = (
        ({"category": name, "bin": size}, among & ((category == name) | (name == ALL)))
        for name in (ALL, *sorted(set(category)))
        for size, among in _bins(measured)
    )
    return _rows(measured, groups)


def _bins(measured: Measured) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    area = measured.instances["true_area"].to_numpy()
    for name in (ALL, *BINS):
        yield name, in_bin(area, name)


SUMMARISED = ("count", "miou_i", "miou_p", *MEANS)
COMPARED = ("lead", "lead_low", "lead_high", "better", "worse")


def summarise(measured: Measured, rows: list[Row]) -> dict[str, Any]:
    """What was measured as nested scores for JSON.

    ``recipes`` and ``floors``, each recipe -> bin -> scores; ``instances`` measured; ``best``: the
    recipe of the highest mIOU_I; ``auto``: the recipe to take by the rule of
    ``comparison/choice.py`` (``tied``: names, by commas), and the same among those without rotated
    box; ``lead``: each recipe against ``hbox`` over all; ``cost`` of each recipe, None where
    unknown; ``bootstrap``: how the intervals were drawn.

    Args:
        rows: what ``to_rows`` gave.
    """
    summary: dict[str, Any] = {"recipes": {}, "floors": {}, "lead": {}}
    for row in rows:
        scores = {key: row[key] for key in SUMMARISED if key in row}
        scores["interval"] = None if row["low"] is None else {k: row[k] for k in ("low", "high")}
        summary[f"{row['kind']}s"].setdefault(row["recipe"], {})[row["bin"]] = scores
        if row["bin"] == ALL and "lead" in row and row["recipe"] != REFERENCE:
            summary["lead"][row["recipe"]] = {key: row[key] for key in COMPARED}
    recipes = [key for key in measured.series if key[0] == "recipe"]
    upright = [key for key in recipes if not parse_recipe(key[1]).needs_obb]
    return {
        "instances": len(measured.instances),
        "best": best_of(_candidates(measured, recipes)).name if recipes else None,
        "auto": _auto(measured, recipes),
        "auto_without_obb": _auto(measured, upright),
        "cost": {name: measured.cost((kind, name)) for kind, name in recipes},
        "bootstrap": {
            "level": LEVEL,
            "draws": DRAWS,
            "seed": SEED,
            "unit": measured.resampling.unit,
            "units": int(measured.resampling.clusters.max(initial=-1)) + 1,
        },
        **summary,
    }


def _candidates(measured: Measured, recipes: list[Key]) -> list[Candidate]:
    found = []
    for key in recipes:
        iou, cost = measured.values["iou"][:, measured.series.index(key)], measured.cost(key)
        price = None if cost is None else (cost[COSTS[0]], cost[COSTS[1]])
        found.append(Candidate(key[1], float(iou[np.isfinite(iou)].mean()), price))
    return found


def _auto(measured: Measured, recipes: list[Key]) -> dict[str, Any] | None:
    """The rule over some recipes; None where there is none."""
    if not recipes:
        return None
    candidates = _candidates(measured, recipes)
    ends = measured.resampling.intervals(-measured.lead(("recipe", best_of(candidates).name)))
    behind = {
        name: as_interval(ends[measured.series.index((kind, name))], 6) for kind, name in recipes
    }
    chosen = choose(candidates, behind)
    return {**chosen, "tied": ", ".join(chosen["tied"])}


def write_tables(
    frame: pd.DataFrame, folder: Path, about: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[Row]]:
    """Write ``table.csv`` (``to_rows``), ``by_class.csv`` (``class_rows``) and ``summary.json``.

    Args:
        about: what else stands in the summary.

    Returns:
        The summary, and the rows of ``table.csv``.
    """
    measured = Measured(frame)
    rows = to_rows(measured)
    folder.mkdir(parents=True, exist_ok=True)
    for some, name in ((rows, "table"), (class_rows(measured), "by_class")):
        pd.DataFrame(some).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
    summary = {**(about or {}), **summarise(measured, rows)}
    write_json(folder / "summary.json", summary)
    return summary, rows
