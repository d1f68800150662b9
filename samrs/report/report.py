"""One offline HTML page by which a person can judge the released dataset.

Everything is inside the file: styles, pictures as data URIs; no script, no request. Names from
datasets are hostile until escaped, which the template engine does for every value.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from samrs.comparison.section import prompts_section
from samrs.core.errors import naming
from samrs.core.progress import progress
from samrs.core.shards import fresh_product, read_manifest, sha256
from samrs.drawing.crops import instance_crop
from samrs.drawing.examples import example_tiles, worst_instances
from samrs.drawing.html import file_uri, jpeg_uri, model_note, render
from samrs.drawing.judged import judged_sentence, read_judged
from samrs.drawing.overlay import Tile, fit, load_tiles, with_boxes, with_masks
from samrs.drawing.palette import colour, to_hex
from samrs.drawing.tables import (
    dropped_table,
    gain_sentence,
    input_table,
    made_table,
    metrics_file,
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

NUM_EXAMPLES, EXAMPLE_PX = 6, 560
NUM_WORST, CROP_PX = 16, 176
QUALITY = 80
WORDS = {
    "quality": "quality",
    "predicted_iou": "predicted IoU",
    "stability_score": "stability",
    "box_iou": "box IoU",
}


def _example(tile: Tile, categories: list[str]) -> dict[str, Any]:
    counts: dict[int, int] = {}
    for row in tile.rows:
        counts[row["category_id"]] = counts.get(row["category_id"], 0) + 1
    return {
        "tile_id": tile.tile_id,
        "instances": len(tile.rows),
        "boxes": jpeg_uri(fit(with_boxes(tile), EXAMPLE_PX), QUALITY),
        "masks": jpeg_uri(fit(with_masks(tile), EXAMPLE_PX), QUALITY),
        "legend": [
            {"category": categories[i], "colour": to_hex(colour(i)), "count": number(counts[i])}
            for i in sorted(counts, key=lambda i: (-counts[i], i))
        ],
    }


def _worst(release: Path) -> list[dict[str, Any]]:
    found = worst_instances(release, NUM_WORST).to_dict("records")
    tiles = {t.tile_id: t for t in load_tiles(release, sorted({w["tile_id"] for w in found}))}
    cards = []
    for entry in found:
        tile = tiles[entry["tile_id"]]
        row = next(r for r in tile.rows if r["instance_id"] == entry["instance_id"])
        card = {
            "image": jpeg_uri(instance_crop(tile, row, CROP_PX), QUALITY),
            "category": row["category"],
            "colour": to_hex(colour(row["category_id"])),
            "instance_id": row["instance_id"],
            "scores": [
                {"name": word, "value": number(row[name], 2)}
                for name, word in WORDS.items()
                if row[name] is not None
            ],
        }
        cards.append(card)
    return cards


def _class_rows(classes: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = ("category_id", "instances", "tiles", "pixels", "semantic_pixels")
    sizes = ("size_p10", "size_p50", "size_p90")
    return [
        {
            "category": name,
            "colour": to_hex(colour(c["category_id"])),
            "cells": [*(number(c[k]) for k in shown), *(number(c[k], 0) for k in sizes)],
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


def _subset(name: str, release: Path, stats: Mapping[str, Any], metrics: Path) -> dict[str, Any]:
    manifest = read_manifest(release)
    examples = load_tiles(release, example_tiles(release, NUM_EXAMPLES))
    captions = {
        "classes": "Instances and mask pixels of each class, on logarithmic scales, in the colours "
        "of the SAMRS palette.",
        "sizes": "Masks by size in bins of 50 px; the last bin holds all larger ones.",
    }
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
        "examples": [_example(tile, manifest["categories"]) for tile in examples],
        "worst": _worst(release),
        "classes": _class_rows(stats["classes"]),
        "absent": [name for name, c in stats["classes"].items() if not c["instances"]],
        "plots": [
            {
                "image": file_uri(metrics_file(metrics / "stats" / f"{name}-{kind}.png", "stats")),
                "alt": f"{manifest['subset']}: {kind}",
                "caption": caption,
            }
            for kind, caption in captions.items()
        ],
    }


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

    Returns:
        Size of the page in bytes, numbers of subsets, example tiles and worst masks shown.

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
    subsets = [
        _subset(name, path, stats[name], metrics)
        for name, path in progress(releases.items(), desc="report", unit="subset")
    ]
    note = model_note(next(iter(manifests.values()), {}))
    data = render("report.html", subsets=subsets, note=note, **numbers)
    page = fresh_product(out) / "index.html"
    with naming(page):
        page.write_bytes(data)
    return {
        "bytes": len(data),
        "subsets": len(subsets),
        "examples": sum(len(s["examples"]) for s in subsets),
        "worst": sum(len(s["worst"]) for s in subsets),
    }
