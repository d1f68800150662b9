"""Instances shown under every recipe: which ones, and with what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samrs.comparison.side_by_side import pick_instances, side_by_side
from samrs.measures.groups import in_bin
from tests.ablation.frames import measured as ablation
from tests.label.hand_made import write_product


def frame_of(areas: list[int], ious: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "kind": "recipe",
            "recipe": "hbox",
            "tile_id": "t",
            "instance_id": [f"{i:03d}" for i in range(len(areas))],
            "true_area": areas,
            "iou": ious,
        }
    )


def test_picked_instances_spread_over_sizes_and_quality() -> None:
    rng = np.random.default_rng(0)
    areas = [int(side**2) for side in rng.uniform(5, 150, 200)]
    frame = frame_of(areas, list(rng.uniform(0, 1, 200)))
    picked = pick_instances(frame, 12)
    assert picked["bin"].value_counts().to_dict() == {
        "<16²": 3, "16²–32²": 3, "32²–96²": 3, ">96²": 3
    }  # fmt: skip
    both = picked.merge(frame, on=["tile_id", "instance_id"])
    for name, part in both.groupby("bin"):
        assert in_bin(part["true_area"].to_numpy(), str(name)).all()
        assert part["iou"].is_monotonic_increasing
        assert part["iou"].iloc[0] < 0.4 < 0.6 < part["iou"].iloc[-1]
    turned = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(pick_instances(turned, 12), picked)


@pytest.mark.parametrize(("small", "large"), [(1, 30), (30, 2), (3, 4), (0, 5)])
def test_a_bin_with_few_instances_leaves_its_places_to_others(small: int, large: int) -> None:
    count = small + large
    frame = frame_of([100] * small + [100**2] * large, list(np.linspace(0, 1, count)))
    picked = pick_instances(frame, 12)
    assert len(picked) == len(picked.drop_duplicates()) == min(12, count)
    assert (picked["bin"] == "<16²").sum() == min(small, max(6, 12 - large))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    product = write_product(tmp_path_factory.mktemp("side") / "hand")
    return product, ablation(product)


def test_every_recipe_is_shown_for_every_picked_instance(
    measured: tuple[Path, pd.DataFrame],
) -> None:
    product, frame = measured
    shown = side_by_side(product, frame, 3)
    assert len(shown) == 3
    for entry in shown:
        assert [m["recipe"] for m in entry["masks"]] == ["hbox_mask", "rbox", "box"]
        assert [m["floor"] for m in entry["masks"]] == [False, False, True]
        ious = [m["iou"] for m in entry["masks"] if not m["floor"]]
        assert [m["best"] for m in entry["masks"]][:2] == [iou == max(ious) for iou in ious]
        pictures = [entry["picture"], *(m["picture"] for m in entry["masks"])]
        assert all(p.startswith("data:image/jpeg;base64,") for p in pictures)
    assert side_by_side(product, frame, 3) == shown
