"""Label maps that tell the background: 0 outside every box, 255 where an object may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from samrs.core.errors import ParameterError, ProductError
from samrs.core.records import BACKGROUND, UNCERTAIN, label_names
from samrs.core.shards import read_manifest, write_json, write_table
from samrs.data import ReleaseTiles
from samrs.release.background import OUTSIDE_BOXES, Uncertain, check_background, touched
from samrs.stats.stats import stats
from samrs.training.tiles import SemanticTiles
from samrs.verify.verify import verify
from tests.products_by_hand import CATEGORIES, OPEN, QUALITY, Thing, release, write
from tests.release.test_release import THINGS, TILES, maps

HARBOR, SHIP = (CATEGORIES.index(name) + 1 for name in ("harbor", "ship"))
SIDE = 64


def run(root: Path, tiles: list[str], things: list[Thing], **changes: Any) -> dict[str, Any]:
    normalized, labelled = write(root, tiles, things)
    if rows := changes.pop("uncertain", None):
        write_table(normalized, "uncertain", UNCERTAIN, rows)
    values = {**OPEN, "background": OUTSIDE_BOXES, **changes}
    return release(normalized, labelled, root / "release" / "sota", QUALITY, **values)


def labels(root: Path) -> dict[str, Any]:
    return maps(root / "release" / "sota")


def place(tile: str, *corners: float) -> dict[str, Any]:
    return {"tile_id": tile, "reason": "ignored region", "outline": list(corners)}


def test_a_small_scene_by_hand(tmp_path: Path):
    ship = Thing("a__0_0", "ship", (10, 20, 14, 26), box=(8.5, 20, 16, 30.2))
    counts = run(tmp_path, TILES, [ship])
    wanted = np.zeros((SIDE, SIDE), np.uint8)
    wanted[20:31, 8:16] = 255  # every px that the box touches
    wanted[20:26, 10:14] = SHIP
    found = labels(tmp_path)
    assert np.array_equal(found["a__0_0"], wanted)
    assert not found["b__0_0"].any()
    assert counts["background_pixels"] == (wanted == 0).sum() + 2 * SIDE**2
    assert counts["labelled_pixels"] == 24
    assert (counts["overpainted_pixels"], counts["contested_pixels"]) == (0, 0)


def test_overlaps_are_counted_as_without_background(tmp_path: Path):
    with_it = run(tmp_path / "a", TILES, THINGS)
    without = run(tmp_path / "b", TILES, THINGS, background="none")
    for name in ("labelled_pixels", "overpainted_pixels", "contested_pixels", "pixels"):
        assert with_it[name] == without[name]
    known = {tile: m[m != 255].tolist() for tile, m in labels(tmp_path / "b").items()}
    for tile, values in labels(tmp_path / "a").items():
        shown = (values != 255) & (values != 0)
        assert (values[shown] - 1).tolist() == known[tile]


def test_instances_that_were_left_out_stay_uncertain(tmp_path: Path):
    small = Thing("a__0_0", "ship", (3, 3, 5, 5), box=(2, 2, 8, 8))
    hard = Thing("a__0_0", "ship", (30, 30, 40, 40), difficult=True)
    counts = run(tmp_path, TILES, [small, hard], min_area=9, keep_difficult=False)
    assert counts["kept"] == 0
    found = labels(tmp_path)["a__0_0"]
    assert (found[2:8, 2:8] == 255).all()
    assert (found[30:40, 30:40] == 255).all()
    assert (found == 255).sum() == 36 + 100


def test_a_box_counts_in_tiles_that_do_not_list_it(tmp_path: Path):
    """Tiles share 20 px; what the second shows of the box was too little to be listed there."""
    tiles = ["a__0_0", f"a__{SIDE - 20}_0", "b__0_0"]
    box = (SIDE - 30, 4, SIDE - 14, 8)
    run(tmp_path, tiles, [Thing(tiles[0], "ship", box)])
    found = labels(tmp_path)
    assert (found[tiles[0]] == SHIP).sum() == 16 * 4
    assert np.argwhere(found[tiles[1]] == 255).tolist() == [
        [y, x] for y in range(4, 8) for x in range(6)
    ]
    assert not found["b__0_0"].any()


def test_the_first_tile_knows_of_boxes_that_the_last_one_lists(tmp_path: Path):
    tiles = ["a__0_0", f"a__0_{SIDE - 10}"]
    run(tmp_path, tiles, [Thing(tiles[1], "ship", (5, 2, 9, 30))])
    assert (labels(tmp_path)[tiles[0]] == 255).sum() == 4 * 8


def test_rotated_boxes_count_where_they_leave_the_upright_one(tmp_path: Path):
    corners = [20.0, 10, 30, 20, 20, 30, 10, 20]
    thing = Thing("a__0_0", "ship", (15, 15, 25, 25), box=(15, 15, 25, 25), obb=corners)
    run(tmp_path, TILES, [thing])
    assert (labels(tmp_path)["a__0_0"][10:30, 10:30] != 0).all()


def test_uncertain_places_of_normalize_count(tmp_path: Path):
    rows = [
        place("a__0_0", 2, 2, 6, 2, 6, 5, 2, 5),
        place("b__0_0", -50, -50, 500, -50, 500, 500, -50, 500),
        place("c__0_0", 10, 10, 40, 20, 10, 30),
        place("c__0_0", 1e8, 0, 2e8, 5, 1e8, 10),
    ]
    run(tmp_path, TILES, [], uncertain=rows)
    found = labels(tmp_path)
    assert (found["a__0_0"] == 255).sum() == 12
    assert (found["b__0_0"] == 255).all()
    triangle = found["c__0_0"] == 255
    assert triangle[20, 11:38].all()
    assert 300 < triangle.sum() < 500


@given(st.integers(0, 2**32 - 1))
def test_no_px_of_a_shape_is_background(seed: int):
    """Points of a polygon, wherever they are, lie in px that are marked."""
    rng = np.random.default_rng(seed)
    outline = rng.uniform(-20, 60, (int(rng.integers(3, 7)), 2))
    marked = touched(outline, (40, 40))
    weights = rng.dirichlet(np.ones(3), 200)
    points = weights @ outline[rng.choice(len(outline), 3, replace=False)]
    if len(outline) == 3:  # of others the hull of three corners may lie outside
        own = points[((points > 0) & (points < 40)).all(axis=1)].astype(int)
        assert marked[own[:, 1], own[:, 0]].all()
    edge = outline[0] + rng.random((50, 1)) * (outline[1] - outline[0])
    own = edge[((edge > 0) & (edge < 40)).all(axis=1)].astype(int)
    assert marked[own[:, 1], own[:, 0]].all()


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1))
def test_no_px_of_a_box_is_background(tmp_path_factory, seed: int):
    rng = np.random.default_rng(seed)
    tiles = ["a__0_0", "a__40_0", "a__0_40", "a__40_40", "b__0_0"]
    things = []
    for tile in tiles:
        for _ in range(int(rng.integers(0, 3))):
            x, y = rng.uniform(-5, SIDE - 4, 2)
            box = (x, y, x + rng.uniform(0.5, 30), y + rng.uniform(0.5, 30))
            mask = tuple(int(v) for v in np.clip(np.round(box), 0, SIDE))
            things.append(Thing(tile, str(rng.choice(CATEGORIES)), mask, box=box))
    root = tmp_path_factory.mktemp("drawn")
    counts = run(root, tiles, things, min_area=int(rng.integers(0, 200)))
    found = labels(root)
    touched_by = {tile: np.zeros((SIDE, SIDE), bool) for tile in tiles}
    for thing in things:
        scene, x, y = thing.tile.replace("__", "_").split("_")
        for tile in (t for t in tiles if t.startswith(f"{scene}_")):
            left, top = (int(v) for v in tile.split("__")[1].split("_"))
            box = np.array(thing.box) + np.tile([int(x) - left, int(y) - top], 2)
            low = np.floor(box[:2]).clip(0, SIDE).astype(int)
            high = np.ceil(box[2:]).clip(0, SIDE).astype(int)
            touched_by[tile][low[1] : high[1], low[0] : high[0]] = True
    for tile in tiles:
        background = found[tile] == 0
        assert not (background & touched_by[tile]).any()
        rest = ~background & ~touched_by[tile]  # a mask may leave its box
        assert (found[tile][rest] != 255).all()
    assert counts["background_pixels"] == sum((m == 0).sum() for m in found.values())
    assert not {"label_map", "counts", "manifest"} & set(verify(root / "release" / "sota").counts)


def test_manifest_stats_training_and_data_tell_the_labels(tmp_path: Path):
    run(tmp_path, TILES, THINGS)
    out = tmp_path / "release" / "sota"
    manifest = read_manifest(out)
    assert manifest["parameters"]["background"] == OUTSIDE_BOXES
    assert manifest["categories"] == CATEGORIES
    assert label_names(manifest) == (BACKGROUND, *CATEGORIES)
    assert len(manifest["palette"]) == len(manifest["label_pixels"]) == len(CATEGORIES) + 1
    told = stats({"sota": out})["sota"]
    assert told["classes"]["harbor"]["semantic_pixels"] == 400 - 25
    assert told["background_share"] == round((3 * SIDE**2 - 404) / (3 * SIDE**2), 6)
    assert SemanticTiles(out, tmp_path / "cache").categories == (BACKGROUND, *CATEGORIES)
    tiles = ReleaseTiles(out)
    assert tiles.labels == (BACKGROUND, *CATEGORIES)
    assert tiles.categories == tuple(CATEGORIES)
    item = tiles[0]
    assert {HARBOR, SHIP} == set(item["semantic"].unique().tolist()) - {0, 255}
    assert [tiles.categories[i] for i in item["labels"]] == ["harbor", "ship"]
    assert {tiles.labels[i] for i in item["semantic"].unique().tolist() if 0 < i < 255} == {
        "harbor",
        "ship",
    }


def test_the_loss_of_a_tile_without_objects_is_a_number(tmp_path: Path):
    """Torch's own: the mean over no px at all is NaN, as of a map that is 255 throughout."""
    run(tmp_path / "a", TILES, THINGS)
    run(tmp_path / "b", TILES, THINGS, background="none")
    torch.manual_seed(0)
    logits = torch.randn(1, len(CATEGORIES) + 1, SIDE, SIDE)
    told, untold = (
        ReleaseTiles(tmp_path / name / "release" / "sota")[1]["semantic"][None].long()
        for name in "ab"
    )
    assert torch.isfinite(cross_entropy(logits, told, ignore_index=255))
    assert torch.isnan(cross_entropy(logits, untold, ignore_index=255))


