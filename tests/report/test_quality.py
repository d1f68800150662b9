"""The section on quality: the estimates of a release, and what was measured where it could be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samrs.core.shards import read_manifest, read_table, write_manifest
from samrs.fit_quality.fit_quality import columns_of
from samrs.release.quality import read_quality
from samrs.report.quality import quality_section
from tests.ablation.frames import measured as ablation
from tests.label.hand_made import write_product
from tests.products_by_hand import QUALITY, Thing
from tests.report.releases import write_release


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, pd.DataFrame]:
    """What an ablation left, the product it measured, and its frame."""
    root = tmp_path_factory.mktemp("measured")
    product = write_product(root / "hand")
    frame = ablation(product)
    frame.to_parquet(root / "instances.parquet")
    return root / "instances.parquet", product, frame


@pytest.fixture
def release(tmp_path: Path) -> Path:
    things = [
        Thing("a__0_0", "ship", (0, 0, 40, 40), "worst", scores={"box_iou": 0.25}),
        Thing("a__0_0", "ship", (5, 5, 12, 12), "good"),
        Thing("b__0_0", "ship", (5, 5, 12, 12), "good"),
    ]
    return write_release(tmp_path, "sota", ["a__0_0", "b__0_0"], things)


def test_the_estimates_of_all_instances_are_counted_once(release: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    section = quality_section({"sota": release}, nothing, nothing, QUALITY)
    (panel,) = section["panels"]
    rows = read_table(release, "instances", ["instance_id", "quality"]).to_pandas()
    unique = rows.drop_duplicates("instance_id")["quality"]
    assert panel["name"] == "SOTA, estimated"
    assert sum(int(line["bars"][0]["text"]) for line in panel["bars"]) == len(unique) == 2
    assert f"2 instances, mean {unique.mean():.2f}" in panel["note"]
    assert "No mask of these recipes was measured" in section["note"]


def test_estimates_stand_beside_what_was_measured_of_the_same_masks(
    release: Path, measured: tuple[Path, Path, pd.DataFrame]
) -> None:
    path, product, frame = measured
    about = {k: v for k, v in read_manifest(release).items() if k != "files"}
    write_manifest(release, {**about, "recipe": "rbox"})
    section = quality_section({"sota": release}, path, product, QUALITY)
    _, panel = section["panels"]
    rows = frame[frame["recipe"] == "rbox"]
    said = read_quality(QUALITY).estimate(columns_of(rows))
    assert panel["name"] == f"{read_manifest(product)['dataset']}, measured (rbox)"
    assert f"mean estimate {said.mean():.2f}, mean IoU {rows['iou'].mean():.2f}" in panel["note"]
    counts = np.histogram(rows["iou"], np.linspace(0, 1, 11))[0]
    shown = [line["bars"][1]["text"] for line in panel["bars"]]
    assert shown == [f"{100 * n / len(rows):.1f} %" for n in counts]
    assert "Where true masks are known" in section["note"]


def test_a_recipe_that_was_not_measured_stands_alone(
    release: Path, measured: tuple[Path, Path, pd.DataFrame]
) -> None:
    path, product, _ = measured
    about = {k: v for k, v in read_manifest(release).items() if k != "files"}
    write_manifest(release, {**about, "recipe": "zoom"})
    assert len(quality_section({"sota": release}, path, product, QUALITY)["panels"]) == 1
