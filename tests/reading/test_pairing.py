"""Two lists of the same objects."""

from __future__ import annotations

import numpy as np

from samrs.core.records import Annotation, Quarantine
from samrs.reading.pairing import pair_annotations


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
