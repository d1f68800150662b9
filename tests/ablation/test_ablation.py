"""The ablation's numbers: known answers with floors, tables, summary, plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samrs.ablation import ablate, class_rows, plot, size_bins, summarise, to_rows
from samrs.core.errors import MissingInputError, ProductError
from samrs.core.records import TRUTH
from samrs.core.rle import empty_rle
from samrs.core.shards import write_table
from samrs.scores import mask_scores
from tests.label.hand_made import SIZE_HW, write_product

RUNTIME = {"executor": "local", "device": "cpu", "threads": 1}


def run(product: Path, recipes: list[str], segmenter: str = "obb") -> pd.DataFrame:
    return ablate(
        product,
        recipes=recipes,
        floors=["box", "obb", "grabcut"],
        segmenter=segmenter,
        model="nano",
        precision="float32",
        runtime=RUNTIME,
    )


def scores(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    """A frame of (recipe, kind, intersection, union) with true areas as the intersections."""
    return pd.DataFrame(
        [
            {
                "tile_id": "t",
                "instance_id": f"{i}",
                "category": "ship" if i % 2 else "plane",
                "kind": kind,
                "recipe": recipe,
                "iou": inter / union,
                "intersection": inter,
                "union": union,
                "true_area": inter,
            }
            for i, (recipe, kind, inter, union) in enumerate(rows)
        ]
    )


def test_miou_i_averages_instances_and_miou_p_pools_pixels() -> None:
    frame = scores(("hbox", "recipe", 100, 200), ("hbox", "recipe", 10_000, 10_000))
    summary = summarise(frame)["recipes"]["hbox"]["all"]
    assert summary == {"count": 2, "miou_i": 0.75, "miou_p": round(10_100 / 10_200, 4)}


def test_size_bins_are_squares_of_16_32_and_96() -> None:
    areas = pd.Series([255, 256, 1023, 1024, 9215, 9216])
    expected = ["<16²", "16²–32²", "16²–32²", "32²–96²", "32²–96²", ">96²"]
    assert size_bins(areas).tolist() == expected


def test_the_floors_of_turned_boxes_have_known_scores(tmp_path: Path) -> None:
    frame = run(write_product(tmp_path / "hand"), ["rbox", "hbox_mask"])
    summary = summarise(frame)
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


def test_rows_cover_all_and_each_bin_that_has_instances() -> None:
    frame = scores(("hbox", "recipe", 100, 200), ("box", "floor", 100, 400))
    assert to_rows(frame) == [
        {"recipe": name, "kind": kind, "bin": size, "count": 1, "miou_i": iou, "miou_p": iou}
        for name, kind, iou in (("hbox", "recipe", 0.5), ("box", "floor", 0.25))
        for size in ("all", "<16²")
    ]


def test_class_rows_split_by_class() -> None:
    frame = scores(("hbox", "recipe", 1, 2), ("hbox", "recipe", 1, 4))
    found = {row["category"]: row["miou_i"] for row in class_rows(frame)}
    assert found == {"all": 0.375, "plane": 0.5, "ship": 0.25}


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


def test_equal_frames_give_equal_plots(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    union = rng.integers(100, 20_000, 60)
    names = [("hbox", "recipe"), ("rbox", "recipe"), ("box", "floor")]
    frame = scores(
        *[(*names[i % 3], int(u * rng.uniform(0.3, 1)), int(u)) for i, u in enumerate(union)]
    )
    for name in ("one", "two"):
        plot(frame, tmp_path / f"{name}.png")
    data = (tmp_path / "one.png").read_bytes()
    assert data == (tmp_path / "two.png").read_bytes()
    assert b"Software" not in data
    assert b"Date" not in data
