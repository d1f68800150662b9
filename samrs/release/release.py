"""Labels to a released dataset: thresholds on the masks' scores, semantic maps by an overlap rule.

Units that share no scene (``units.py``) are released each by itself, by a process for each core
where there are many tiles, and kept: one that did not change is taken as it is. A unit is worked on
some thousand rows at a time in bounded memory. Nothing is dropped in silence: each dropped instance
counts under the first reason of DROP_REASONS that applies, in the metrics and in the manifest.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.parallel import MANY, map_stream
from samrs.core.records import BACKGROUND, CONFLICTS, IGNORE, RELEASED, SEMANTIC
from samrs.core.shards import (
    ShardWriter,
    fresh_product,
    read_manifest,
    write_manifest,
    write_table,
)
from samrs.corrections.read import read_corrections
from samrs.corrections.records import Corrections
from samrs.drawing.palette import label_palette
from samrs.release.background import NONE, check_background
from samrs.release.correcting import Correcting
from samrs.release.kept_units import kept_units, write_units
from samrs.release.overlap import check_rule
from samrs.release.quality import Quality, read_quality
from samrs.release.scenes import write_scenes
from samrs.release.selection import Selection
from samrs.release.semantic_maps import Totals, paint_chunk
from samrs.release.thresholds import DROP_REASONS, Thresholds, for_classes

log = logging.getLogger("samrs")

PROVENANCE = ("recipe", "segmenter", "model", "model_sha256", "precision")
"""What the labels' manifest says of how they were made: passed on."""


def _write(
    normalized: Path,
    labelled: Path,
    out: Path,
    corrections: Corrections,
    *,
    quality: Quality,
    limits: Mapping[str, NDArray[np.float64]],
    overlap: str,
    background: str,
) -> dict[str, Any]:
    """Write the tables of a unit but tiles; returns the counts, with those of ``write_scenes`` and
    the px of each label id (256,)."""
    chosen = Selection(normalized, labelled, quality, limits, overlap, background, corrections)
    totals = Totals()
    with (
        ShardWriter(out, "instances", RELEASED) as instances,
        ShardWriter(out, "semantic", SEMANTIC) as semantic,
    ):
        tiles = chosen.tiles.select(["tile_id", "split"]).to_pylist()
        many = len(tiles) >= MANY
        images = totals.images(map_stream(paint_chunk, chosen.chunks(instances), processes=many))
        for tile, image in zip(tiles, images, strict=True):
            semantic.write(
                {**tile, "label_map": {"bytes": image, "path": f"{tile['tile_id']}.png"}}
            )
    first = 0 if background == NONE else 1
    return {
        "tiles": len(tiles),
        "tiles_empty": int((~chosen.has_kept).sum()),
        "instances": chosen.instances,
        "kept": chosen.kept,
        "pixels": int(totals.label_pixels.sum()),
        "labelled_pixels": int(totals.label_pixels[first:IGNORE].sum()),
        "background_pixels": int(totals.label_pixels[:first].sum()),
        "overpainted_pixels": totals.overpainted,
        "contested_pixels": totals.contested,
        "dropped": dict(zip(DROP_REASONS, chosen.dropped.tolist(), strict=False)),
        "cleaned": {
            "instances": chosen.cleaned,
            "removed_pixels": chosen.removed_pixels,
            "added_pixels": chosen.added_pixels,
        },
        "quality": {
            "estimated": chosen.kept_estimated,
            "sum": chosen.kept_quality,
            "below_half": chosen.kept_bad,
        },
        "corrections": {**chosen.people.counts, "conflicts": _conflicts(out, chosen.people)},
        "scenes": write_scenes(normalized, out),
        "label_pixels": totals.label_pixels.tolist(),
    }


