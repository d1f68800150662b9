"""Files of corrections: what is written is read again, and anything else is refused by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.errors import AnnotationError, MissingInputError
from samrs.core.shards import json_text
from samrs.corrections.read import COLUMNS, read_corrections
from samrs.corrections.records import Clicks, Corrections, Drawn, Verdict, mask_digest, new_id
from samrs.corrections.write import file_text
from tests.corrections.records import anchor, every_kind, mask, verdict

CLASSES = ("ship", "harbor")


def write(folder: Path, records: list[Any]) -> None:
    for name in {record.FILE for record in records}:
        text = file_text(name, [record for record in records if name == record.FILE])
        (folder / name).write_text(text, encoding="utf-8")


def test_every_kind_is_read_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, every_kind())
    found = read_corrections(tmp_path, CLASSES)
    assert sorted(found.records.values(), key=repr) == sorted(every_kind(), key=repr)
    assert found.counts() == dict.fromkeys(found.counts(), 1)
    assert len(found.of(Clicks)) == 1
    assert found.of(Clicks)[0].answer.rle == mask()


def test_lines_are_sorted_whatever_the_order_of_records() -> None:
    records = [verdict("b#0"), verdict("a#1"), verdict("a#0", tile="z")]
    text = file_text(Verdict.FILE, records)
    assert text == file_text(Verdict.FILE, records[::-1])
    assert [line.split(",")[0] for line in text.splitlines()[1:]] == ["a#0", "a#1", "b#0"]


def test_lines_may_stand_in_any_order_as_a_merge_leaves_them(tmp_path: Path) -> None:
    lines = file_text(Verdict.FILE, [verdict("a#0"), verdict("a#1")]).splitlines()
    (tmp_path / Verdict.FILE).write_text("\n".join([lines[0], lines[2], "", lines[1]]))
    merged = read_corrections(tmp_path)
    write(tmp_path, [verdict("a#1"), verdict("a#0")])
    assert merged.digest() == read_corrections(tmp_path).digest()


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=30))
def test_any_reason_of_one_line_survives(reason: str) -> None:
    from samrs.corrections.read import parsed

    record = Verdict(anchor=anchor(), verdict="accept", mask=mask_digest(mask()), reason=reason)
    data = file_text(Verdict.FILE, [record]).encode()
    assert list(parsed(Verdict.FILE, data, Path()).values()) == [record]


def test_no_files_are_no_corrections(tmp_path: Path) -> None:
    (tmp_path / ".gitkeep").touch()
    (tmp_path / "README.md").touch()
    assert read_corrections(tmp_path) == Corrections()
    with pytest.raises(MissingInputError, match="no such folder"):
        read_corrections(tmp_path / "none")


HEAD = ",".join(COLUMNS["verdicts.csv"])
GOOD = "a#0,a__0_0,1 1 6 5,0123456789abcdef,reject,"
WRONG_CSV = {
    "other columns": "id,verdict\n",
    "cells do not fit": f"{HEAD}\na#0,a__0_0\n",
    "did you mean reject": f"{HEAD}\n{GOOD.replace('reject', 'rejct')}\n",
    "stands here twice": f"{HEAD}\n{GOOD}\n{GOOD}\n",
    "no box": f"{HEAD}\n{GOOD.replace('1 1 6 5', '1 1 six 5')}\n",
    "not 4 numbers": f"{HEAD}\n{GOOD.replace('1 1 6 5', '1 1 nan 5')}\n",
    "x0 < x1": f"{HEAD}\n{GOOD.replace('1 1 6 5', '6 1 1 5')}\n",
    "no digest": f"{HEAD}\n{GOOD.replace('0123456789abcdef', 'XYZ')}\n",
    "no such text": f"{HEAD}\n{GOOD.replace('a#0', '')}\n",
    "not CSV": f'{HEAD}\n"{GOOD}\n',
    "not a text": f"{HEAD}\n{GOOD}\xff\n",
}


@pytest.mark.parametrize("match", WRONG_CSV)
def test_a_wrong_csv_is_refused_with_file_and_line(match: str, tmp_path: Path) -> None:
    (tmp_path / "verdicts.csv").write_bytes(WRONG_CSV[match].encode("latin-1"))
    with pytest.raises(AnnotationError, match=rf"verdicts\.csv:\d: .*{match}"):
        read_corrections(tmp_path)


def line(**changes: Any) -> str:
    fields = {"instance_id": "a#0", "tile_id": "t", "annotated": [1, 1, 6, 5], "rle": mask()}
    return json_text({**fields, **changes})


WRONG_JSON = {
    "not JSON": "{",
    "1e400": line().replace("[1,", "[1e400,").replace("[1, 1", "[1e400, 1"),
    "no object": "[]",
    "did you mean rle": line(rl=1),
    "stands in an object twice": line()[:-1] + ', "rle": {}}',
    "no such text": line(instance_id="a\nb"),
    "no mask of its size, got .8, 10.": line(rle={"size": [8, 10], "counts": "01"}),
    "reject what has none": line(rle={"size": [8, 10], "counts": "`2"}),
    "no mask, got size": line(rle={"size": [0, 10], "counts": "0"}),
    "a key is missing, got no 'rle'": '{"instance_id":"a","tile_id":"t","annotated":[1,1,6,5]}',
    "got True|not 4 numbers": line(annotated=[True, 1, 6, 5]),
    "Exceeds|digits": line().replace("[1,", "[" + "9" * 5000 + ","),
    "recursion": "[" * 100_000,
}


@pytest.mark.parametrize("match", WRONG_JSON)
def test_a_wrong_line_is_refused_with_file_and_line(match: str, tmp_path: Path) -> None:
    (tmp_path / Drawn.FILE).write_text(f"\n{WRONG_JSON[match]}\n", encoding="utf-8")
    pattern = {"1e400": "not 4 numbers"}.get(match, match)
    with pytest.raises(AnnotationError, match=rf"masks\.jsonl:2: .*(?:{pattern})"):
        read_corrections(tmp_path)


def test_an_unknown_class_and_an_unknown_file_are_told_what_is_meant(tmp_path: Path) -> None:
    write(tmp_path, every_kind())
    with pytest.raises(AnnotationError, match="did you mean harbour"):
        read_corrections(tmp_path, ("ship", "harbour"))
    (tmp_path / "verdict.csv").touch()
    with pytest.raises(AnnotationError, match=r"did you mean verdicts\.csv"):
        read_corrections(tmp_path)


def test_new_ids_differ_by_what_they_are_of() -> None:
    box = (1.0, 2.0, 3.0, 4.0)
    found = {
        new_id("a", "a__0_0", "ship", box),
        new_id("a", "a__5_0", "ship", box),
        new_id("a", "a__0_0", "harbor", box),
        new_id("a", "a__0_0", "ship", (1.0, 2.0, 3.0, 4.5)),
    }
    assert len(found) == 4
    assert all(name.startswith("a#new-") for name in found)
