"""The audit: matching of boxes to masks, its files, real folders, the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from samrs.ablation.ablation import ablate
from samrs.audit.audit import audit, keep_scenes
from samrs.audit.contact_sheet import best_median_worst, class_lines, sheet_lines, write_sheet
from samrs.audit.tables import fill_block
from samrs.audit.truth_matching import match_truth
from samrs.core.errors import MissingInputError, ProductError
from samrs.core.records import INSTANCES, TILES, TRUTH
from samrs.core.rle import rle_iou
from samrs.core.shards import iter_rows, read_table, verify_product, write_table
from samrs.label.label import label
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.weights import find_checkpoint
from tests.label.hand_made import write_product

RUNTIME = {"executor": "local", "device": "cpu", "threads": 1}


def renamed(product: Path, **changes: Any) -> None:
    """Write the masks' side as another dataset: its own ids and class spelling."""
    for table, schema in (("instances", INSTANCES), ("truth", TRUTH)):
        rows = read_table(product, table).to_pylist()
        for row in rows:
            row["instance_id"] = f"mask-{row['instance_id']}"
            if table == "instances":
                row["category"] = changes.get(row["instance_id"], row["category"].title())
        write_table(product, table, schema, rows[::-1] if table == "truth" else rows)


def test_masks_are_matched_to_boxes_whatever_their_ids(tmp_path: Path) -> None:
    product = write_product(tmp_path / "boxes", with_truth=False)
    masks = write_product(tmp_path / "masks")
    renamed(masks)
    counts = match_truth(product, masks)
    assert counts == {"matched": 5, "boxes_without_mask": 0, "masks_without_box": 0}
    ours = {row["instance_id"]: row["rle"] for row in iter_rows(product, "truth")}
    theirs = {row["instance_id"]: row["rle"] for row in iter_rows(masks, "truth")}
    assert ours == {name.removeprefix("mask-"): rle for name, rle in theirs.items()}
    verify_product(product)


def test_a_mask_of_another_class_is_not_matched_but_counted(tmp_path: Path) -> None:
    product = write_product(tmp_path / "boxes", with_truth=False)
    masks = write_product(tmp_path / "masks")
    renamed(masks, **{"mask-a-0": "Harbor"})
    counts = match_truth(product, masks)
    assert counts == {"matched": 4, "boxes_without_mask": 1, "masks_without_box": 1}


def test_a_box_that_lies_elsewhere_is_not_matched(tmp_path: Path) -> None:
    product = write_product(tmp_path / "boxes", with_truth=False)
    rows = read_table(product, "instances").to_pylist()
    rows[0]["hbb"] = (np.array(rows[0]["hbb"]) + 40).tolist()
    write_table(product, "instances", INSTANCES, rows)
    masks = write_product(tmp_path / "masks")
    assert match_truth(product, masks)["matched"] == 4


def test_products_of_other_images_are_refused(tmp_path: Path) -> None:
    product = write_product(tmp_path / "boxes", with_truth=False)
    masks = write_product(tmp_path / "masks")
    rows = read_table(masks, "tiles").to_pylist()
    write_table(masks, "tiles", TILES, [{**r, "tile_id": f"x{r['tile_id']}"} for r in rows])
    with pytest.raises(ProductError, match="no tile in common"):
        match_truth(product, masks)


def test_kept_scenes_are_evenly_spaced_and_whole(tmp_path: Path) -> None:
    out = keep_scenes(write_product(tmp_path / "hand"), tmp_path / "two", 2)
    assert read_table(out, "tiles")["scene_id"].to_pylist() == ["a", "c"]
    assert read_table(out, "instances").num_rows == read_table(out, "truth").num_rows == 5
    verify_product(out)


def test_more_scenes_than_there_are_keeps_all(tmp_path: Path) -> None:
    out = keep_scenes(write_product(tmp_path / "hand"), tmp_path / "many", 99)
    assert read_table(out, "tiles").num_rows == 3


def floor_frame(product: Path) -> pd.DataFrame:
    return ablate(
        product,
        recipes=["hbox_mask"],
        floors=[],
        checkpoint=Checkpoint("obb", "nano"),
        precision="float32-fast",
        runtime=RUNTIME,
    )


