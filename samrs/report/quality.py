"""The section on quality: what is estimated of each subset, and what was measured where it can be.

Masks that have a true one are measured by the prompt ablation; the estimate of the same masks
stands beside their IoU.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samrs.core.shards import read_manifest
from samrs.drawing.tables import number
from samrs.gallery.bars import QUALITY_EDGES, bars, shares
from samrs.gallery.gallery import rows_of
from samrs.release.quality import COLUMNS, read_quality

FORM = "{:.1f}"
WHAT = (
    "Quality is an estimate of a mask’s IoU with the mask a person would draw, from its scores; "
    "every instance has one. "
)


def quality_section(
    releases: Mapping[str, Path], measured: Path, normalized: Path, model: Path
) -> dict[str, Any]:
    """What the template shows: ``note``, and ``panels`` with ``name, bars, series, note``.

    Args:
        releases: release products by name.
        measured: as of ``samrs.report.report.report``.
        normalized: the product that was measured.
        model: the estimate, ``samrs/models/quality.json``.
    """
    manifests = [read_manifest(release) for release in releases.values()]
    panels = [_estimated(*pair) for pair in zip(manifests, releases.values(), strict=True)]
    recipes = list(dict.fromkeys(str(manifest["recipe"]) for manifest in manifests))
    found = _measured(measured, normalized, recipes, model)
    note = WHAT + (
        "Where true masks are known, the last charts hold it against the IoU with them."
        if found
        else "No mask of these recipes was measured against a true one in this run, so that the "
        "estimate stands alone: dvc repro prompt-ablation, or samrs audit on a dataset of yours."
    )
    return {"note": note, "panels": panels + found}


def _estimated(manifest: Mapping[str, Any], release: Path) -> dict[str, Any]:
    unique = rows_of(release).drop_duplicates("instance_id")["quality"].dropna()
    about = manifest.get("quality") or {}
    rank = about.get("uncalibrated")
    note = f"{number(len(unique))} instances"
    if len(unique):
        note += f", mean {unique.mean():.2f}, below one half {(unique < 0.5).mean():.1%}"
    return {
        "name": f"{manifest['subset']}, estimated",
        "bars": bars(unique, QUALITY_EDGES, FORM),
        "series": (),
        "note": f"{note}." + (f" No more than a rank here: {rank}." if rank else ""),
    }


def _measured(
    path: Path, normalized: Path, recipes: list[str], model: Path
) -> list[dict[str, Any]]:
    """A panel for each of the recipes that was measured."""
    if not path.is_file():
        return []
    quality, frame = read_quality(model), pd.read_parquet(path)
    dataset = read_manifest(normalized)["dataset"]
    panels = []
    for recipe in recipes:
        rows = frame[(frame["kind"] == "recipe") & (frame["recipe"] == recipe)]
        if rows.empty:
            continue
        names = [name for name in (*COLUMNS, "disagreement") if name in rows]
        said = quality.estimate(
            {name: np.array(rows[name].tolist(), dtype=np.float64) for name in names}
        )
        iou = rows["iou"].to_numpy(dtype=np.float64)
        panels.append(
            {
                "name": f"{dataset}, measured ({recipe})",
                "bars": shares({"estimate": said, "IoU": iou}, QUALITY_EDGES, FORM),
                "series": ("estimated quality", "measured IoU"),
                "note": f"{number(len(rows))} masks that have a true one: mean estimate "
                f"{said.mean():.2f}, mean IoU {iou.mean():.2f}; the two differ by "
                f"{np.abs(said - iou).mean():.2f} a mask on average. Shares of these masks.",
            }
        )
    return panels
