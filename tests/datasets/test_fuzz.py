"""A second of fuzzing a reader, and the cases that longer runs have found."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from samrs.core import axis
from tests.datasets.fuzz import CORPUS, cases, check, corpus_name, try_case, write_dataset

QUICK = 40
CASES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("dataset", axis.names("samrs.datasets"))
def test_changed_files_raise_nothing_but_what_is_documented(dataset: str, tmp_path: Path) -> None:
    write_dataset(dataset, tmp_path)
    check(dataset, tmp_path)
    for number, data in islice(cases(dataset, seed=1), QUICK):
        try:
            try_case(dataset, tmp_path, number, data)
        except Exception as error:
            error.add_note(f"case {corpus_name(number, data)}: {data[:500]!r}")
            raise


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}-{p.name}")
def test_case_found_by_fuzzing_is_answered(path: Path, tmp_path: Path) -> None:
    dataset, number = path.parent.name, int(path.name.split("-")[0])
    write_dataset(dataset, tmp_path)
    try_case(dataset, tmp_path, number, path.read_bytes())
