from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from samrs.core.errors import ParameterError, ProductError
from samrs.core.images import decode_labels
from samrs.core.records import RELEASED, SEMANTIC
from samrs.core.shards import (
    iter_rows,
    read_manifest,
    read_table,
    verify_product,
    write_manifest,
    write_table,
)
from samrs.release.quality import read_quality
from samrs.release.thresholds import DROP_REASONS
from tests.products_by_hand import CATEGORIES, OPEN, QUALITY, Thing, release, write

TILES = ["a__0_0", "b__0_0", "c__0_0"]
THINGS = [
    Thing("a__0_0", "harbor", (0, 0, 20, 20)),
    Thing("a__0_0", "ship", (5, 5, 10, 10)),
    Thing("c__0_0", "plane", (1, 1, 3, 3)),
]


BAD_SCORES = {
    "predicted_iou": 0.2,
    "stability_score": 0.3,
    "box_iou": 0.2,
    "obb_iou": 0.2,
    "components": 9,
}


def run(root: Path, things: list[Thing] = THINGS, **changes: Any) -> tuple[dict[str, Any], Path]:
    normalized, labelled = write(root, TILES, things)
    out = root / "release" / "sota"
    return release(normalized, labelled, out, QUALITY, **{**OPEN, **changes}), out


def maps(out: Path) -> dict[str, Any]:
    rows = iter_rows(out, "semantic")
    return {r["tile_id"]: decode_labels(r["label_map"]["bytes"], r["tile_id"]) for r in rows}


def test_everything_is_kept_when_no_threshold_bites(tmp_path):
    counts, out = run(tmp_path)
    assert (counts["tiles"], counts["tiles_empty"]) == (3, 1)
    assert (counts["instances"], counts["kept"]) == (3, 3)
    assert counts["dropped"] == dict.fromkeys(DROP_REASONS, 0)
    assert counts["labelled_pixels"] == 400 + 4
    assert counts["pixels"] == 3 * 64 * 64
    assert (counts["overpainted_pixels"], counts["contested_pixels"]) == (25, 25)
    assert read_table(out, "instances").schema.equals(RELEASED)
    assert read_table(out, "semantic").schema.equals(SEMANTIC)
    assert [r["instance_id"] for r in iter_rows(out, "instances")] == ["a#0", "a#1", "c#2"]


def test_label_ids_are_the_order_of_categories(tmp_path):
    _, out = run(tmp_path)
    labels = maps(out)
    assert labels["a__0_0"][15, 15] == CATEGORIES.index("harbor") == 2
    assert labels["a__0_0"][7, 7] == CATEGORIES.index("ship") == 1
    assert labels["c__0_0"][2, 2] == CATEGORIES.index("plane") == 0
    assert read_manifest(out)["categories"] == CATEGORIES


def test_tile_without_instances_stays_as_an_unlabelled_map(tmp_path):
    _, out = run(tmp_path)
    assert (maps(out)["b__0_0"] == 255).all()
    assert list(maps(out)) == TILES


@pytest.mark.parametrize(
    ("thing", "changes", "reason"),
    [
        (Thing("a__0_0", "ship", (0, 0, 0, 0)), {}, "empty_mask"),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), difficult=True),
            {"keep_difficult": False},
            "difficult",
        ),
        (Thing("a__0_0", "ship", (0, 0, 3, 3)), {"min_area": 10}, "min_area"),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"predicted_iou": 0.49}),
            {"min_predicted_iou": 0.5},
            "min_predicted_iou",
        ),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"stability_score": 0.49}),
            {"min_stability": 0.5},
            "min_stability",
        ),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"outside": 0.3}),
            {"max_outside": 0.2},
            "max_outside",
        ),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"box_iou": 0.49}),
            {"min_box_iou": 0.5},
            "min_box_iou",
        ),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"obb_iou": 0.49}),
            {"min_obb_iou": 0.5},
            "min_obb_iou",
        ),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores={"components": 4}),
            {"max_parts": 3},
            "max_parts",
        ),
        (
            Thing("a__0_0", "ship", (0, 0, 9, 9), scores=BAD_SCORES),
            {"min_quality": 0.7},
            "min_quality",
        ),
    ],
)
def test_dropped_instance_is_counted_by_reason(tmp_path, thing, changes, reason):
    keep = Thing("b__0_0", "ship", (0, 0, 5, 5))
    counts, out = run(tmp_path, [thing, keep], **changes)
    assert counts["dropped"] == {**dict.fromkeys(DROP_REASONS, 0), reason: 1}
    assert (counts["instances"], counts["kept"]) == (2, 1)
    assert (maps(out)["a__0_0"] == 255).all()
    assert read_manifest(out)["counts"] == counts


