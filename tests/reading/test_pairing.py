"""Two lists of the same objects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from samrs.core.geometry import hbb_iou
from samrs.core.records import Annotation, Quarantine
from samrs.reading import assignment
from samrs.reading.assignment import best_pairs
from samrs.reading.pairing import MIN_PAIR_IOU, pair_annotations


def annotation(ordinal: int, *hbb: float, category: str = "ship") -> Annotation:
    return Annotation(
        category=category,
        hbb=np.array(hbb),
        obb=None,
        source_file="a.txt",
        ordinal=ordinal,
        source_line=ordinal + 1,
    )


def test_pairs_maximise_overlap_one_to_one_within_a_class() -> None:
    kept = [annotation(0, 0, 0, 10, 10), annotation(1, 2, 0, 12, 10), annotation(2, 0, 0, 9, 9)]
    kept[2] = annotation(2, 0, 0, 9, 9, category="dam")
    others = [annotation(0, 3, 0, 13, 10), annotation(1, 1, 0, 11, 10)]
    others.append(annotation(2, 50, 50, 60, 60, category="dam"))
    quarantine = Quarantine()
    pairs = pair_annotations(kept, others, quarantine)
    assert [None if p is None else p.ordinal for p in pairs] == [1, 0, None]
    assert quarantine.counts() == {"box without its pair": 1}
    assert "a.txt:3: no box of the other file" in str(quarantine.rows[0]["detail"])


@given(
    seed=some.integers(0, 2**32 - 1),
    counts=some.tuples(some.integers(0, 40), some.integers(0, 40)),
    equal=some.floats(0, 1),
)
def test_many_boxes_pair_as_few_do(seed: int, counts: tuple[int, int], equal: float) -> None:
    rng = np.random.default_rng(seed)
    p, q = (np.sort(rng.uniform(0, 60, (n, 2, 2)), axis=1).reshape(n, 4) for n in counts)
    same = rng.random(min(counts)) < equal
    q[: len(same)][same] = p[: len(same)][same]
    few = best_pairs(p, q, MIN_PAIR_IOU)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assignment, "FEW", -1)
        many = best_pairs(p, q, MIN_PAIR_IOU)
    for rows, columns in (few, many):
        assert len(set(rows.tolist())) == len(set(columns.tolist())) == len(rows)
    iou = hbb_iou(p, q)
    assert iou[many].sum() == pytest.approx(iou[few].sum())
    if not same.any():  # else sums may tie
        assert set(zip(*map(np.ndarray.tolist, many), strict=True)) == set(
            zip(*map(np.ndarray.tolist, few), strict=True)
        )


def test_thirty_thousand_boxes_pair_in_seconds() -> None:
    rng = np.random.default_rng(0)
    corner, size = rng.uniform(0, 20_000, (30_000, 2)), rng.uniform(8, 40, (30_000, 2))
    p = np.hstack([corner, corner + size])
    order = rng.permutation(len(p))
    q = p[order] + rng.uniform(-0.5, 0.5, (len(p), 4))
    rows, columns = best_pairs(p, q, MIN_PAIR_IOU)
    assert (order[columns] == rows).mean() > 0.999
    rows, columns = best_pairs(p, p[order], MIN_PAIR_IOU)
    assert (order[columns] == rows).all()


def test_a_heap_of_boxes_is_left_unpaired() -> None:
    p = np.array([[0.0, 0.0, 100.0, 100.0]]) + np.arange(3000)[:, None] * 1e-3
    rows, _ = best_pairs(p, p + 5e-4, MIN_PAIR_IOU)
    assert len(rows) == 0
