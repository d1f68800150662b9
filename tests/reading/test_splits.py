"""What names of splits mean."""

from __future__ import annotations

import pytest

from samrs.reading.splits import SPLITS, split_of, use_of


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train2017", "train"),
        ("instances_Validation", "val"),
        ("VisDrone2019-DET-test-dev", "test"),
        ("latest", None),
        ("interval_split", None),
        ("train_val", None),
        ("all", None),
    ],
)
def test_a_name_says_its_split_by_whole_words(name: str, split: str | None) -> None:
    assert split_of(name) == split
    assert split is None or use_of(name) == split


def test_every_split_has_a_use_and_test_is_never_trained_on() -> None:
    assert [use_of(split) for split in SPLITS] == list(SPLITS)
    assert [use_of(name) for name in ("all", "latest", "train_val")] == ["train"] * 3
    assert [use_of(name) for name in ("train_test", "val+test")] == ["test"] * 2