def test_instance_that_fails_twice_counts_under_the_first_reason(tmp_path):
    counts, _ = run(tmp_path, [Thing("a__0_0", "ship", (0, 0, 0, 0), difficult=True)], min_area=9)
    assert counts["dropped"]["empty_mask"] == sum(counts["dropped"].values()) == 1


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_segmenter_without_scores_passes_the_score_thresholds(tmp_path, nothing):
    scores = {"predicted_iou": nothing, "stability_score": nothing, "obb_iou": nothing}
    thing = Thing("a__0_0", "ship", (0, 0, 9, 9), scores=scores)
    limits = {"min_predicted_iou": 1.0, "min_stability": 1.0, "min_obb_iou": 1.0}
    counts, _ = run(tmp_path, [thing], **limits)
    assert counts["kept"] == 1


def test_score_at_the_threshold_is_kept(tmp_path):
    scores = {"predicted_iou": 0.5, "stability_score": 0.5, "outside": 0.25}
    thing = Thing("a__0_0", "ship", (0, 0, 3, 3), scores=scores)
    counts, _ = run(
        tmp_path, [thing], min_area=9, min_predicted_iou=0.5, min_stability=0.5, max_outside=0.25
    )
    assert counts["kept"] == 1


def test_every_released_mask_has_an_estimate_of_its_quality(tmp_path):
    things = [*THINGS, Thing("c__0_0", "ship", (20, 20, 29, 29), scores=BAD_SCORES)]
    counts, out = run(tmp_path, things)
    good, *_, bad = (row["quality"] for row in iter_rows(out, "instances"))
    assert 1 >= good > bad + 0.2 > 0.2
    values = [row["quality"] for row in iter_rows(out, "instances")]
    assert counts["quality"]["mean"] == pytest.approx(sum(values) / 4, abs=1e-4)
    assert counts["quality"]["below_half"] == sum(value < 0.5 for value in values) / 4


def test_a_release_of_nothing_has_no_quality(tmp_path):
    counts, _ = run(tmp_path, [])
    assert counts["quality"] == {"mean": None, "below_half": None}


def test_estimates_for_labels_of_another_model_are_said_to_be_uncalibrated(tmp_path, caplog):
    _, out = run(tmp_path, min_quality=0.1)
    said = read_manifest(out)["quality"]
    assert said["calibrated"] is False
    assert said["uncalibrated"].startswith("model_sha256 00ff, fitted on ")
    assert said["fitted_on"]["segmenter"] == "sam"
    assert "quality is no more than a rank for these labels" in caplog.text


def test_labels_of_what_the_estimate_was_fitted_on_are_calibrated(tmp_path):
    normalized, labelled = write(tmp_path, TILES, THINGS)
    fitted = read_quality(QUALITY).about["fitted_on"]
    labels = read_manifest(labelled)
    write_manifest(labelled, {**labels, "model_sha256": fitted["model_sha256"]})
    release(normalized, labelled, tmp_path / "out", QUALITY, **OPEN)
    said = read_manifest(tmp_path / "out")["quality"]
    assert (said["calibrated"], said["uncalibrated"]) == (True, None)


def test_tiles_are_the_bytes_of_normalize(tmp_path):
    _, out = run(tmp_path)
    name = "tiles-00000.parquet"
    assert (out / name).read_bytes() == (tmp_path / "normalize" / "dota" / name).read_bytes()


def test_same_input_gives_the_same_bytes(tmp_path):
    _, a = run(tmp_path / "a")
    _, b = run(tmp_path / "b")
    assert sorted(p.name for p in a.iterdir()) == sorted(p.name for p in b.iterdir())
    assert all(p.read_bytes() == (b / p.name).read_bytes() for p in a.iterdir())


def test_manifest_says_whose_images_they_are(tmp_path):
    _, out = run(tmp_path)
    said = {"format": "dota", "origin": "demo", "terms": "academic use only"}
    assert read_manifest(out).items() >= said.items()


def test_manifest_says_what_was_done(tmp_path):
    _, out = run(tmp_path, min_area=4)
    manifest = read_manifest(out)
    assert (manifest["product"], manifest["subset"]) == ("release", "SOTA")
    assert manifest["dataset"] == "dota"
    assert manifest["terms"] == "academic use only"
    assert manifest["parameters"] == {**OPEN, "min_area": 4}
    assert (manifest["recipe"], manifest["model"], manifest["model_sha256"]) == (
        "hbox",
        "nano",
        "00ff",
    )
    assert manifest["palette"] == [[0, 127, 255], [0, 63, 0], [0, 127, 63]]
    assert verify_product(out) == 3 + 3 + 3 + 3 + 3  # with scenes, and instances joined on them


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_area": -1}, r"release\.min_area: out of range, got -1"),
        ({"min_predicted_iou": 1.5}, r"release\.min_predicted_iou: out of range, got 1\.5"),
        ({"min_stability": math.nan}, r"release\.min_stability: out of range, got nan"),
        ({"max_outside": -0.1}, r"release\.max_outside: out of range, got -0\.1"),
        ({"min_quality": 2}, r"release\.min_quality: out of range, got 2"),
        ({"margin": -0.1}, r"release\.margin: out of range, got -0\.1; 0 of a box's sides"),
        ({"max_hole": 1.1}, r"release\.max_hole: out of range, got 1\.1; 0 to 1 is"),
        ({"max_parts": -1}, r"release\.max_parts: out of range, got -1; 0 parts or more"),
        ({"min_part": None}, r"release\.min_part: out of range, got None"),
        ({"overrides": {"dota": {"margins": 1}}}, r"dota: unknown .* margins; .*mean margin\?"),
        ({"overrides": {"dior": {"core": 2}}}, r"overrides\.dior\.core: out of range, got 2"),
        ({"overrides": {"dota/shp": {}}}, r"dota/shp: unknown class, got 'shp'; .*mean ship\?"),
        ({"overlap": "random"}, r"release\.overlap: unknown rule, got 'random'"),
    ],
)
def test_bad_parameter_is_refused_before_anything_is_replaced(tmp_path, changes, message):
    _, out = run(tmp_path)
    before = sorted(out.iterdir())
    with pytest.raises(ParameterError, match=message):
        run(tmp_path, **changes)
    assert sorted(out.iterdir()) == before


