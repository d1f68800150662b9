"""Filters and orders of the wall."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from samrs.core.errors import ParameterError, ProductError, UnknownNameError
from samrs.core.shards import read_manifest, write_manifest
from samrs.review.index import Index, Wanted
from samrs.review.pictures import part
from tests.review.releases import HOSTILE, qualities


@pytest.fixture
def index(release: Path) -> Index:
    return Index(release)


def test_the_worst_come_first_and_the_best_the_other_way(index: Index) -> None:
    worst = np.argsort(qualities(), kind="stable")
    assert index.order(Wanted()).tolist() == worst.tolist()
    assert index.order(Wanted(down=True)).tolist() == worst[::-1].tolist()


def test_any_stored_score_sorts(index: Index) -> None:
    assert {"quality", "predicted_iou", "stability_score", "outside"} <= set(index.scores)
    assert "obb_iou" not in index.scores, "no instance has one"
    assert index.order(Wanted(sort="stability_score")).tolist()[:3] == [0, 12, 24]
    assert index.order(Wanted(sort="stored")).tolist() == list(range(36))
    sizes = index.size[index.order(Wanted(sort="size", down=True))]
    assert (np.diff(sizes) <= 0).all()


def test_masks_without_the_score_come_last(index: Index) -> None:
    index.scores["quality"][5] = np.nan
    assert index.order(Wanted())[-1] == 5
    assert index.order(Wanted(down=True))[-1] == 5
    assert 5 not in index.order(Wanted(quality=(0.0, 0.99)))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(category=HOSTILE), 3),
        (Wanted(category="disc"), 18),
        (Wanted(split="val"), 24),
        (Wanted(recipe="zoom"), 18),
        (Wanted(scene="b"), 24),
        (Wanted(scene="nowhere"), 0),
        (Wanted(quality=(0.0, 0.5)), sum(q <= 0.5 for q in qualities())),
        (Wanted(size=(30.0, 1e9), category="square"), 15),
        (Wanted(split="val", category="disc", recipe="hbox"), 6),
    ],
)
def test_filters_pass_what_they_say(index: Index, wanted: Wanted, count: int) -> None:
    assert len(index.order(wanted)) == count


def test_what_does_not_exist_is_refused(index: Index) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown class, got 'discs'.* did you mean disc"):
        index.order(Wanted(category="discs"))
    with pytest.raises(UnknownNameError, match="unknown order, got 'age'"):
        index.order(Wanted(sort="age"))
    with pytest.raises(ParameterError, match=r"no range, got 0\.9 to 0\.1"):
        index.order(Wanted(quality=(0.9, 0.1)))
    with pytest.raises(UnknownNameError, match="no such mask, got number 36"):
        index.instance_id(36)


def test_masks_of_one_instance_know_each_other(index: Index) -> None:
    shared = [n for n in range(36) if index.instance_id(n) == "b#shared"]
    assert shared == [0, 12, 24]
    assert index.siblings(12) == [0, 24]
    assert index.numbers([("b#shared", "b__0_0"), ("b#9", "a__0_0")]) == {
        ("b#shared", "b__0_0"): 12
    }


def test_only_releases_are_reviewed(release: Path) -> None:
    manifest = {k: v for k, v in read_manifest(release).items() if k != "shards"}
    write_manifest(release, {**manifest, "product": "normalize"})
    with pytest.raises(ProductError, match="not a release, got product 'normalize'"):
        Index(release)


def test_instances_of_missing_tiles_are_refused(release: Path) -> None:
    path = release / "tiles-00000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 2), path)
    with pytest.raises(ProductError, match="instances of tiles that are not there, got 12"):
        Index(release)


def test_a_part_stays_in_the_tile() -> None:
    rle = {"size": [40, 100], "counts": "T\\1"}
    assert part([90, 5, 98, 15], rle, 2.0, 16) == (80, 0, 20, 20)  # type: ignore[arg-type]
    assert part([0, 0, 100, 40], rle, 2.0, 16) == (0, 0, 100, 40)  # type: ignore[arg-type]
