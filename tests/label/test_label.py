"""sam-label: a row for every instance, the same bytes every time, clear errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from samrs.core.errors import ImageError, MissingInputError, ProductError, UnknownNameError
from samrs.core.images import encode_rgb
from samrs.core.records import INSTANCES, MASKS, TILES
from samrs.core.shards import read_manifest, read_table, sha256, verify_product, write_table
from samrs.label.label import label
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.weights import find_checkpoint
from tests.label.hand_made import write_product

RUNTIME = {"executor": "local", "device": "cpu", "threads": 1}
BOX = Checkpoint("box", "nano")


def labelled(
    product: Path, out: Path, prompt: str = "hbox", checkpoint: Checkpoint = BOX
) -> dict[str, Any]:
    given = {"prompt": prompt, "checkpoint": checkpoint, "precision": "float32-fast"}
    return label(product, out, **given, runtime=RUNTIME, work=out.parent / f"work of {out.name}")


def test_every_instance_gets_a_row_in_the_order_of_the_instances(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    metrics = labelled(product, tmp_path / "out")
    masks = read_table(tmp_path / "out", "masks")
    assert masks.schema.equals(MASKS)
    assert masks["instance_id"].to_pylist() == ["a-0", "a-1", "a-2", "c-0", "c-1"]
    assert masks["instance_id"] == read_table(product, "instances")["instance_id"]
    assert masks["category"].to_pylist() == ["ship", "plane", "ship", "ship", "plane"]
    assert masks["predicted_iou"].null_count == 5
    assert masks["obb_iou"].null_count == 1
    assert verify_product(tmp_path / "out") == 5
    assert metrics["tiles"] == 3
    assert metrics["instances"] == 5
    assert metrics["empty_masks"] == 0
    assert metrics["mean_box_iou"] > 0.9
    assert "mean_predicted_iou" not in metrics


def test_fallbacks_are_marked_and_counted(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    metrics = labelled(
        product, tmp_path / "out", prompt="rbox", checkpoint=Checkpoint("obb", "nano")
    )
    assert metrics["fallbacks"] == 1
    fallback = read_table(tmp_path / "out", "masks")["fallback"].to_pylist()
    assert fallback == [False, False, True, False, False]
    assert metrics["mean_obb_iou"] == 1.0


def test_the_manifest_says_what_made_the_masks(tmp_path: Path) -> None:
    labelled(write_product(tmp_path / "hand"), tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest["product"] == "sam_label"
    assert manifest["dataset"] == "hand"
    assert manifest["recipe"] == "hbox"
    assert manifest["segmenter"] == "box"
    assert manifest["model_sha256"] is None


@pytest.mark.parametrize("segmenter", ["grabcut", "sam"])
def test_the_same_input_gives_the_same_bytes(tmp_path: Path, segmenter: str) -> None:
    product = write_product(tmp_path / "hand")
    for name in ("one", "two"):
        labelled(product, tmp_path / name, checkpoint=find_checkpoint(segmenter, "nano"))
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_nano_gives_scores_and_its_digest(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    checkpoint = find_checkpoint("sam", "nano")
    metrics = labelled(product, tmp_path / "out", "hbox+point", checkpoint)
    masks = read_table(tmp_path / "out", "masks")
    assert masks["predicted_iou"].null_count == masks["stability_score"].null_count == 0
    assert read_manifest(tmp_path / "out")["model_sha256"] == sha256(checkpoint.verified())
    assert 0 <= metrics["mean_stability_score"] <= 1


def test_an_undecodable_tile_is_named(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    rows = read_table(product, "tiles").to_pylist()
    rows[2]["image"]["bytes"] = rows[2]["image"]["bytes"][:20]
    write_table(product, "tiles", TILES, rows)
    with pytest.raises(ImageError, match="tile c__0_0: image does not decode"):
        labelled(product, tmp_path / "out")


def test_an_error_on_the_way_says_which_tile_it_was(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    rows = read_table(product, "tiles").to_pylist()
    rows[2]["image"]["bytes"] = encode_rgb(np.zeros((1, 5000, 3), np.uint8))  # SAM cannot shrink it
    write_table(product, "tiles", TILES, rows)
    with pytest.raises(ValueError, match="height and width must be > 0") as found:
        labelled(product, tmp_path / "out", checkpoint=find_checkpoint("sam", "nano"))
    assert found.value.__notes__ == [f"while {product}: tile c__0_0 was labelled"]


def test_instances_out_of_the_tiles_order_are_refused(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    rows: pa.Table = read_table(product, "instances")
    write_table(product, "instances", INSTANCES, rows.to_pylist()[::-1])
    with pytest.raises(ProductError, match=r"instances do not follow the tiles.*'a__0_0'"):
        labelled(product, tmp_path / "out")


def test_a_missing_product_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="nowhere"):
        labelled(tmp_path / "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unknown_segmenter_is_refused(tmp_path: Path) -> None:
    product = write_product(tmp_path / "hand")
    with pytest.raises(UnknownNameError, match="segmenters: unknown name, got 'sma'"):
        labelled(product, tmp_path / "out", checkpoint=Checkpoint("sma", "nano"))