@pytest.mark.parametrize("change", [lambda m: m[:-1], lambda m: m[::-1]])
def test_masks_of_other_instances_are_refused(tmp_path, change):
    normalized, labelled = write(tmp_path, TILES, THINGS)
    masks = list(iter_rows(labelled, "masks"))
    write_table(labelled, "masks", read_table(labelled, "masks").schema, change(masks))
    with pytest.raises(ProductError, match="masks do not belong to the instances"):
        release(normalized, labelled, tmp_path / "out", QUALITY, **OPEN)


def test_instances_of_an_unknown_tile_are_refused(tmp_path):
    normalized, labelled = write(tmp_path, TILES, [Thing("z__0_0", "ship", (0, 0, 5, 5))])
    with pytest.raises(ProductError, match="instances do not follow the tiles, got those of 'z__"):
        release(normalized, labelled, tmp_path / "out", QUALITY, **OPEN)


def test_mask_of_another_size_than_its_tile_is_refused(tmp_path):
    rle = {"size": [32, 32], "counts": "PP1"}
    thing = Thing("a__0_0", "ship", (0, 0, 5, 5), scores={"rle": rle})
    normalized, labelled = write(tmp_path, TILES, [thing])
    with pytest.raises(ProductError, match=r"does not fit its tile, got size \[32, 32\]"):
        release(normalized, labelled, tmp_path / "out", QUALITY, **OPEN)


def test_more_categories_than_a_label_map_can_hold_are_refused(tmp_path):
    normalized, labelled = write(tmp_path, TILES, THINGS)
    manifest = read_manifest(normalized)
    write_manifest(normalized, {**manifest, "categories": [f"c{i}" for i in range(256)]})
    with pytest.raises(ProductError, match="too many categories for 8-bit label maps, got 256"):
        release(normalized, labelled, tmp_path / "out", QUALITY, **OPEN)


def test_another_value_is_for_its_dataset_and_its_class_only(tmp_path):
    overrides = {"dota/ship": {"min_area": 30}, "dota": {"min_area": 10}, "dior": {"min_area": 999}}
    counts, out = run(tmp_path, min_area=500, overrides=overrides)
    assert [row["category"] for row in iter_rows(out, "instances")] == ["harbor"]
    assert counts["dropped"]["min_area"] == 2  # a ship of 25 px, a plane of 4
    said = read_manifest(out)["parameters"]["overrides"]
    assert said == {"dota": {"min_area": 10}, "dota/ship": {"min_area": 30}}


def test_a_threshold_is_of_the_clean_mask_but_for_what_lies_outside_the_box(tmp_path):
    thing = Thing("a__0_0", "ship", (0, 0, 40, 10), scores={"outside": 0.75, "box_iou": 0.25})
    normalized, labelled = write(tmp_path, TILES, [thing])
    rows = list(iter_rows(normalized, "instances"))
    rows[0]["hbb"] = [0.0, 0.0, 10.0, 10.0]
    write_table(normalized, "instances", read_table(normalized, "instances").schema, rows)

    def dropped(**changes: Any) -> list[str]:
        given = {**OPEN, "margin": 0.0, **changes}
        counts = release(normalized, labelled, tmp_path / "out", QUALITY, **given)
        return [reason for reason, count in counts["dropped"].items() if count]

    assert dropped(min_box_iou=1.0) == []
    assert dropped(min_box_iou=1.0, margin=None) == ["min_box_iou"]
    assert dropped(min_area=101) == ["min_area"]
    assert dropped(max_outside=0.5) == ["max_outside"]


def test_a_mask_of_which_nothing_is_left_is_dropped_and_counted(tmp_path):
    normalized, labelled = write(tmp_path, TILES, [Thing("a__0_0", "ship", (30, 30, 40, 40))])
    rows = list(iter_rows(normalized, "instances"))
    rows[0]["hbb"] = [0.0, 0.0, 10.0, 10.0]
    write_table(normalized, "instances", read_table(normalized, "instances").schema, rows)
    counts = release(normalized, labelled, tmp_path / "o", QUALITY, **{**OPEN, "margin": 0.1})
    assert counts["dropped"]["nothing_left"] == sum(counts["dropped"].values()) == 1
    assert counts["cleaned"] == {"instances": 0, "removed_pixels": 0, "added_pixels": 0}
