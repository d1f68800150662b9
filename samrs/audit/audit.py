"""Audit: how good are the masks on a dataset that has true ones?

    samrs audit coco FOLDER --recipes hbox --recipes point --out DIR
    samrs audit dota FOLDER --truth isaid --tile 1024 --out DIR
    samrs audit hrsc2016 FOLDER --out DIR --fill docs/quality.md

Normalizes the folder with the dataset's reader, asks every recipe and the floors for every
instance, and writes below ``--out``:

- ``table.csv`` (by size), ``by_class.csv`` (by class and size), ``summary.json``, ``tables.md``
- ``plot.png``, ``differences.png``, ``precision_recall.png``
- ``contact_sheet.png`` and ``by_class.jpg``: best, median and worst masks of the best recipe
- ``audit.html``: all of these and the same instances side by side under every recipe, offline
- ``timing.json``: seconds; all other files are the same bytes for the same input

With ``--truth`` the folder is also read as another dataset, whose true masks are matched to the
boxes of the first: as DOTA's boxes and iSAID's masks of the same images. With ``--fill`` the tables
go into a Markdown file, between ``<!-- audit:NAME -->`` and ``<!-- /audit:NAME -->``, where NAME is
the dataset, or ``dota+isaid`` with ``--truth isaid``.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samrs.ablation.ablation import ablate
from samrs.audit.contact_sheet import class_lines, sheet_lines, write_sheet
from samrs.audit.tables import audit_markdown, class_table
from samrs.audit.truth_matching import match_truth as match_truth
from samrs.comparison.plots import write_ablation_plots
from samrs.comparison.section import prompts_section
from samrs.comparison.tables import write_tables
from samrs.core.errors import MissingInputError, ParameterError, naming
from samrs.core.records import INSTANCES, TILES, TRUTH
from samrs.core.shards import (
    fresh_product,
    iter_rows,
    read_manifest,
    read_table,
    write_json,
    write_manifest,
    write_table,
)
from samrs.drawing.html import file_uri, render
from samrs.label.auto import AUTO
from samrs.label.label import segmenter_of
from samrs.look.look import CUT
from samrs.normalize.normalize import normalize
from samrs.prompting.recipes import parse_recipes
from samrs.weights.models import segmenter_for
from samrs.weights.weights import find_checkpoint

FLOORS = ("box", "obb", "grabcut")


def audit(
    dataset: str,
    folder: Path,
    out: Path,
    *,
    truth: str | None,
    recipes: Sequence[str],
    model: str,
    precision: str,
    tile: int | None,
    overlap: int,
    limit: int | None,
    runtime: Mapping[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure masks on a dataset and write tables and pictures below ``out``.

    Args:
        dataset: a file of ``samrs/datasets``.
        folder: the dataset in its official layout.
        truth: another dataset read from the same folder for its masks; None: ``dataset`` has them.
        recipes: what to ask for each box.
        tile: side in px; None keeps images whole.
        overlap: px shared by neighbouring tiles.
        limit: number of images, evenly spaced in the order of their names; None takes all.

    Returns:
        What ``samrs.ablation.ablation.ablate`` gives, and what stands in ``summary.json``.
    """
    if AUTO in recipes:
        raise ParameterError(
            f"recipes: {AUTO} is no recipe but a choice among recipes, got {AUTO!r}; names of "
            "recipes are allowed; name some, such as hbox and zoom"
        )
    parse_recipes(recipes)
    checkpoint = find_checkpoint(segmenter_for(model), model)
    segmenter_of(checkpoint, precision).device(runtime)
    clock = _Clock()
    cut = {"tile": tile, "overlap": overlap}
    product = _normalized(dataset, folder, out / "normalize" / dataset, cut, limit)
    matching: dict[str, int] = {}
    if truth is not None:
        masks = _normalized(truth, folder, out / "normalize" / truth, cut, limit)
        matching = match_truth(product, masks)
    if not any(product.glob("truth-*.parquet")):
        raise MissingInputError(
            f"{folder}: no true masks of instances, got a {dataset} dataset without; an audit "
            "compares masks with true ones; use a dataset that has them, or name with --truth "
            "another that has the same images"
        )
    clock.lap("normalize")
    frame = ablate(
        product,
        recipes=recipes,
        floors=FLOORS,
        checkpoint=checkpoint,
        precision=precision,
        runtime=runtime,
        timed=True,
    )
    clock.lap("ask")
    about = {
        "dataset": dataset,
        "model": model,
        "precision": precision,
        **cut,
        "images": len(set(read_table(product, "tiles", ["scene_id"])["scene_id"].to_pylist())),
        **({"truth": truth, **matching} if truth else {}),
        "fallbacks": fallbacks(frame),
    }
    summary, rows = write_tables(frame, out, about)
    with naming(out / "tables.md"):
        (out / "tables.md").write_text(audit_markdown(out), encoding="utf-8")
    clock.lap("tables")
    write_ablation_plots(rows, out)
    _write_pictures(frame, product, summary, out)
    clock.lap("pictures")
    write_json(out / "timing.json", {"steps": clock.seconds, **milliseconds(frame)})
    return frame, summary


