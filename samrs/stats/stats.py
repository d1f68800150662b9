"""What the released subsets hold: counts, sizes, overlap and quality, per subset and per class.

Classes and histograms are maps by name, never lists, which ``dvc metrics show`` and ``diff`` leave
out; ``stats/plots.py`` writes them as CSV and as the plots of the SAMRS paper.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from samrs.core.errors import ProductError
from samrs.core.records import WAYS, first_label, label_names
from samrs.core.shards import read_manifest, read_table

SIZE_BIN = 50
NUM_SIZE_BINS = 40
"""Mask sizes are counted in bins of 50 px, as in the SAMRS paper, the last one open at 2,000 px."""

QUALITY = {
    "mean_predicted_iou": "predicted_iou",
    "mean_stability_score": "stability_score",
    "mean_box_iou": "box_iou",
    "mean_obb_iou": "obb_iou",
    "mean_outside": "outside",
}
QUANTILES = {"size_p10": 0.1, "size_p50": 0.5, "size_p90": 0.9}
COLUMNS = ["instance_id", "tile_id", "category_id", "area", *QUALITY.values()]


def _mean(values: pd.Series[float]) -> float | None:
    """Mean of the values that are there; None when none is."""
    mean = values.mean()
    return None if np.isnan(mean) else round(float(mean), 4)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0


def _label_pixels(release: Path, manifest: Mapping[str, Any]) -> list[int]:
    """Px of each label over all semantic maps, as ``release`` counted them."""
    pixels: list[int] | None = manifest.get("label_pixels")
    if pixels is None or len(pixels) != len(label_names(manifest)):
        raise ProductError(
            f"{release}/manifest.json: px of the labels do not match their names, got "
            f"{pixels} for {len(label_names(manifest))}; one number each is allowed; run the "
            "stage release again"
        )
    return pixels


def _instances(release: Path) -> pd.DataFrame:
    """What is measured of every instance; ids as numbers, which compare faster than texts."""
    table = read_table(release, "instances", COLUMNS)
    for name in ("instance_id", "tile_id"):
        numbers = table[name].combine_chunks().dictionary_encode().indices
        table = table.set_column(table.column_names.index(name), name, numbers)
    rows: pd.DataFrame = table.to_pandas()
    return rows


def size_histogram(areas: NDArray[np.int64]) -> dict[str, int]:
    """Masks by size in px: ``0-50`` counts 0 <= area < 50, and so on; the last bin is ``2000+``."""
    bins = np.minimum(areas // SIZE_BIN, NUM_SIZE_BINS)
    counts = np.bincount(bins, minlength=NUM_SIZE_BINS + 1)
    lows = range(0, NUM_SIZE_BINS * SIZE_BIN, SIZE_BIN)
    names = [*(f"{low}-{low + SIZE_BIN}" for low in lows), f"{NUM_SIZE_BINS * SIZE_BIN}+"]
    return {name: int(count) for name, count in zip(names, counts, strict=True)}


def _class(label: int, rows: pd.DataFrame, semantic_pixels: int) -> dict[str, Any]:
    sizes = {k: round(float(rows["area"].quantile(q)), 1) for k, q in QUANTILES.items()}
    return {
        "category_id": label,
        "instances": len(rows),
        "pixels": int(rows["area"].sum()),
        "semantic_pixels": semantic_pixels,
        "tiles": int(rows["tile_id"].nunique()),
        **(sizes if len(rows) else dict.fromkeys(QUANTILES)),
    }


def _scenes(release: Path, counts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Instances once each on their scenes; None of a release made before these were joined."""
    if "scenes" not in counts:
        return None
    rows: pd.DataFrame = read_table(release, "joined", ["way", "area", "agreement"]).to_pandas()
    ways = rows["way"].value_counts()
    return {
        "scenes": counts["scenes"]["scenes"],
        "on_a_map": counts["scenes"]["on_a_map"],
        "instances": len(rows),
        "pixels": int(rows["area"].sum()),
        **{way: int(ways.get(way, 0)) for way in WAYS},
        "mean_agreement": _mean(rows["agreement"].astype(float)),
    }


def _subset(release: Path) -> dict[str, Any]:
    manifest = read_manifest(release)
    counts, categories = manifest["counts"], manifest["categories"]
    rows = _instances(release)
    pixels = _label_pixels(release, manifest)
    first = first_label(manifest)
    background, pixels = sum(pixels[:first]), pixels[first:]
    labelled = sum(pixels)
    per_tile = rows.groupby("tile_id").size()
    classes = {
        name: _class(i, rows[rows["category_id"] == i], pixels[i])
        for i, name in enumerate(categories)
    }
    return {
        "tiles": counts["tiles"],
        "tiles_empty": counts["tiles_empty"],
        "instances": len(rows),
        "instances_unique": int(rows["instance_id"].nunique()),
        "scenes": _scenes(release, counts),
        "classes_present": sum(c["instances"] > 0 for c in classes.values()),
        "pixels": int(rows["area"].sum()),
        "labelled_share": _share(labelled, counts["pixels"]),
        "background_share": _share(background, counts["pixels"]),
        "overlap_share": _share(counts["overpainted_pixels"], labelled),
        "contested_share": _share(counts["contested_pixels"], labelled),
        "instances_per_tile_mean": round(len(rows) / counts["tiles"], 4) if counts["tiles"] else 0,
        "instances_per_tile_max": int(per_tile.max()) if len(per_tile) else 0,
        **{name: _mean(rows[column].astype(float)) for name, column in QUALITY.items()},
        "dropped": counts["dropped"],
        "classes": classes,
        "mask_sizes": size_histogram(rows["area"].to_numpy(dtype=np.int64)),
    }


def stats(releases: Mapping[str, Path]) -> dict[str, Any]:
    """Measure released subsets.

    Args:
        releases: folder of each release product, by the subset's name.

    Returns:
        By subset: tiles, instances (an instance seen in two tiles counts twice; once in
        ``instances_unique``), mask px; ``scenes``, where each stands once, by how its mask was
        joined, with the mean agreement of tiles; shares of all px (``labelled_share``,
        ``background_share``, which is 0 where maps do not tell it) and of labelled px
        (``overlap_share``: under two or more masks, ``contested_share``: of different classes);
        mean scores (None where the segmenter has none), instances dropped by reason; ``classes``
        by name, in the order of label ids, with size quantiles in px; ``mask_sizes``, see
        ``size_histogram``.

    Raises:
        MissingInputError: a release product is not there.
        ProductError: it is of a version that did not count the px of labels.
    """
    return {name: _subset(path) for name, path in releases.items()}


def over_subsets(subsets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The values that a table of experiments has room for, over all subsets.

    Args:
        subsets: as ``stats`` returns them.

    Returns:
        ``instances``, and the means over these of ``box_iou`` and ``outside``; None without any.
    """
    counts = [subset["instances"] for subset in subsets.values()]

    def mean(measure: str) -> float | None:
        pairs = zip((subset[measure] for subset in subsets.values()), counts, strict=True)
        known = [(value, count) for value, count in pairs if value is not None]
        total = sum(count for _, count in known)
        return round(sum(v * n for v, n in known) / total, 4) if total else None

    return {
        "instances": sum(counts),
        "box_iou": mean("mean_box_iou"),
        "outside": mean("mean_outside"),
    }