def _finished(counts: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """Sums of counts as the manifest has them, and the px of each label id."""
    quality, scenes = counts["quality"], counts["scenes"]
    label_pixels: list[int] = counts.pop("label_pixels")
    number = quality["estimated"]
    counts["quality"] = {
        "mean": round(quality["sum"] / number, 4) if number else None,
        "below_half": round(quality["below_half"] / number, 4) if number else None,
    }
    counts["scenes"] = scenes | {
        name: dict(sorted(scenes[name].items())) for name in ("crs", "ways")
    }
    return counts, label_pixels


def _conflicts(out: Path, people: Correcting) -> dict[str, int]:
    """Write the table conflicts, where there are any; returns their number by kind."""
    found = people.conflicts()
    if found:
        write_table(out, "conflicts", CONFLICTS, found)
    kinds = Counter(row["kind"] for row in found)
    return dict(sorted(kinds.items()))


def release(
    normalized: Path,
    labelled: Path,
    out: Path,
    quality_model: Path,
    corrections: Path | None = None,
    *,
    thresholds: Thresholds,
    overrides: Mapping[str, Mapping[str, Any]] | None,
    overlap: str,
    background: str,
    work: Path | None = None,
) -> dict[str, Any]:
    """Write one subset: tiles (normalize's own bytes), kept instances, semantic maps, manifest.

    Label ids follow the dataset's order of categories; tiles without a kept mask stay, as
    negatives: all 255, or background where no box is.

    Args:
        normalized: the dataset's normalize product.
        labelled: its sam_label product.
        out: the release product; replaced.
        quality_model: the estimate of masks' quality, ``samrs/models/quality.json``.
        corrections: what people said of the dataset's masks, ``data/corrections/<dataset>``;
            None: nothing.
        thresholds: how masks are cleaned, and which are kept.
        overrides: other values of the thresholds for one dataset or class, by
            ``<dataset>`` or ``<dataset>/<class>``.
        overlap: which mask is on top in semantic maps, one of ``samrs.release.overlap.RULES``.
        background: which px of the maps are background, one of
            ``samrs.release.background.RULES``; with it label 0 is the background, and each
            category's label is its number plus 1.
        work: folder of the subset's finished units, for the next run (``kept_units.py``); what it
            holds changes speed only. None keeps none.

    Returns:
        Numbers of tiles, instances and px (see ``SemanticMap``), dropped instances by reason;
        ``scenes`` as of ``write_scenes``; ``corrections``: what of it people made, and
        ``conflicts`` by kind;
        ``quality`` of those kept: ``mean`` estimate and share ``below_half`` (None without any).

    Raises:
        MissingInputError: there is no estimate of quality, or no folder of corrections.
        AnnotationError: a correction cannot be read, or names a class that there is not.
        ParameterError: a threshold is out of range, the rule of overlaps or of the background
            unknown, or the dataset has a class that is called background.
        ProductError: the masks are not those of these instances and tiles, or another process
            releases the subset with this ``work`` now.
    """
    check_rule(overlap)
    quality = read_quality(quality_model)
    source, labels = read_manifest(normalized), read_manifest(labelled)
    categories = _categories(source, normalized)
    check_background(background, categories)
    overrides = overrides or {}
    limits = for_classes(thresholds, overrides, source["dataset"], categories)
    if (reason := quality.uncalibrated(labels)) and thresholds.min_quality > 0:
        log.warning("release: quality is no more than a rank for these labels: %s", reason)
    said = Corrections() if corrections is None else read_corrections(corrections, categories)
    own = {k: dict(v) for k, v in overrides.items() if k.partition("/")[0] == source["dataset"]}
    rules = {"overlap": overlap, "background": background}
    parameters = {**asdict(thresholds), "overrides": own, **rules}
    how: dict[str, Any] = {"quality": quality, "limits": limits, **rules}
    decided = [parameters, *({**m, "shards": None} for m in (source, labels))]
    with kept_units(work, {"decided": decided}, [quality_model]) as kept:
        make, fresh = partial(_write, **how), fresh_product(out)
        done = write_units(normalized, labelled, fresh, said, make, kept)
    counts, label_pixels = _finished(done.counts)
    _warn_of_conflicts(out.name, counts["corrections"]["conflicts"])
    estimate = {**quality.about, "calibrated": reason is None, "uncalibrated": reason}
    about = {
        **_described(source, source["subset"] or out.name, label_pixels, background),
        "parameters": parameters,
        **{key: labels[key] for key in PROVENANCE if key in labels},
        "corrections": {"sha256": said.digest(), "records": said.counts()},
        "quality": estimate,
        "counts": counts,
    }
    write_manifest(out, about, done.digests)
    return counts


def _warn_of_conflicts(subset: str, conflicts: Mapping[str, int]) -> None:
    if number := sum(conflicts.values()):
        log.warning(
            "release %s: %d corrections do not fit any more and were not applied: samrs "
            "corrections check lists them",
            subset,
            number,
        )


def _categories(source: Mapping[str, Any], normalized: Path) -> list[str]:
    """A dataset's categories, of its manifest.

    Raises:
        ProductError: label maps have no room for them.
    """
    categories: list[str] = source["categories"]
    if len(categories) > IGNORE:
        raise ProductError(
            f"{normalized}: too many categories for 8-bit label maps, got {len(categories)}; "
            f"{IGNORE} are allowed; merge categories in the dataset"
        )
    return categories


def _described(
    source: Mapping[str, Any], subset: str, pixels: list[int], background: str
) -> dict[str, Any]:
    """What a release's manifest says of its dataset and of the labels of its maps.

    Args:
        source: the dataset's manifest.
        subset: the release's name.
        pixels: (256,) px of each label id.
        background: the rule.
    """
    categories = source["categories"]
    names = [*([] if background == NONE else [BACKGROUND]), *categories]
    return {
        "product": "release",
        "subset": subset,
        **{key: source[key] for key in ("dataset", "format", "origin", "terms")},
        "categories": categories,
        "labels": names,
        "palette": label_palette(names, categories),
        "label_pixels": pixels[: len(names)],
    }
