"""Measuring recipes and floors on a product: known answers, scores, what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from samrs.ablation.ablation import SECONDS, ablate
from samrs.comparison.tables import Measured, summarise, to_rows
from samrs.core.errors import MissingInputError, ProductError
from samrs.core.records import TRUTH
from samrs.core.rle import empty_rle
from samrs.core.shards import write_table
from samrs.label.scores import mask_scores
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.weights import find_checkpoint
from tests.label.hand_made import SIZE_HW, write_product

RUNTIME = {"executor": "local", "device": "cpu", "threads": 1}


def summary_of(frame: pd.DataFrame) -> dict[str, Any]:
    measured = Measured(frame)
    return summarise(measured, to_rows(measured))


def run(product: Path, recipes: list[str], segmenter: str = "obb") -> pd.DataFrame:
    return ablate(
        product,
        recipes=recipes,
        floors=["box", "obb", "grabcut"],
        checkpoint=find_checkpoint(segmenter, "nano"),
        precision="float32-fast",
        runtime=RUNTIME,
    )


def test_the_floors_of_turned_boxes_have_known_scores(tmp_path: Path) -> None:
    frame = run(write_product(tmp_path / "hand"), ["rbox", "hbox_mask"])
    summary = summary_of(frame)
    assert summary["instances"] == 5
    assert summary["floors"]["obb"]["all"]["miou_i"] > 0.99
    assert summary["floors"]["box"]["all"]["miou_i"] < 0.8
    assert summary["floors"]["obb"]["all"] == summary["recipes"]["rbox"]["all"]
    assert summary["best"] == "rbox"
    assert list(summary["floors"]) == ["box", "obb", "grabcut"]
    assert frame[frame["recipe"] == "rbox"]["fallback"].sum() == 1


def test_every_score_of_a_mask_stands_beside_its_iou(tmp_path: Path) -> None:
    frame = run(write_product(tmp_path / "hand"), ["rbox"])
    for _, row in frame.iterrows():
        found = mask_scores(row["rle"], row["hbb"], None)
        del found["obb_iou"]
        assert found == {name: row[name] for name in found}
    rbox = frame[frame["recipe"] == "rbox"]
    assert rbox["obb_iou"].isna().sum() == rbox["fallback"].sum() == 1
    assert (rbox["obb_iou"].dropna() == 1).all()
    assert frame["stability_score"].isna().all()
    assert set(frame["scene_id"]) <= {"a", "b", "c"}


def test_seconds_are_told_only_where_they_are_asked_for(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    given = {"recipes": ["rbox"], "floors": ["box"], "checkpoint": Checkpoint("obb", "nano")}
    timed = ablate(product, **given, precision="float32-fast", runtime=RUNTIME, timed=True)
    assert (timed[list(SECONDS)] >= 0).all(axis=None)
    plain = ablate(product, **given, precision="float32-fast", runtime=RUNTIME)
    pd.testing.assert_frame_equal(plain, timed.drop(columns=list(SECONDS)))


def test_an_instance_without_true_pixels_is_left_out(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    rle = empty_rle(SIZE_HW)
    write_table(product, "truth", TRUTH, [{"instance_id": "a-0", "tile_id": "a__0_0", "rle": rle}])
    with pytest.raises(ProductError, match="nothing to measure, got no instance with a true mask"):
        run(product, ["rbox"])


def test_a_product_without_truth_is_refused(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand", with_truth=False)
    with pytest.raises(MissingInputError, match="no truth shards"):
        run(product, ["rbox"])


def test_one_recipe_gives_the_same_masks_alone_and_among_others(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    alone = run(product, ["hbox"], "sam")
    among = run(product, ["point", "hbox"], "sam")
    pd.testing.assert_frame_equal(
        alone[alone["recipe"] == "hbox"].reset_index(drop=True),
        among[among["recipe"] == "hbox"].reset_index(drop=True),
    )
