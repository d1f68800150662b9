"""Each instance once on its scene: known answers, and a second way that decodes every mask."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samrs.core.geometry import clip_hbb, hbb_area, hbb_iou
from samrs.core.records import JOINED, RELEASED
from samrs.core.rle import mask_to_rle, rle_area, rle_to_hbb, rle_to_mask
from samrs.core.tiling import Window, windows
from samrs.release.joining import Views, joined_rows, portions

Mask = NDArray[np.bool_]


def row(name: str, place: Window, mask: Mask, box: list[float], **changes: Any) -> dict[str, Any]:
    """An instance in a tile, of a mask (H, W) and a box of the whole scene."""
    x0, y0, width, height = place
    rle = mask_to_rle(mask[y0 : y0 + height, x0 : x0 + width])
    moved = [v - o for v, o in zip(box, (x0, y0, x0, y0), strict=True)]
    clipped = clip_hbb(moved, (width, height)).tolist()
    tight = rle_to_hbb(rle).tolist()
    left, top, right, bottom = moved
    found: dict[str, Any] = {
        "instance_id": name,
        "tile_id": f"a__{x0}_{y0}",
        "category_id": 0,
        "category": "ship",
        "hbb": clipped,
        "hbb_annotated": moved,
        "obb": [left, top, right, top, right, bottom, left, bottom],
        "difficult": False,
        "visible": hbb_area(clipped) / hbb_area(moved),
        "source_file": "a.txt",
        "source_line": 3,
        "rle": rle,
        "area": rle_area(rle),
        "mask_hbb": tight,
        "predicted_iou": 0.5,
        "stability_score": None,
        "box_iou": float(hbb_iou([tight], [clipped])[0, 0]),
        "obb_iou": 0.5,
        "outside": 0.0,
        "components": 1,
        "disagreement": None,
        "recipe": "hbox",
        "fallback": False,
        "quality": 0.5,
        "changed_px": 0,
        "made_by": "machine",
        "accepted": False,
    }
    return found | changes


def join(rows: list[dict[str, Any]], places: list[Window], size_hw: tuple[int, int]) -> list[Any]:
    table = pa.Table.from_pylist(rows, schema=RELEASED)
    names = pa.array(["a"])
    views = Views(names, np.zeros(len(rows), np.int64), np.array(places), np.array([size_hw]))
    joined = joined_rows(table, views)
    joined.validate(full=True)
    assert joined.schema == JOINED
    found: list[Any] = joined.to_pylist()
    return found


def box_mask(size_hw: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> Mask:
    mask = np.zeros(size_hw, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


LEFT, RIGHT = Window(0, 0, 60, 40), Window(40, 0, 60, 40)
SIZE = (40, 100)


def test_the_tile_that_shows_it_whole_wins():
    whole, cut = box_mask(SIZE, 45, 5, 70, 20), box_mask(SIZE, 40, 5, 60, 21)
    box = [45.0, 5.0, 70.0, 20.0]
    rows = [row("a#0", LEFT, cut, box, quality=0.9), row("a#0", RIGHT, whole, box, quality=0.1)]
    (found,) = join(rows, [LEFT, RIGHT], SIZE)
    assert (found["way"], found["tiles"], found["scene_id"]) == ("whole", 2, "a")
    assert (rle_to_mask(found["rle"]) == whole).all()
    assert found["mask_hbb"] == found["hbb"] == found["hbb_annotated"] == box
    assert (found["quality"], found["visible"], found["source_line"]) == (0.1, 1.0, 3)
    seen_twice = np.s_[:, 40:60]
    agreed = (whole & cut)[seen_twice].sum() / (whole | cut)[seen_twice].sum()
    assert found["agreement"] == round(agreed, 6)


def test_of_several_whole_views_the_best_estimate_stands_and_of_equal_ones_the_first():
    masks = [box_mask(SIZE, 45, 5, 55, 20), box_mask(SIZE, 45, 5, 54, 20)]
    box = [44.0, 5.0, 55.0, 20.0]
    for qualities, best in (((0.2, 0.3), 1), ((0.3, 0.2), 0), ((0.3, 0.3), 0)):
        rows = [
            row("a#0", place, mask, box, quality=quality)
            for place, mask, quality in zip((LEFT, RIGHT), masks, qualities, strict=True)
        ]
        (found,) = join(rows, [LEFT, RIGHT], SIZE)
        assert (rle_to_mask(found["rle"]) == masks[best]).all()


def test_parts_of_a_large_one_are_joined_and_scored_anew():
    truth = box_mask(SIZE, 10, 5, 90, 20)
    box = [10.0, 5.0, 90.0, 20.0]
    rows = [row("a#0", place, truth, box, obb_iou=0.1, predicted_iou=p)
            for place, p in ((LEFT, 0.4), (RIGHT, 0.8))]  # fmt: skip
    (found,) = join(rows, [LEFT, RIGHT], SIZE)
    assert (found["way"], found["tiles"], found["agreement"]) == ("joined", 2, 1.0)
    assert (rle_to_mask(found["rle"]) == truth).all()
    assert found["area"] == 80 * 15
    assert (found["box_iou"], found["obb_iou"], found["outside"]) == (1.0, 1.0, 0.0)
    assert (found["components"], found["visible"]) == (1, 1.0)
    assert found["predicted_iou"] == pytest.approx((0.4 * 50 + 0.8 * 50) / 100)
    assert found["stability_score"] is None
    assert found["obb"] == [10, 5, 90, 5, 90, 20, 10, 20]


def test_one_tile_alone_gives_a_part():
    box = [10.0, 5.0, 90.0, 20.0]
    (found,) = join([row("a#0", LEFT, box_mask(SIZE, 10, 5, 60, 20), box)], [LEFT], SIZE)
    assert (found["way"], found["tiles"], found["agreement"]) == ("part", 1, None)
    assert found["area"] == 50 * 15
    assert (found["hbb"], found["mask_hbb"]) == (box, [10, 5, 60, 20])
    assert (found["box_iou"], found["obb_iou"], found["outside"]) == (0.625, 0.625, 0.0)


def test_a_box_beyond_the_scene_is_whole_where_the_scene_ends():
    box = [80.0, -4.0, 110.0, 12.0]
    (found,) = join([row("a#0", RIGHT, box_mask(SIZE, 80, 0, 100, 12), box)], [RIGHT], SIZE)
    assert found["way"] == "whole"
    assert (found["hbb"], found["hbb_annotated"]) == ([80, 0, 100, 12], box)
    assert found["visible"] == pytest.approx(20 * 12 / (30 * 16))


def test_a_box_of_a_padded_tile_ends_where_the_image_does():
    """The tile, and so the scene as far as tiles tell of it, go on beyond the image."""
    annotated = [80.0, 10.0, 110.0, 22.0]
    hbb = [80.0 - RIGHT[0], 10.0, 96.0 - RIGHT[0], 22.0]
    seen = {"hbb": hbb, "visible": 16 / 30, "box_iou": 1.0}
    mask = box_mask(SIZE, 80, 10, 96, 22)
    (found,) = join([row("a#0", RIGHT, mask, annotated, **seen)], [RIGHT], SIZE)
    assert found["way"] == "whole"
    assert (found["hbb"], found["mask_hbb"]) == ([80, 10, 96, 22], [80, 10, 96, 22])
    assert (found["box_iou"], found["visible"]) == (1.0, pytest.approx(16 / 30))


def test_rows_stand_in_the_order_of_annotation():
    names = ["a#10", "a#9", "a#2"]
    mask, box = box_mask(SIZE, 5, 5, 9, 9), [5.0, 5.0, 9.0, 9.0]
    found = join([row(name, LEFT, mask, box) for name in names], [LEFT] * 3, SIZE)
    assert [one["instance_id"] for one in found] == ["a#2", "a#9", "a#10"]


def one_by_one(rows: list[dict[str, Any]], places: list[Window], size_hw: tuple[int, int]) -> Any:
    """Way, mask and agreement of each instance, every mask decoded to the scene."""
    several = defaultdict(list)
    for one, place in zip(rows, places, strict=True):
        several[one["instance_id"]].append((one, place))
    found = {}
    height, width = size_hw
    for name, views in several.items():
        masks, seen, whole = [], [], []
        for one, (x0, y0, w, h) in views:
            part = np.s_[y0 : y0 + h, x0 : x0 + w]
            masks.append(np.zeros(size_hw, dtype=bool))
            masks[-1][part] = rle_to_mask(one["rle"])
            seen.append(np.zeros(size_hw, dtype=bool))
            seen[-1][part] = True
            box = clip_hbb(np.add(one["hbb_annotated"], [x0, y0, x0, y0]), (width, height))
            whole.append(box[0] >= x0 and box[1] >= y0 and box[2] <= x0 + w and box[3] <= y0 + h)
        votes, views_of = np.sum(masks, axis=0), np.sum(seen, axis=0)
        both = (views_of > 1) & (votes > 0)
        agreement = round((both & (votes > 1)).sum() / both.sum(), 6) if both.any() else None
        if any(whole):
            best = max((i for i, w in enumerate(whole) if w), key=lambda i: views[i][0]["quality"])
            found[name] = ("whole", masks[best], agreement)
        elif len(views) > 1:
            found[name] = ("joined", (votes > 0) & (2 * votes >= views_of), agreement)
        else:
            found[name] = ("part", masks[0], agreement)
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(10, 40), st.integers(10, 40))
def test_runs_give_what_decoded_masks_give(seed: int, height: int, width: int):
    rng = np.random.default_rng(seed)
    tiles = windows(width, height, tile=int(rng.integers(8, 16)), overlap=int(rng.integers(0, 8)))
    rows, places = [], []
    for number in range(6):
        x0, y0 = rng.uniform(-3, width - 2), rng.uniform(-3, height - 2)
        box = [x0, y0, x0 + rng.uniform(2, width), y0 + rng.uniform(2, height)]
        for place in tiles:
            mask = rng.random((height, width)) < rng.choice([0.1, 0.5, 0.95])
            clipped = clip_hbb(np.subtract(box, [*place[:2], *place[:2]]), place[2:])
            if hbb_area(clipped) and rng.random() < 0.8:
                rows.append(row(f"a#{number}", place, mask, box, quality=float(rng.random())))
                places.append(place)
    order = sorted(range(len(rows)), key=lambda i: tiles.index(places[i]))
    rows, places = [rows[i] for i in order], [places[i] for i in order]
    if not rows:
        return
    wanted = one_by_one(rows, places, (height, width))
    found = join(rows, places, (height, width))
    assert {one["instance_id"] for one in found} == set(wanted)
    for most in (1, 7):
        table = pa.Table.from_pylist(rows, schema=RELEASED)
        parts = [p.tolist() for p in portions(table, np.zeros(len(rows), np.int64), most)]
        assert sorted(chain(*parts)) == list(range(len(rows)))
        some = [join([rows[i] for i in p], [places[i] for i in p], (height, width)) for p in parts]
        assert list(chain(*some)) == found
    for one in found:
        way, mask, agreement = wanted[one["instance_id"]]
        assert (one["way"], one["agreement"]) == (way, agreement)
        assert one["rle"] == mask_to_rle(mask)
        assert one["area"] == mask.sum()
        assert one["mask_hbb"] == rle_to_hbb(one["rle"]).tolist()
