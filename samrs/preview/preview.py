"""One offline HTML page to look at a release: numbers, and a wall of its instances.

    samrs preview data/release/sota --out sota.html

Everything is inside the file: style, script, pictures as data URIs; nothing is fetched, and the
page's own policy lets no other script run. Names from datasets are hostile until escaped, which the
template engine does for every value. The page is bounded: the numbers are of the whole release, the
pictures of a sample (``samrs/gallery``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from samrs.core.errors import ParameterError, ProductError
from samrs.core.shards import read_manifest, read_table
from samrs.drawing.html import model_note, page_script, render
from samrs.drawing.tables import made_table, number, percent
from samrs.gallery.bars import QUALITY_EDGES, SIDES, bars
from samrs.gallery.gallery import gallery, rows_of
from samrs.preview.set_aside import set_aside
from samrs.work.kept import write_whole

INSTANCES = 1000
"""Pictures on a page unless the caller says otherwise: some 4 MB."""


def preview(release: Path, out: Path, *, instances: int = INSTANCES) -> dict[str, Any]:
    """Write the page.

    Args:
        release: a release product, from wherever it is.
        out: the file; what stood there before is replaced once the page is whole.
        instances: number of pictures at most.

    Returns:
        ``bytes`` of the page, ``instances`` of the release and those ``shown``.

    Raises:
        MissingInputError: there is no product.
        ParameterError: fewer than one picture is asked for.
        ProductError: it is no release.
    """
    if instances < 1:
        raise ParameterError(
            f"preview: no picture to show, got {instances}; 1 or more is allowed; raise it"
        )
    manifest = read_manifest(release)
    if manifest.get("product") != "release":
        raise ProductError(
            f"{release}: not a release, got product {manifest.get('product')!r}; a folder that "
            "samrs label or the stage release wrote is allowed; name one"
        )
    rows = rows_of(release)
    unique = rows.drop_duplicates("instance_id")
    shown = gallery({manifest["subset"]: release}, instances)
    script, policy = page_script("gallery.js")
    made = made_table({"": manifest})
    page = render(
        "preview.html",
        name=manifest["subset"],
        note=model_note(manifest),
        terms=manifest["terms"],
        facts=_facts(manifest, rows, unique),
        quality_note=_quality_note(manifest),
        quality=bars(unique["quality"].dropna(), QUALITY_EDGES, "{:.1f}"),
        sizes=bars(np.sqrt(unique["area"]), SIDES, "{:g}"),
        splits=_splits(release, rows),
        classes=class_rows(manifest["categories"], unique),
        dropped=_dropped(manifest),
        aside=set_aside(release, manifest),
        gallery=shown,
        made=[(name, value) for name, value in made.rows],
        script=script,
        policy=policy,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page)
    return {"bytes": len(page), "instances": len(unique), "shown": len(shown["cards"])}


def _facts(
    manifest: Mapping[str, Any], rows: pd.DataFrame, unique: pd.DataFrame
) -> list[tuple[str, str]]:
    counts = manifest["counts"]
    present = unique["category_id"].nunique()
    repeated = int(rows["instance_id"][rows["instance_id"].duplicated()].nunique())
    below = float((unique["quality"] < 0.5).mean()) if len(unique) else None
    return [
        ("instances", number(len(unique))),
        ("tiles", number(counts["tiles"])),
        ("tiles without", number(counts["tiles_empty"])),
        ("classes", f"{present} of {len(manifest['categories'])}"),
        ("left out", number(sum(counts["dropped"].values()))),
        ("mean quality", _mean(unique["quality"])),
        ("below one half", percent(below)),
        ("in several tiles", number(repeated)),
    ]


def _mean(values: pd.Series[float]) -> str:
    """The mean of those there are, a dash where none is."""
    known = values.dropna()
    return number(float(known.mean()) if len(known) else None, 2)


def _quality_note(manifest: Mapping[str, Any]) -> str:
    """What quality means for these masks."""
    about = manifest.get("quality") or {}
    text = (
        "An estimate of the IoU with the mask a person would draw, from the scores. What it is in "
        "truth is not known here: true masks tell it (samrs audit), or a sample that a person "
        "judges (samrs review --sample)."
    )
    if about.get("calibrated"):
        return text
    reason = about.get("uncalibrated") or "nothing says what it was fitted on"
    return f"{text} For these masks it is no more than a rank: {reason}."


def _splits(release: Path, rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Name, tiles and instances of each split."""
    tiles = read_table(release, "tiles", ["tile_id", "split"]).to_pandas()
    split_of = tiles.set_index("tile_id")["split"]
    found = pd.DataFrame({"split": rows["tile_id"].map(split_of), "id": rows["instance_id"]})
    masks = found.groupby("split")["id"].nunique()
    sizes = tiles.groupby("split", sort=True).size()
    none = "no instance"
    return [
        (str(s), number(int(n)), number(int(masks[s])) if s in masks else none)
        for s, n in sizes.items()
    ]


def class_rows(categories: list[str], unique: pd.DataFrame) -> list[dict[str, Any]]:
    """A line a class that has instances, the largest first; the others are named in one.

    Args:
        categories: names by label.
        unique: rows of the instances table, each instance once.

    Returns:
        ``label``, ``name``, ``count`` and ``cells``: instances, median side in px, mean quality,
        share below a half. The last line's label is None where classes have no instance.
    """
    lines: list[dict[str, Any]] = []
    for label, name in enumerate(categories):
        of = unique[unique["category_id"] == label]
        if of.empty:
            continue
        cells = [
            number(len(of)),
            number(float(np.sqrt(of["area"]).median()), 0),
            _mean(of["quality"]),
            percent(float((of["quality"] < 0.5).mean())),
        ]
        lines.append({"label": label, "name": name, "count": len(of), "cells": cells})
    lines.sort(key=lambda line: (-line["count"], line["label"]))
    there = {line["label"] for line in lines}
    if absent := [name for label, name in enumerate(categories) if label not in there]:
        lines.append({"label": None, "name": ", ".join(absent), "count": 0, "cells": []})
    return lines


def _dropped(manifest: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Reason, count and threshold of what the release left out; others are not told."""
    parameters = manifest["parameters"]
    return [
        (reason.replace("_", " "), number(count), number(parameters.get(reason), 2))
        for reason, count in manifest["counts"]["dropped"].items()
        if count
    ]
