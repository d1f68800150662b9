from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samrs.core.errors import MissingInputError
from samrs.stats.stats import over_subsets, size_histogram, stats
from tests.products_by_hand import CATEGORIES, OPEN, QUALITY, Thing, release, write

TILES = ["a__0_0", "b__0_0", "c__0_0"]
THINGS = [
    Thing("a__0_0", "harbor", (0, 0, 20, 20), "big"),
    Thing("a__0_0", "ship", (5, 5, 10, 10), "small"),
    Thing("c__0_0", "ship", (0, 0, 10, 10), "small"),
    Thing("c__0_0", "ship", (20, 20, 22, 22), "tiny"),
]


def measure(root: Path, things: list[Thing] = THINGS) -> dict[str, Any]:
    normalized, labelled = write(root, TILES, things)
    out = root / "release" / "sota"
    release(normalized, labelled, out, QUALITY, **{**OPEN, "min_area": 5})
    return stats({"sota": out})["sota"]


def test_instances_are_counted_in_every_tile_and_once(tmp_path):
    subset = measure(tmp_path)
    assert (subset["tiles"], subset["tiles_empty"]) == (3, 1)
    assert (subset["instances"], subset["instances_unique"]) == (3, 2)
    assert subset["dropped"]["min_area"] == 1
    assert subset["instances_per_tile_mean"] == 1.0
    assert subset["instances_per_tile_max"] == 2
    assert subset["classes_present"] == 2


def test_shares_are_of_all_and_of_labelled_pixels(tmp_path):
    subset = measure(tmp_path)
    labelled = 400 + 100
    assert subset["pixels"] == 400 + 25 + 100
    assert subset["labelled_share"] == round(labelled / (3 * 64 * 64), 6)
    assert subset["overlap_share"] == subset["contested_share"] == round(25 / labelled, 6)


def test_classes_stand_in_the_order_of_label_ids_with_their_numbers(tmp_path):
    classes = measure(tmp_path)["classes"]
    assert list(classes) == CATEGORIES
    assert [c["category_id"] for c in classes.values()] == [0, 1, 2]
    ship = classes["ship"]
    assert (ship["instances"], ship["pixels"], ship["tiles"]) == (2, 125, 2)
    assert ship["semantic_pixels"] == 125
    assert (ship["size_p10"], ship["size_p50"], ship["size_p90"]) == (32.5, 62.5, 92.5)
    assert classes["harbor"]["semantic_pixels"] == 400 - 25


def test_class_without_instances_has_zeros_and_no_sizes(tmp_path):
    plane = measure(tmp_path)["classes"][CATEGORIES[0]]
    assert (plane["instances"], plane["pixels"], plane["semantic_pixels"]) == (0, 0, 0)
    assert plane["size_p50"] is None


def test_nothing_is_a_list_which_dvc_metrics_show_leaves_out(tmp_path):
    assert "[" not in json.dumps(measure(tmp_path))


def test_mean_quality_leaves_out_missing_scores(tmp_path):
    things = [
        Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"predicted_iou": 0.5, "outside": 0.2}),
        Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"predicted_iou": None, "outside": 0.4}),
    ]
    subset = measure(tmp_path, things)
    assert subset["mean_predicted_iou"] == 0.5
    assert subset["mean_outside"] == 0.3
    none = {"predicted_iou": None, "stability_score": None}
    subset = measure(tmp_path, [Thing("a__0_0", "ship", (0, 0, 9, 9), scores=none)])
    assert subset["mean_predicted_iou"] is None


def test_release_without_instances_has_stats(tmp_path):
    subset = measure(tmp_path, [])
    assert (subset["instances"], subset["tiles_empty"]) == (0, 3)
    assert subset["mean_box_iou"] is None
    assert subset["overlap_share"] == 0.0


def test_mask_sizes_fall_in_bins_of_50_px_with_an_open_end():
    bins = size_histogram(np.array([0, 49, 50, 1999, 2000, 90_000]))
    assert {name: count for name, count in bins.items() if count} == {
        "0-50": 2,
        "50-100": 1,
        "1950-2000": 1,
        "2000+": 2,
    }
    assert len(bins) == 41


def test_missing_release_is_named(tmp_path):
    with pytest.raises(MissingInputError, match=r"sota/manifest\.json: no manifest"):
        stats({"sota": tmp_path / "sota"})


def test_the_headline_weighs_each_subset_by_its_instances():
    one = {"instances": 3, "mean_box_iou": 0.5, "mean_outside": None}
    two = {"instances": 1, "mean_box_iou": 0.9, "mean_outside": 0.25}
    found = over_subsets({"one": one, "two": two})
    assert found == {"instances": 4, "box_iou": 0.6, "outside": 0.25}
    assert over_subsets({})["box_iou"] is None
