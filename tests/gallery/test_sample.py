"""Which instances a wall shows."""

from __future__ import annotations

import pandas as pd
import pytest

from samrs.gallery.sample import sample, shares, spread


def rows(*given: tuple[str, str, int, float, float]) -> pd.DataFrame:
    columns = ["instance_id", "tile_id", "category_id", "visible", "quality"]
    return pd.DataFrame(given, columns=columns)


@pytest.mark.parametrize(
    ("sizes", "at_most", "given"),
    [
        ({0: 100, 1: 100}, 10, {0: 5, 1: 5}),
        ({0: 100, 1: 2}, 10, {0: 8, 1: 2}),
        ({0: 3, 1: 2}, 10, {0: 3, 1: 2}),
        ({0: 100, 1: 100, 2: 100}, 2, {0: 1, 1: 1, 2: 0}),
        ({}, 5, {}),
    ],
)
def test_classes_share_the_places_and_leave_none_unused(
    sizes: dict[int, int], at_most: int, given: dict[int, int]
) -> None:
    assert shares(sizes, at_most) == given


def test_places_are_even_from_the_first_to_the_last() -> None:
    assert spread(101, 5) == [0, 25, 50, 75, 100]
    assert spread(3, 3) == [0, 1, 2]
    assert spread(9, 1) == [0]
    assert spread(9, 0) == []


def test_the_worst_and_the_best_of_each_class_are_shown_worst_first() -> None:
    many = [(f"a{n:02d}", "t", 0, 1.0, 0.9 - n / 100) for n in range(50)]
    chosen = sample(rows(*many, ("b0", "t", 1, 1.0, 0.7)), 4)
    assert list(chosen["instance_id"]) == ["a49", "a48", "b0", "a00"]


def test_an_instance_of_several_tiles_is_shown_once_where_most_of_it_is() -> None:
    seen = [("a", "t1", 0, 0.2, 0.9), ("a", "t2", 0, 1.0, 0.8), ("a", "t3", 0, 1.0, 0.7)]
    chosen = sample(rows(*seen), 9)
    assert list(chosen["tile_id"]) == ["t2"]


def test_of_nothing_nothing_is_shown() -> None:
    assert sample(rows(), 9).empty
