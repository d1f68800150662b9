"""Walls of instances, whole tiles and histograms: what is shown of a release."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from samrs.core.records import RELEASED
from samrs.gallery.bars import bars, shares
from samrs.gallery.cards import SCORES, cards
from samrs.gallery.gallery import gallery
from samrs.gallery.sample import sample
from samrs.gallery.tiles import marks, tiles
from tests.export.releases import instance, masks, stored, tile, write_release


def write(path: Path, subset: str = "SOTA") -> Path:
    """Four instances of two classes with known qualities."""
    found = masks()
    rows = [
        instance(name, "a__0_0", label, found[name], quality=quality)
        for name, label, quality in (
            ("box", 0, 0.9), ("hole", 0, 0.3), ("parts", 1, 0.6), ("edge", 1, None),
        )
    ]  # fmt: skip
    tiles_ = [tile("a__0_0", "train"), tile("b__0_0", "val")]
    return write_release(path, tiles=tiles_, rows=rows, subset=subset)


def test_scores_are_columns_of_a_release() -> None:
    told = {"predicted_iou", "stability_score", "quality", "box_iou", "obb_iou", "outside"}
    assert told < set(SCORES) <= set(RELEASED.names)


def test_a_card_is_the_part_of_the_tile_with_the_mask_over_it(tmp_path: Path) -> None:
    release = write(tmp_path / "r")
    rows = sample(pd.DataFrame(stored(release)), 9)
    by_name = {c["told"]["instance"].partition("#")[2]: c for c in cards(release, rows)}
    box = by_name["box"]
    assert box["side"] == 32  # the smallest part shown, in the tile's own px
    corners = re.findall(r"(\d+) (\d+)", box["mask"])
    assert sorted(corners) == [("13", "10"), ("13", "4"), ("3", "10"), ("3", "4")]
    assert by_name["hole"]["mask"].count("M") == 2
    assert box["told"]["source"] == "labels/a.txt:1"
    assert box["told"]["obb_iou"] == "0.7500"
    assert "stability_score" not in box["told"]


def test_a_wall_of_several_releases_tells_them_apart(tmp_path: Path) -> None:
    releases = {"one": write(tmp_path / "one", "ONE"), "two": write(tmp_path / "two", "TWO")}
    wall = gallery(releases, 4)
    subset, category, *_ = wall["filters"]
    assert subset["options"] == [("ONE", "ONE (4)"), ("TWO", "TWO (4)")]
    assert category["options"] == [("0", "plane (4)"), ("1", "ship (4)")]
    assert wall["note"] == "ONE: all 4 instances. TWO: all 4 instances."
    assert len({card["id"] for card in wall["cards"]}) == 8
    assert wall["cards"][0]["link"] == "#instance/one/a%23hole"
    assert "quality" not in wall["cards"][-1]["told"]
    assert "Subset" not in [f["label"] for f in gallery({"one": releases["one"]}, 4)["filters"]]


def test_worst_means_low_of_a_score_that_should_be_high_and_high_of_others(tmp_path: Path) -> None:
    wall = gallery({"one": write(tmp_path / "one")}, 4)
    words = dict(wall["sorts"])
    assert words["box_iou up"] == "box IoU, worst first"
    assert words["outside down"] == "outside the box, worst first"
    assert words["outside up"] == "outside the box, best first"
    assert next(iter(words)) == "quality up"
    assert "stability_score" not in dict(wall["scores"])


def test_a_tile_has_every_mask_in_the_colour_of_its_class(tmp_path: Path) -> None:
    release = write(tmp_path / "r")
    marked = marks({"plane": 2, "ship": 2, "harbor": 0})
    assert list(marked) == ["plane", "ship"]
    (shown,) = tiles("r", release, ["a__0_0"], marked)
    assert (shown["width"], shown["height"]) == (50, 40)
    plane, ship = shown["classes"]
    assert (plane["colour"], plane["count"]) == (marked["plane"]["colour"], "2")
    assert [path.count("M") for path in plane["masks"]] == [2, 1]
    assert ship["boxes"].count("M") == 2
    corners = re.findall(r"(\d+) (\d+)", plane["masks"][1])
    assert sorted(corners) == [("13", "10"), ("13", "4"), ("3", "10"), ("3", "4")]


def test_bars_count_every_value_once() -> None:
    found = bars([0.0, 0.5, 1.0], [0, 0.5, 1], "{:.1f}")
    assert [(b["name"], b["bars"]) for b in found] == [
        ("0.0 to 0.5", [{"text": "1", "width": 50.0}]),
        ("0.5 to 1.0", [{"text": "2", "width": 100.0}]),
    ]
    assert bars([3.0, 900.0], [0, 8, np.inf], "{:g}")[-1]["name"] == "8 up"


def test_shares_compare_values_that_are_not_equally_many() -> None:
    found = shares({"said": [0.1, 0.9], "seen": [0.9] * 5}, [0, 0.5, 1], "{:.1f}")
    assert [b["bars"] for b in found] == [
        [{"text": "50.0 %", "width": 50.0}, {"text": "0.0 %", "width": 0.0}],
        [{"text": "50.0 %", "width": 50.0}, {"text": "100.0 %", "width": 100.0}],
    ]
