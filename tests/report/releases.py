"""Release products and a metrics folder written by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from samrs.core.images import encode_rgb
from samrs.core.shards import write_json
from samrs.stats.plots import write_plots
from samrs.stats.stats import stats
from tests.products_by_hand import OPEN, QUALITY, Thing, release, write


def write_release(root: Path, name: str, tiles: list[str], things: list[Thing]) -> Path:
    """A release in which everything is kept."""
    out = root / "release" / name
    normalized, labelled = write(root / name, tiles, things, subset=name.upper())
    release(normalized, labelled, out, QUALITY, **OPEN)
    return out


ABLATION = """\
recipe,kind,bin,count,miou_i,miou_p,precision,recall,boundary_f,low,high,lead,lead_low,lead_high,better,worse
hbox,recipe,all,9,0.8123,0.7,0.9,0.8,0.7,0.75,0.85,0.0,0.0,0.0,0.0,0.0
hbox,recipe,<16²,4,0.6,0.5,0.9,0.8,0.7,,,0.0,0.0,0.0,0.0,0.0
point,recipe,all,9,0.5,0.4,0.9,0.8,0.3,0.45,0.55,-0.3123,-0.4,-0.2,0.1111,0.8889
box,floor,all,9,0.5,0.45,0.5,1.0,0.2,,,,,,,
box,floor,<16²,4,0.65,0.5,0.5,1.0,0.2,,,,,,,
"""
SUMMARY = {
    "instances": 9,
    "best": "hbox",
    "auto": {"recipe": "hbox", "best": "hbox", "tied": "rbox", "reason": "it is best"},
    "auto_without_obb": {"recipe": "point", "best": "point", "tied": "", "reason": "alone"},
    "cost": {"hbox": {"encoder_passes": 0.25, "decoder_prompts": 1.0}, "point": None},
    "bootstrap": {"draws": 2000, "unit": "scenes", "units": 12},
}


def write_metrics(root: Path, releases: Mapping[str, Path]) -> Path:
    """What the stages before the report leave in ``metrics/``."""
    metrics = root / "metrics"
    measured = stats(releases)
    write_json(metrics / "stats.json", measured)
    write_plots(measured, metrics / "stats")
    ablation = metrics / "compare_prompts"
    write_json(ablation / "summary.json", SUMMARY)
    (ablation / "table.csv").write_text(ABLATION, encoding="utf-8")
    for name in ("plot", "differences", "precision_recall"):
        (ablation / f"{name}.png").write_bytes(encode_rgb(np.zeros((4, 4, 3), np.uint8)))
    write_json(
        metrics / "pretrain.json", {"steps": 200, "final_loss": 0.8125, "miou": {"sota": 0.5}}
    )
    run = {"tiles": 3, "oa": 0.7, "mf1": None}
    runs = {
        "pretrain": {"0.05": {"7": {**run, "miou": 0.3}}},
        "scratch": {"1": {"7": {**run, "miou": 0.5}}, "0.05": {"7": {**run, "miou": 0.2}}},
    }
    tuned = {
        "mode": "full",
        "tested": 4,
        "runs": runs,
        "gain": {"scratch": {"0.05": {"mean": 0.1, "low": 0.02, "high": 0.18}}},
    }
    write_json(metrics / "finetune" / "potsdam.json", tuned)
    read = {"scenes": 2, "tiles": 3, "tiles_empty": 1, "instances": 1234}
    bad = {"total": 1235, "by_reason": {"box has no area": 1234, "image too large": 1}}
    write_json(metrics / "normalize" / "dota.json", {**read, "quarantined": bad})
    return metrics
