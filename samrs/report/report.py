"""One offline HTML page by which a person can judge the released dataset.

Everything is inside the file: styles, script, pictures as data URIs; nothing is fetched, and the
page's own policy lets no other script run. Without scripts all pictures are there as well. Names
from datasets are hostile until escaped, which the template engine does for every value.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samrs.comparison.section import prompts_section
from samrs.core.errors import naming
from samrs.core.progress import progress
from samrs.core.shards import fresh_product, read_manifest, sha256
from samrs.drawing.examples import example_tiles
from samrs.drawing.html import model_note, page_script, render
from samrs.drawing.judged import judged_sentence, read_judged
from samrs.drawing.tables import (
    dropped_table,
    gain_sentence,
    input_table,
    made_table,
    metrics_json,
    metrics_of_each,
    number,
    percent,
    probes_sentence,
    probes_table,
    runs_table,
    summary_table,
    values_table,
)
from samrs.gallery.bars import SIDES, bars
from samrs.gallery.gallery import gallery, rows_of
from samrs.gallery.tiles import marks, tiles
from samrs.report.quality import quality_section

NUM_EXAMPLES = 6
INSTANCES = 300
"""Pictures of instances of a subset, at most: some 1.5 MB."""


def _class_rows(
    classes: Mapping[str, Mapping[str, Any]],
    quality: pd.Series[float],
    marked: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:
    shown = ("category_id", "instances", "tiles", "pixels", "semantic_pixels")
    sizes = ("size_p10", "size_p50", "size_p90")
    return [
        {
            "category": name,
            "mark": marked[name],
            "cells": [
                *(number(c[k]) for k in shown),
                *(number(c[k], 0) for k in sizes),
                number(quality.get(c["category_id"]), 2),
            ],
        }
        for name, c in sorted(classes.items(), key=lambda item: item[1]["category_id"])
        if c["instances"]
    ]


def _trained(values: Mapping[str, Any]) -> dict[str, Any]:
    """The table of a benchmark and what it says of pre-training."""
    if values["mode"] == "probe":
        return {
            "runs": probes_table(values["miou"], values["gain"]),
            "gain": probes_sentence(values["miou"], values["gain"], values["draws"]),
        }
    return {"runs": runs_table(values["runs"]), "gain": gain_sentence(values["gain"])}


def _subset(
    name: str,
    release: Path,
    stats: Mapping[str, Any],
    metrics: Path,
    marked: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    manifest, rows = read_manifest(release), rows_of(release).drop_duplicates("instance_id")
    quality = rows.groupby("category_id")["quality"].mean().dropna()
    return {
        "anchor": f"subset-{name}",
        "name": manifest["subset"],
        "input": input_note(manifest),
        "judged": judged_note(metrics / "review" / f"{manifest['dataset']}.json", release),
        "facts": [
            ("tiles", number(stats["tiles"])),
            ("instances", number(stats["instances"])),
            ("classes", f"{stats['classes_present']} of {len(stats['classes'])}"),
            ("left out", number(sum(stats["dropped"].values()))),
            ("labelled", percent(stats["labelled_share"])),
            ("box IoU", number(stats["mean_box_iou"], 2)),
            ("quality", number(manifest["counts"]["quality"]["mean"], 2)),
        ],
        "examples": tiles(name, release, example_tiles(release, NUM_EXAMPLES), marked),
        "classes": _class_rows(stats["classes"], quality, marked),
        "absent": [name for name, c in stats["classes"].items() if not c["instances"]],
        "sizes": bars(np.sqrt(rows["area"]), SIDES, "{:g}"),
    }


def _counts(stats: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """Instances of each class over all subsets, by name: a class has one colour in all."""
    counts: dict[str, int] = {}
    for subset in stats.values():
        for name, c in subset["classes"].items():
            counts[name] = counts.get(name, 0) + c["instances"]
    return counts


def judged_note(judged: Path, release: Path) -> str:
    """What people said of a sample of a subset's masks.

    Args:
        judged: as ``samrs review --sample`` wrote it.
    """
    told = read_judged(judged)
    if told is None:
        return "Nobody judged a sample of these masks yet: samrs review --sample."
    return judged_sentence(told, sha256(release / "manifest.json"))


def input_note(manifest: Mapping[str, Any]) -> str:
    """Where the images of a subset are from and under which terms."""
    if manifest["origin"] == "demo":
        return (
            f"From procedural demo scenes in the layout of {manifest['dataset']}; no image and no "
            f"box of the real dataset, whose terms are: {manifest['terms']}"
        )
    return f"From {manifest['dataset']}. Terms: {manifest['terms']}"


def _measured(metrics: Path, measured: Path, normalized: Path) -> dict[str, Any]:
    """The sections on what was measured beside the releases; None or empty where it was not."""
    finetuned = metrics / "finetune"
    return {
        "ablation": prompts_section(
            metrics / "compare_prompts", normalized, pd.read_parquet(measured)
        )
        if measured.is_file()
        else None,
        "pretrain": values_table(metrics_json(metrics / "pretrain.json", "pretrain"))
        if (metrics / "pretrain.json").is_file()
        else None,
        "finetune": [
            {"name": name, **_trained(values)}
            for name, values in metrics_of_each(finetuned, "finetune").items()
        ]
        if any(finetuned.glob("*.json"))
        else [],
        "input": input_table(metrics_of_each(metrics / "normalize", "normalize")),
    }


def report(
    releases: Mapping[str, Path],
    metrics: Path,
    out: Path,
    *,
    measured: Path,
    normalized: Path,
    quality: Path,
) -> dict[str, Any]:
    """Write ``index.html``.

    Args:
        releases: folder of each release product, by the subset's name.
        metrics: the metrics folder of the run; every stage before this one writes there.
        out: folder; replaced.
        measured: the table of instances that the prompt ablation wrote. Where there is none, as
            without a dataset with true masks, the page says so; so it does without pre-training
            and fine-tuning.
        normalized: the product it measured.
        quality: the estimate of masks' quality, ``samrs/models/quality.json``.

    Returns:
        Size of the page in bytes, numbers of subsets, example tiles and instances shown.

    Raises:
        MissingInputError: a release or a metrics file is not there; names the stage to run.
    """
    stats = metrics_json(metrics / "stats.json", "stats")
    manifests = {name: read_manifest(path) for name, path in releases.items()}
    numbers = {
        "summary": summary_table({name: stats[name] for name in releases}),
        "dropped": dropped_table(manifests),
        "made": made_table(manifests),
        **_measured(metrics, measured, normalized),
    }
    marked = marks(_counts({name: stats[name] for name in releases}))
    subsets = [
        _subset(name, path, stats[name], metrics, marked)
        for name, path in progress(releases.items(), desc="report", unit="subset")
    ]
    wall = gallery(releases, INSTANCES)
    script, policy = page_script("gallery.js")
    data = render(
        "report.html",
        subsets=subsets,
        gallery=wall,
        quality=quality_section(releases, measured, normalized, quality),
        note=model_note(next(iter(manifests.values()), {})),
        script=script,
        policy=policy,
        **numbers,
    )
    page = fresh_product(out) / "index.html"
    with naming(page):
        page.write_bytes(data)
    return {
        "bytes": len(data),
        "subsets": len(subsets),
        "examples": sum(len(s["examples"]) for s in subsets),
        "instances": len(wall["cards"]),
    }
