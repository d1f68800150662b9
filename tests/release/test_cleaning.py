"""Masks are cleaned as one would clean each of them by hand, and scored as in labelling."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from samrs.core.rle import hbb_to_rle, mask_to_rle, rle_to_mask
from samrs.core.runs import encode_runs, rle_runs
from samrs.core.shards import iter_rows, read_table, write_table
from samrs.label.scores import mask_scores
from samrs.release.cleaning import Cleaning, Columns, clean
from samrs.verify.verify import verify
from tests.products_by_hand import OPEN, QUALITY, Thing, release, write

EIGHT = np.ones((3, 3))
SCORED = ("area", "mask_hbb", "box_iou", "obb_iou", "outside", "components")


def cleaned(masks: list[np.ndarray], boxes: Any, **how: Any) -> tuple[list[np.ndarray], list[int]]:
    """Masks and numbers of their parts; values not given change nothing."""
    values = {"margin": np.inf, "max_hole": 0.0, "min_part": 0.0, "core": 0.0, **how}
    runs = rle_runs([mask_to_rle(mask) for mask in masks])
    columns = Columns.of(runs, np.array([len(mask) for mask in masks]))
    arrays = {k: np.broadcast_to(np.asarray(v, float), len(masks)) for k, v in values.items()}
    boxes = np.asarray(boxes, float).reshape(-1, 4)
    found, parts = clean(columns, boxes, Cleaning(**arrays))
    texts = encode_runs(found.starts(), found.bottom - found.top, found.mask, runs.totals())
    pairs = zip(masks, texts.to_pylist(), strict=True)
    return [rle_to_mask({"size": [*m.shape], "counts": t}) for m, t in pairs], parts.tolist()


def by_hand(mask: np.ndarray, box: Any, how: dict[str, float]) -> tuple[np.ndarray, int]:
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
    x0, y0, x1, y1 = box

    def inside(grow: float) -> np.ndarray:
        if np.isinf(grow):
            return np.ones(mask.shape, dtype=bool)
        w, h = (x1 - x0) * grow, (y1 - y0) * grow
        return (x >= x0 - w) & (x <= x1 + w) & (y >= y0 - h) & (y <= y1 + h)

    mask = mask & inside(how["margin"])
    around, count = ndimage.label(np.pad(~mask, 1, constant_values=True))
    holes = [around[1:-1, 1:-1] == k for k in range(1, count + 1) if k != around[0, 0]]
    most = how["max_hole"] * mask.sum()
    mask = np.any([mask, *[hole for hole in holes if hole.sum() <= most]], axis=0)
    numbers, count = ndimage.label(mask, EIGHT)
    parts = [numbers == k for k in range(1, count + 1)]
    largest = max((part.sum() for part in parts), default=0)
    core = inside((how["core"] - 1) / 2)
    kept = [
        part
        for part in parts
        if part.sum() >= how["min_part"] * mask.sum()
        or part.sum() == largest
        or (how["core"] > 0 and (part & core).any())
    ]
    return np.any([np.zeros_like(mask), *kept], axis=0), len(kept)


@st.composite
def problems(draw: Any) -> tuple[np.ndarray, list[float], dict[str, float]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    mask = rng.random((height, width)) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0]))
    if draw(st.booleans()):
        mask = cv2.medianBlur(mask.astype(np.uint8) * 255, 3) > 0
    (x0, x1), (y0, y1) = np.sort(rng.uniform(0, width, 2)), np.sort(rng.uniform(0, height, 2))
    how = {
        "margin": draw(st.sampled_from([0.0, 0.1, 0.3, np.inf])),
        "max_hole": draw(st.sampled_from([0.0, 0.05, 0.3])),
        "min_part": draw(st.sampled_from([0.0, 0.1, 0.3])),
        "core": draw(st.sampled_from([0.0, 0.5, 1.0])),
    }
    return mask, [x0, y0, x1, y1], how


def has_twin_parts(mask: np.ndarray) -> bool:
    """Whether the largest part is not the only one of its size: only one of them must stay."""
    sizes = np.sort(np.bincount(ndimage.label(mask, EIGHT)[0].ravel())[1:])
    return len(sizes) > 1 and sizes[-1] == sizes[-2]


@given(st.lists(problems(), min_size=1, max_size=4))
def test_many_masks_are_cleaned_as_each_is_by_hand(given_problems):
    masks, boxes, hows = (list(values) for values in zip(*given_problems, strict=True))
    arrays = {name: np.array([how[name] for how in hows]) for name in hows[0]}
    found, parts = cleaned(masks, boxes, **arrays)
    for mask, box, how, got, count in zip(masks, boxes, hows, found, parts, strict=True):
        wanted, wanted_count = by_hand(mask, box, how)
        if not has_twin_parts(wanted):
            assert np.array_equal(got, wanted)
            assert count == wanted_count


def test_a_mask_is_clipped_to_its_box_and_the_margin():
    (got,), _ = cleaned([np.ones((20, 30), bool)], [10, 5, 20, 15], margin=0.1)
    assert np.array_equal(np.argwhere(got).min(axis=0), [4, 9])
    assert np.array_equal(np.argwhere(got).max(axis=0), [15, 20])
    assert got.sum() == 12 * 12


def test_a_small_hole_is_filled_and_a_large_one_and_a_bay_stay():
    mask = np.ones((20, 20), bool)
    mask[2, 2] = mask[10:15, 10:15] = mask[17, 18:] = False
    (got,), _ = cleaned([mask], [0, 0, 20, 20], max_hole=0.01)
    assert got[2, 2]
    assert not got[12, 12]
    assert not got[17, 19]
    assert got.sum() == mask.sum() + 1


def test_a_hole_that_opens_at_a_corner_only_is_a_hole():
    mask = np.ones((3, 3), bool)
    mask[1, 1] = mask[0, 0] = False
    (got,), _ = cleaned([mask], [0, 0, 3, 3], max_hole=1.0)
    assert got[1, 1]
    assert not got[0, 0]


def test_small_parts_go_but_for_those_in_the_core_of_the_box():
    mask = np.zeros((20, 20), bool)
    mask[:10, :10] = mask[11, 11] = mask[19, 19] = True
    boxes = [0, 0, 20, 20]
    (got,), parts = cleaned([mask], boxes, min_part=0.05)
    assert (got.sum(), parts) == (100, [1])
    (got,), parts = cleaned([mask], boxes, min_part=0.05, core=0.5)
    assert (got.sum(), parts) == (101, [2])


def test_the_largest_part_stays_however_small_its_share():
    mask = np.zeros((9, 9), bool)
    mask[::2, ::2] = True
    mask[0, 1] = True
    (got,), parts = cleaned([mask], [0, 0, 9, 9], min_part=0.5)
    assert (got.sum(), parts) == (3, [1])


def test_parts_of_neighbouring_masks_are_not_joined():
    """The last column of one tile is not beside the first of the next."""
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    first[:, 3] = second[:, 0] = True
    second[0, 3] = True
    found, parts = cleaned([first, second], [[0, 0, 4, 4]] * 2, min_part=0.3)
    assert [mask.sum() for mask in found] == [4, 4]
    assert parts == [1, 1]


@given(st.tuples(*[st.floats(0, 40)] * 4))
def test_px_that_lie_wholly_in_a_box_are_its_own_when_it_is_rasterised(numbers):
    (x0, x1), (y0, y1) = np.sort(np.reshape(numbers, (2, 2)), axis=1)
    mask = rle_to_mask(hbb_to_rle([x0, y0, x1, y1], (40, 40)))
    whole = mask[math.ceil(y0) : math.floor(y1), math.ceil(x0) : math.floor(x1)]
    assert whole.all()


def blots(seed: int, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    noise = rng.random((count, 64, 64)).astype(np.float32)
    return [cv2.GaussianBlur(one, (0, 0), 2) > 0.52 for one in noise]


def product(root: Path, masks: list[np.ndarray]) -> tuple[Path, Path]:
    """Products whose masks are these, all with one box, scored as labelling scores them."""
    things = [Thing("a__0_0", "ship", (16, 20, 48, 44)) for _ in masks]
    normalized, labelled = write(root, ["a__0_0"], things)
    instances = list(iter_rows(normalized, "instances"))
    rows = list(iter_rows(labelled, "masks"))
    for i, (row, mask, instance) in enumerate(zip(rows, masks, instances, strict=True)):
        instance["obb"] = None if i % 3 == 0 else instance["obb"]
        obb = instance["obb"] and np.reshape(instance["obb"], (4, 2))
        row["rle"] = mask_to_rle(mask)
        row.update(mask_scores(row["rle"], instance["hbb"], obb))
    for folder, table, values in ((normalized, "instances", instances), (labelled, "masks", rows)):
        write_table(folder, table, read_table(folder, table).schema, values)
    return normalized, labelled


CLEAN = {**OPEN, "margin": 0.1, "max_hole": 0.05, "min_part": 0.1}


def test_clean_masks_are_released_with_the_scores_of_labelling_and_what_changed(tmp_path):
    masks = [*blots(1, 20), np.zeros((64, 64), bool), np.ones((64, 64), bool)]
    normalized, labelled = product(tmp_path, masks)
    counts = release(normalized, labelled, tmp_path / "out", QUALITY, **CLEAN)
    assert verify(tmp_path / "out").counts == {}
    names = [row["instance_id"] for row in iter_rows(labelled, "masks")]
    stored = dict(zip(names, masks, strict=True))
    released = list(iter_rows(tmp_path / "out", "instances"))
    assert len(released) == 21
    removed = added = 0
    for row in released:
        mask, before = rle_to_mask(row["rle"]), stored[row["instance_id"]]
        wanted, parts = by_hand(before, row["hbb"], {k: CLEAN[k] for k in
                                ("margin", "max_hole", "min_part", "core")})  # fmt: skip
        if not has_twin_parts(wanted):
            assert np.array_equal(mask, wanted)
            assert row["components"] == parts
        obb = row["obb"] and np.reshape(row["obb"], (4, 2))
        scores = mask_scores(row["rle"], row["hbb"], obb)
        assert {name: row[name] for name in SCORED} == scores
        assert row["changed_px"] == (mask ^ before).sum() > 0
        removed += int((before & ~mask).sum())
        added += int((mask & ~before).sum())
    wanted_counts = {"instances": 21, "removed_pixels": removed, "added_pixels": added}
    assert counts["cleaned"] == wanted_counts


def test_masks_that_need_no_cleaning_are_released_as_they_were_stored(tmp_path):
    inside = np.zeros((64, 64), bool)
    inside[20:44, 16:48] = True
    bay = inside.copy()
    bay[20:30, 20:30] = False
    normalized, labelled = product(tmp_path, [inside, bay])
    release(normalized, labelled, tmp_path / "out", QUALITY, **CLEAN)
    rows = list(iter_rows(tmp_path / "out", "instances"))
    assert [row["changed_px"] for row in rows] == [0, 0]
    stored = [row["rle"] for row in iter_rows(labelled, "masks")]
    assert [row["rle"] for row in rows] == stored


def test_a_mask_that_is_suspected_and_stays_is_released(tmp_path):
    """Its only hole is too large to be filled, so that of all suspects none changes."""
    ring = np.zeros((64, 64), bool)
    ring[20:44, 16:48] = True
    ring[25:39, 21:43] = False
    normalized, labelled = product(tmp_path, [ring])
    release(normalized, labelled, tmp_path / "out", QUALITY, **CLEAN)
    (row,) = iter_rows(tmp_path / "out", "instances")
    (stored,) = iter_rows(labelled, "masks")
    assert (row["changed_px"], row["rle"]) == (0, stored["rle"])


def test_without_cleaning_every_mask_is_released_as_it_was_stored(tmp_path):
    normalized, labelled = product(tmp_path, blots(2, 8))
    release(normalized, labelled, tmp_path / "out", QUALITY, **OPEN)
    columns = read_table(labelled, "masks").column_names
    for row, stored in zip(
        iter_rows(tmp_path / "out", "instances"), iter_rows(labelled, "masks"), strict=True
    ):
        assert {name: row[name] for name in columns} == stored
        assert row["changed_px"] == 0


@pytest.mark.parametrize("high", [False, True])
def test_a_hole_in_a_mask_whose_runs_join_columns_is_found(tmp_path, high):
    """A run from the foot of a column to the head of the next is one run: there are fewer runs than
    columns, in spite of the hole."""
    mask = np.zeros((64, 64), bool)
    mask[0 if high else 1 :, 20:40] = True
    mask[30:32, 25] = False
    normalized, labelled = product(tmp_path, [mask])
    release(normalized, labelled, tmp_path / "out", QUALITY, **{**OPEN, "max_hole": 0.05})
    (row,) = iter_rows(tmp_path / "out", "instances")
    assert row["changed_px"] == 2
