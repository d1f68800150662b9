"""Applying the bundled estimate: what it may depend on, what it may not, and what it costs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.errors import MissingInputError, ProductError
from samrs.core.records import RELEASED
from samrs.fit_quality.fit_quality import columns_of
from samrs.release.quality import FEATURES, features, read_quality
from tests.fit_quality.by_hand import scored_masks
from tests.products_by_hand import QUALITY

COLUMNS = columns_of(scored_masks(5, 400))
BUNDLED = read_quality(QUALITY)
SHARE = st.floats(0, 1)


def changed(**changes: Any) -> dict[str, Any]:
    """The scores of one good mask, some of them others."""
    good: dict[str, Any] = {
        "hbb": [10, 10, 40, 50],
        "area": 800,
        "mask_hbb": [10, 10, 40, 50],
        "predicted_iou": 0.9,
        "stability_score": 0.95,
        "box_iou": 0.98,
        "obb_iou": 0.8,
        "outside": 0.0,
        "components": 1,
    }
    return {name: [value] for name, value in {**good, **changes}.items()}


def test_features_of_a_box_10_by_5_px() -> None:
    (row,) = features(
        changed(hbb=[2, 3, 12, 8], mask_hbb=[2, 3, 7, 8], area=20, components=4, obb_iou=None)
    )
    found = dict(zip(FEATURES, row, strict=True))
    assert (found["filled"], found["mask_filled"]) == (20 / 50, 20 / 25)
    assert (found["parts"], found["elongation"]) == (2, 1)
    assert found["side"] == pytest.approx(np.log2(50) / 2)
    assert np.isnan(found["obb_iou"])
    assert np.isnan(found["disagreement"])


def test_a_mask_without_px_has_quality_0_and_no_other_has_more_than_1() -> None:
    estimate = BUNDLED.estimate(COLUMNS)
    assert ((estimate >= 0) & (estimate <= 1)).all()
    assert BUNDLED.estimate(changed(area=0, mask_hbb=[0, 0, 0, 0])).tolist() == [0]


def test_a_mask_that_fits_in_every_way_is_better_than_one_that_does_not() -> None:
    good, bad = (
        BUNDLED.estimate(columns)[0]
        for columns in (
            changed(),
            changed(predicted_iou=0.3, stability_score=0.3, box_iou=0.2, obb_iou=0.1, components=9),
        )
    )
    assert good > bad + 0.3


@given(SHARE, SHARE, st.sampled_from([name for name, sign in FEATURES.items() if sign]))
def test_better_scores_never_lower_the_estimate(a: float, b: float, name: str) -> None:
    low, high = sorted([a, b])
    column = "components" if name == "parts" else name
    values = [1 + round(9 * low), 1 + round(9 * high)] if name == "parts" else [low, high]
    estimates = [BUNDLED.estimate(changed(**{column: value}))[0] for value in values]
    assert (estimates[1] - estimates[0]) * FEATURES[name] >= 0


def test_the_estimate_of_a_mask_does_not_depend_on_the_others() -> None:
    alone = [
        BUNDLED.estimate({name: values[i : i + 1] for name, values in COLUMNS.items()})[0]
        for i in range(40)
    ]
    assert BUNDLED.estimate(COLUMNS)[:40].tolist() == alone


def test_masks_without_a_segmenters_scores_are_estimated_too() -> None:
    names = ("predicted_iou", "stability_score", "obb_iou")
    blind = BUNDLED.estimate({**COLUMNS, **{name: np.full(400, np.nan) for name in names}})
    assert ((blind > 0) & (blind < 1)).all()
    assert np.ptp(blind) > 0.1
    assert BUNDLED.estimate(changed(**dict.fromkeys(names))).shape == (1,)


def test_arrow_columns_with_nulls_give_what_arrays_with_nan_give() -> None:
    lists = {name: values.tolist() for name, values in COLUMNS.items()}
    lists["obb_iou"] = [None if np.isnan(v) else v for v in lists["obb_iou"]]
    lists |= {name: [int(v) for v in lists[name]] for name in ("area", "components")}
    arrow = {
        name: pa.chunked_array([pa.array(values, RELEASED.field(name).type)])
        for name, values in lists.items()
    }
    empty = {name: column.slice(0, 0) for name, column in arrow.items()}
    assert BUNDLED.of_columns(arrow).tolist() == BUNDLED.estimate(COLUMNS).tolist()
    assert BUNDLED.of_columns(empty).tolist() == []


def test_a_release_of_samrs_size_is_estimated_in_time() -> None:
    count = 50_000
    columns = {name: np.resize(v, (count, *v.shape[1:])) for name, v in COLUMNS.items()}
    begun = time.process_time()
    BUNDLED.estimate(columns)
    # 1.67 million instances are to be filtered anew in 60 s; the estimate may take a third
    assert time.process_time() - begun < 20 * count / 1_670_000


def test_labels_of_what_it_was_not_fitted_on_are_said_to_be_uncalibrated() -> None:
    fitted = BUNDLED.about["fitted_on"]
    labels = {**fitted, "recipe": "+".join(fitted["prompts"][:2])}
    assert BUNDLED.uncalibrated(labels) is None
    assert BUNDLED.uncalibrated({**labels, "recipe": "soft_rbox+two_sizes@96"}) is None
    assert BUNDLED.uncalibrated({**labels, "recipe": "fit@96"}) is None
    told = str(BUNDLED.uncalibrated({**labels, "recipe": "fit@96+vague@3+dim"}))
    assert told.startswith("prompts dim, vague, fitted on consensus, fit, hbox, ")
    assert "segmenter grabcut" in str(BUNDLED.uncalibrated({**labels, "segmenter": "grabcut"}))
    assert "model_sha256 00ff" in str(BUNDLED.uncalibrated({**labels, "model_sha256": "00ff"}))


def test_the_bundled_file_says_what_it_was_fitted_on_and_does_well_there() -> None:
    about = BUNDLED.about
    assert about["first_seed"] >= 30_000_000
    assert about["held_out"]["spearman"] > 0.6
    assert about["held_out"]["ece"] < 0.05
    assert "hbox" in about["fitted_on"]["prompts"]


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no fitted estimate of quality, .*fit-quality"):
        read_quality(tmp_path / "quality.json")


@pytest.mark.parametrize("change", [{"format": 0}, {"features": ["side"]}])
def test_a_file_of_another_version_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "quality.json"
    path.write_text(json.dumps({**json.loads(QUALITY.read_text()), **change}))
    with pytest.raises(ProductError, match="not of this version"):
        read_quality(path)


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"<<<<<<< HEAD\n{}", b"\xff\xfe"])
def test_a_broken_file_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "quality.json"
    path.write_bytes(text)
    with pytest.raises(ProductError, match=r"quality.json: no fitted estimate.*a broken file"):
        read_quality(path)