def test_a_release_whose_background_was_changed_is_found_out(tmp_path: Path):
    run(tmp_path, TILES, THINGS)
    out = tmp_path / "release" / "sota"
    manifest = read_manifest(out)
    for change in (
        {"labels": CATEGORIES},
        {"counts": {**manifest["counts"], "background_pixels": 5}},
        {"parameters": {**manifest["parameters"], "background": "all"}},
    ):
        write_json(out / "manifest.json", {**manifest, **change})
        assert verify(out).counts, change
    write_json(out / "manifest.json", manifest)
    assert not verify(out).counts


def test_rules_and_names_that_cannot_be(tmp_path: Path):
    with pytest.raises(ParameterError, match="unknown rule, got 'outside'"):
        run(tmp_path, TILES, THINGS, background="outside")
    with pytest.raises(ParameterError, match="the dataset has a class of that name"):
        check_background(OUTSIDE_BOXES, ["background", "ship"])
    with pytest.raises(ProductError, match="no label is left for the background, got 255"):
        check_background(OUTSIDE_BOXES, [str(i) for i in range(255)])
    check_background("none", ["background"])


def test_nothing_is_uncertain_without_boxes():
    none = np.empty((0, 4), np.int64)
    canvas = np.zeros(12, np.uint8)
    Uncertain(none[:, 0], none, []).mark(canvas, np.array([[3, 4]]))
    assert not canvas.any()