def fallbacks(frame: pd.DataFrame) -> dict[str, int]:
    """Masks for which a rotated box was wanted and the upright one had to serve, by recipe."""
    counts = frame[frame["kind"] == "recipe"].groupby("recipe", sort=False)["fallback"].sum()
    return {str(name): int(count) for name, count in counts.items() if count}


def milliseconds(frame: pd.DataFrame) -> dict[str, Any]:
    """What an instance took: ``encode``, its share of the encoding of its tile, and the rest."""
    own = frame.groupby(["kind", "recipe"], sort=False)["seconds"].mean().reset_index()
    by_kind: dict[str, dict[str, float]] = {"recipes": {}, "floors": {}}
    for row in own.to_dict("records"):
        by_kind[f"{row['kind']}s"][row["recipe"]] = round(1000 * float(row["seconds"]), 2)
    encode = round(1000 * float(frame["encode_seconds"].mean()), 2)
    return {"milliseconds": {"encode": encode, **by_kind}}


class _Clock:
    """Wall-clock seconds of the steps of an audit."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._began, 3)
        self._began = now


def _write_pictures(
    frame: pd.DataFrame, product: Path, summary: Mapping[str, Any], out: Path
) -> None:
    """The sheets of the best recipe's masks, and the page."""
    best = frame[(frame["kind"] == "recipe") & (frame["recipe"] == summary["best"])]
    write_sheet(sheet_lines(product, best), out / "contact_sheet.png")
    write_sheet(class_lines(product, best), out / "by_class.jpg")
    pictures = [
        (file_uri(out / "by_class.jpg"), f"By {summary['best']}, the classes with most masks."),
        (file_uri(out / "contact_sheet.png"), "Over all classes."),
    ]
    page = render(
        "audit.html", about=summary, ablation=prompts_section(out, product, frame),
        classes=class_table(out), pictures=pictures,
    )  # fmt: skip
    with naming(out / "audit.html"):
        (out / "audit.html").write_bytes(page)


def _normalized(
    dataset: str, folder: Path, out: Path, cut: Mapping[str, Any], limit: int | None
) -> Path:
    normalize(dataset, folder, out, **{**CUT, **cut})
    if limit is None:
        return out
    return keep_scenes(out, out.with_name(f"{out.name}-{limit}"), limit)


def keep_scenes(product: Path, out: Path, count: int) -> Path:
    """Write a normalized product with ``count`` of its scenes, evenly spaced by name."""
    names = read_table(product, "tiles", ["tile_id", "scene_id"]).to_pandas()
    scenes = sorted(set(names["scene_id"]))
    places = np.unique(np.linspace(0, len(scenes) - 1, min(count, len(scenes))).round())
    chosen = {scenes[int(place)] for place in places}
    tiles = set(names["tile_id"][names["scene_id"].isin(chosen)])
    fresh_product(out)
    for table, schema in (("tiles", TILES), ("instances", INSTANCES), ("truth", TRUTH)):
        if table == "truth" and not any(product.glob("truth-*.parquet")):
            continue
        rows = (row for row in iter_rows(product, table) if row["tile_id"] in tiles)
        write_table(out, table, schema, rows)
    about = read_manifest(product)
    write_manifest(out, {**about, "parameters": {**about["parameters"], "scenes": count}})
    return out