def test_the_contact_sheet_shows_best_median_and_worst(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    frame = floor_frame(product)
    lines = sheet_lines(product, frame)
    assert [(name, len(cells)) for name, cells in lines] == [
        ("best by hbox_mask", 2),
        ("median by hbox_mask", 1),
        ("worst by hbox_mask", 2),
    ]
    shown = [cell.row["iou"] for _, cells in lines for cell in cells]
    ranked = sorted(frame["iou"], reverse=True)
    assert shown == [*ranked[:3], ranked[4], ranked[3]]
    for name in ("one.png", "two.png", "one.jpg", "two.jpg"):
        write_sheet(lines, tmp_path / name)
    for kind in ("png", "jpg"):
        data = (tmp_path / f"one.{kind}").read_bytes()
        assert data == (tmp_path / f"two.{kind}").read_bytes()


def test_every_class_has_a_line_from_best_to_worst(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    lines = class_lines(product, floor_frame(product))
    assert [name.split("\n") for name, _ in lines] == [["plane", "n = 2"], ["ship", "n = 3"]]
    for _, cells in lines:
        ious = [cell.row["iou"] for cell in cells]
        assert ious == sorted(ious, reverse=True)
    assert [cell.row["title"] for cell in lines[1][1]] == ["best", "median", "worst"]


@pytest.mark.parametrize("count", [1, 2, 4, 5, 9, 40])
def test_no_mask_is_shown_twice(count: int) -> None:
    names = [f"{i:02d}" for i in range(count)]
    ious = np.random.default_rng(count).uniform(0, 1, count)
    rows = pd.DataFrame({"tile_id": "t", "instance_id": names, "iou": ious})
    parts = best_median_worst(rows, 3)
    shown = [name for part in parts.values() for name in part["instance_id"]]
    assert len(shown) == len(set(shown)) == min(count, 9)
    assert parts["best"]["iou"].iloc[0] == rows["iou"].max()
    assert parts["best"]["iou"].min() >= parts["worst"]["iou"].max() or count == 1


WRITTEN = (
    "table.csv",
    "by_class.csv",
    "tables.md",
    "plot.png",
    "differences.png",
    "precision_recall.png",
    "contact_sheet.png",
    "by_class.jpg",
    "timing.json",
)


def measured(dataset: str, folder: Path, out: Path, **changes: Any) -> Any:
    given = {"truth": None, "recipes": ["hbox"], "model": "nano", "precision": "float32-fast"}
    given |= {"tile": None, "overlap": 0, "limit": 3, "runtime": RUNTIME}
    return audit(dataset, folder, out, **{**given, **changes})


def few_images(folder: Path, out: Path, count: int) -> Path:
    """A COCO folder with the first images of another that have instances."""
    stored = json.loads((folder / "annotations.json").read_text())
    used = sorted({a["image_id"] for a in stored["annotations"]})[:count]
    stored["images"] = [i for i in stored["images"] if i["id"] in used]
    stored["annotations"] = [a for a in stored["annotations"] if a["image_id"] in used]
    (out / "images").mkdir(parents=True)
    (out / "annotations.json").write_text(json.dumps(stored))
    for image in stored["images"]:
        name = Path(image["file_name"]).name
        (out / "images" / name).symlink_to(folder / "images" / name)
    return out


def test_nwpu_vhr10_is_measured_and_its_labels_are_the_masks_scored(
    real: Path, tmp_path: Path
) -> None:
    folder = few_images(real / "nwpu_vhr10", tmp_path / "few", 3)
    frame, summary = measured("coco", folder, tmp_path, limit=2, recipes=["hbox", "rhbox"])
    assert summary["images"] == 2
    assert summary["instances"] == len(frame) / 5 > 2
    assert summary["fallbacks"] == {"rhbox": summary["instances"]}  # upright boxes only
    said = f"The upright box served where a rotated one was wanted: rhbox {summary['instances']}."
    assert said in (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert set(summary["floors"]) == {"box", "obb", "grabcut"}
    for name in WRITTEN:
        assert (tmp_path / name).stat().st_size > 50, name
    page = (tmp_path / "audit.html").read_text(encoding="utf-8")
    assert page.count('alt="mask by hbox"') == min(12, summary["instances"])
    assert not re.search("https?:", page)
    assert page.count('alt="Best, median and worst masks"') == 2
    assert all(f'<th scope="row">{name}</th>' in page for name in set(frame["category"]))
    assert "| hbox |" in (tmp_path / "tables.md").read_text(encoding="utf-8")
    timing = json.loads((tmp_path / "timing.json").read_text())
    assert all(value >= 0 for value in timing["steps"].values())
    took = timing["milliseconds"]
    assert took["encode"] > took["recipes"]["hbox"] > took["floors"]["box"] >= 0
    assert json.loads((tmp_path / "summary.json").read_text()) == summary

    product = tmp_path / "normalize" / "coco-2"
    given = {
        "prompt": "hbox",
        "checkpoint": find_checkpoint("sam", "nano"),
        "precision": "float32-fast",
    }
    label(product, tmp_path / "masks", **given, runtime=RUNTIME, work=tmp_path / "work")
    masks = {row["instance_id"]: row["rle"] for row in iter_rows(tmp_path / "masks", "masks")}
    truths = {row["instance_id"]: row["rle"] for row in iter_rows(product, "truth")}
    for _, row in frame[frame["recipe"] == "hbox"].iterrows():
        name = row["instance_id"]
        assert masks[name] == row["rle"]
        assert row["iou"] == pytest.approx(rle_iou([masks[name]], [truths[name]])[0, 0])


def test_dota_boxes_are_measured_with_isaid_masks(real: Path, tmp_path: Path) -> None:
    frame, summary = measured("dota", real / "dota_isaid", tmp_path, truth="isaid", limit=1)
    assert summary["matched"] == summary["instances"] >= 50
    assert summary["boxes_without_mask"] <= 2
    floors = summary["floors"]
    assert floors["obb"]["all"]["miou_i"] > floors["box"]["all"]["miou_i"] > 0.5
    assert set(frame["category"]) <= {"large-vehicle", "small-vehicle"}


def test_a_document_without_a_place_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "quality.md"
    page.write_text("<!-- /audit:coco --><!-- audit:coco -->")
    with pytest.raises(MissingInputError, match="no place for the tables"):
        fill_block(page, "coco", "text")
