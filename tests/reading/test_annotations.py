"""Finding, pairing, parsing and setting aside, whatever the format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import AnnotationError, UnknownNameError
from samrs.core.names import clean_id
from samrs.core.records import Annotation, Quarantine
from samrs.reading.annotations import (
    Place,
    category_of,
    files_by_stem,
    number,
    read_items,
    read_text,
    sound_annotations,
)


def annotation(ordinal: int, *hbb: float, category: str = "ship") -> Annotation:
    return Annotation(
        category=category,
        hbb=np.array(hbb),
        obb=None,
        source_file="a.txt",
        ordinal=ordinal,
        source_line=ordinal + 1,
    )


@pytest.mark.parametrize(
    "name", ["Expressway-Service-area", "expressway service area", "EXPRESSWAY_SERVICE_AREA"]
)
def test_spelling_of_a_class_does_not_count(name: str) -> None:
    assert (
        category_of(name, ("ship", "expressway-service-area"), "a:1") == "expressway-service-area"
    )


def test_unknown_class_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"a:1: unknown class, got 'boat'; allowed are ship"):
        category_of("boat", ("ship",), "a:1")


@pytest.mark.parametrize("text", ["ten", "", "nan", "inf", "-inf", "1e300", "1_0"])
def test_no_number_is_refused(text: str) -> None:
    with pytest.raises(AnnotationError, match=f"a:1: not a number, got '{text}'"):
        number(text, "a:1")


def test_names_become_safe_ids() -> None:
    assert clean_id("a b/ç#1.x-y_z") == "a_b_ue7_1.x-y_z"


def test_files_are_found_by_suffix_in_any_case_and_sorted(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.png", "c.txt"):
        (tmp_path / name).touch()
    assert list(files_by_stem(tmp_path, (".png",))) == ["a", "b"]


def test_marks_and_line_ends_of_text_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("\ufeffa\r\nb".encode())
    assert read_text(tmp_path / "a.txt", "a.txt").splitlines() == ["a", "b"]


def test_items_that_fail_leave_a_gap_in_the_ordinals() -> None:
    def parse(at: Place, item: str) -> tuple[int, float]:
        return at.ordinal, number(item, at.where)

    quarantine = Quarantine()
    items = [(3, "1"), (4, "x"), (5, "2")]
    assert read_items(items, parse, "a", quarantine) == [(0, 1.0), (2, 2.0)]
    assert quarantine.counts() == {"does not parse": 1}
    assert quarantine.rows[0]["source_line"] == 4


def test_boxes_of_no_use_are_set_aside() -> None:
    boxes = [
        annotation(0, 4, 4, 14, 10),
        annotation(1, 4, 4, 4, 10),
        annotation(2, 14, 4, 4, 10),
        annotation(3, 40, 4, 50, 10),
        annotation(4, -5, -5, 1, 1),
        annotation(5, 0, 0, 1e-200, 1e-200),  # whose area is 0 as a number
    ]
    quarantine = Quarantine()
    sound = sound_annotations(boxes, (40, 30), quarantine)
    assert [a.ordinal for a in sound] == [0, 4]
    assert quarantine.counts() == {"box outside its image": 1, "box without area": 3}
