"""Instances cut out and shown under every recipe: which ones, which part of the tile, how drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samrs.ablation.ablation import ablate
from samrs.comparison.side_by_side import PREDICTED, SIDE, TRUE, draw, pick_instances, side_by_side
from samrs.core.images import decode_rgb
from samrs.core.rle import hbb_to_rle
from samrs.core.shards import read_table
from samrs.drawing.crops import load_cells, window
from samrs.measures.groups import in_bin
from samrs.weights.checkpoint import Checkpoint
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


@pytest.mark.parametrize(
    ("hbb", "expected"),
    [
        ((40, 40, 60, 50), (34, 29, 32, 32)),
        ((0, 0, 20, 10), (0, 0, 32, 32)),
        ((140, 110, 160, 120), (128, 88, 32, 32)),
        ((0, 0, 160, 120), (0, 0, 160, 120)),
    ],
)
def test_the_window_is_a_square_inside_the_tile(
    hbb: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert window(hbb, hbb_to_rle(hbb, (120, 160))) == expected


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    product = write_product(tmp_path_factory.mktemp("side") / "hand")
    frame = ablate(
        product,
        recipes=["hbox_mask", "rbox"],
        floors=["box"],
        checkpoint=Checkpoint("obb", "nano"),
        precision="float32",
        runtime={"executor": "local", "device": "cpu", "threads": 1},
    )
    return product, frame


def test_cells_hold_the_part_of_the_tile_around_the_instance(
    measured: tuple[Path, pd.DataFrame],
) -> None:
    product, frame = measured
    images = {
        row["tile_id"]: decode_rgb(row["image"]["bytes"], "tile")
        for row in read_table(product, "tiles").to_pylist()
    }
    for cell in load_cells(product, frame):
        assert cell.image.shape[:2] == cell.predicted.shape == cell.truth.shape
        assert cell.truth.sum() == cell.row["true_area"]
        assert (cell.predicted & cell.truth).sum() == cell.row["intersection"]
        offset = np.round(np.subtract(cell.row["hbb"], cell.hbb)).astype(int)
        x0, y0, h, w = offset[0], offset[1], *cell.truth.shape
        assert (cell.image == images[cell.row["tile_id"]][y0 : y0 + h, x0 : x0 + w]).all()


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


def test_a_picture_has_the_outlines_in_their_colours(
    measured: tuple[Path, pd.DataFrame],
) -> None:
    product, frame = measured
    cell = load_cells(product, frame[frame["recipe"] == "box"])[0]
    asked, answered = draw(cell, predicted=False), draw(cell, predicted=True)
    assert max(asked.shape) == max(answered.shape) == SIDE
    assert (asked == TRUE).all(axis=2).sum() > 20
    assert (answered == TRUE).all(axis=2).sum() > 20
    assert (answered == PREDICTED).all(axis=2).sum() > 20
    assert not (asked == PREDICTED).all(axis=2).any()
