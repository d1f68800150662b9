"""Scenes the estimate is fitted on: their boxes and true masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.rle import rle_area
from samrs.core.shards import iter_rows, read_table
from samrs.fit_quality.fit_quality import FIRST_SEED, RARE_SEED, SCENES
from samrs.fit_quality.scenes import BOXES, MOST, _chosen, draw, write_scenes
from samrs.scenes.scene import SceneObject

SEEDS = range(50_000_000, 50_000_002)


def test_the_same_seeds_give_the_same_bytes(tmp_path: Path) -> None:
    a, b = (write_scenes(tmp_path / name, SEEDS) for name in "ab")
    for table in ("tiles", "instances", "truth"):
        name = f"{table}-00000.parquet"
        assert (a / name).read_bytes() == (b / name).read_bytes()
    assert read_table(a, "tiles").num_rows == len(SEEDS)
    keys = [
        [(row["tile_id"], row["instance_id"]) for row in iter_rows(a, table)]
        for table in ("instances", "truth")
    ]
    assert keys[0] == keys[1]
    assert all(rle_area(row["rle"]) > 0 for row in iter_rows(a, "truth"))


def test_boxes_lie_in_the_tile_and_meet_their_masks() -> None:
    for seed in SEEDS:
        tile, rows, masks = draw(seed)
        assert len(rows) == len(masks) > 0
        for row, mask in zip(rows, masks, strict=True):
            assert mask.shape == (tile["height"], tile["width"])
            x0, y0, x1, y1 = row["hbb"]
            assert 0 <= x0 < x1 <= tile["width"]
            assert 0 <= y0 < y1 <= tile["height"]
            inside = mask[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))].sum()
            assert inside > 0.5 * mask.sum()


def test_kinds_are_taken_evenly_only_where_that_is_asked_for() -> None:
    def thing(kind: str) -> SceneObject:
        return SceneObject(kind, np.zeros((4, 2)), (0, 0, 8, 8), np.ones((8, 8), bool), 8.0, 8.0)

    things = [thing("plane")] * MOST + [thing("tree")] * 100 * MOST
    planes = [
        sum(
            one.kind == "plane"
            for one, _ in _chosen(np.random.default_rng(0), things, 64, 64, evenly)
        )
        for evenly in (True, False)
    ]
    assert planes[0] > MOST / 4 > planes[1]


@pytest.mark.parametrize("style", ["exact", "loose", "hull"])
def test_boxes_that_are_not_careless_hold_the_whole_mask(style: str) -> None:
    tight = np.array([10.0, 20, 40, 30])
    obb = np.array([[8.0, 20], [40, 18], [42, 30], [10, 32]])
    rng = np.random.default_rng(0)
    for _ in range(20):
        x0, y0, x1, y1 = BOXES[style](rng, tight, obb)
        assert x0 <= 10
        assert y0 <= 20
        assert x1 >= 40
        assert y1 >= 30
        assert x0 >= 10 - 3 - 2
        assert y1 <= 30 + 1 + 2


def test_careless_boxes_are_never_turned_over() -> None:
    rng = np.random.default_rng(0)
    tight = np.array([10.0, 20, 13, 22])
    boxes = np.array([BOXES["careless"](rng, tight, tight) for _ in range(300)])
    assert (boxes[:, 2:] - boxes[:, :2] >= 2 - 1e-9).all()


def test_seeds_of_the_fit_are_nobody_elses() -> None:
    from benchmarks.quality import FIRST_SEED as MEASURED
    from samrs.nano.items import FIRST_SEED as TRAINED

    assert TRAINED + 10_000_000 < 20_000_001 < FIRST_SEED
    assert FIRST_SEED + SCENES < RARE_SEED
    assert RARE_SEED + SCENES < MEASURED
