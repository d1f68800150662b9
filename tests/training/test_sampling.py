from __future__ import annotations

import math
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.errors import ParameterError
from samrs.training.sampling import Draw, Draws, epoch_steps, split_batch

PAPER = {"sota": 17_480, "sior": 11_725, "fast": 64_147}

sizes_and_batch = st.lists(st.integers(1, 200), min_size=1, max_size=5).flatmap(
    lambda sizes: st.tuples(
        st.just({f"s{i}": size for i, size in enumerate(sizes)}), st.integers(len(sizes), 40)
    )
)


def batches(sizes: dict[str, int], batch_size: int, steps: Iterable[int]) -> list[list[Draw]]:
    draws = Draws(sizes, split_batch(sizes, batch_size), seed=3)
    return [draws.batch(step) for step in steps]


def test_a_batch_of_12_over_the_paper_s_subsets_is_handed_out_whole() -> None:
    assert split_batch(PAPER, 12) == {"sota": 2, "sior": 2, "fast": 8}


def test_a_small_batch_leaves_no_subset_out() -> None:
    assert split_batch(PAPER, 3) == {"sota": 1, "sior": 1, "fast": 1}
    assert split_batch({"few": 1, "many": 10_000}, 4) == {"few": 1, "many": 3}


@given(sizes_and_batch)
def test_parts_add_up_are_never_zero_and_follow_the_sizes(case: tuple[dict[str, int], int]) -> None:
    sizes, batch_size = case
    parts = split_batch(sizes, batch_size)
    assert sum(parts.values()) == batch_size
    assert min(parts.values()) >= 1
    for a in sizes:
        assert parts[a] <= max(1, math.ceil(batch_size * sizes[a] / sum(sizes.values())))
        for b in sizes:
            assert sizes[a] <= sizes[b] or parts[a] >= parts[b]


@given(sizes_and_batch)
def test_an_epoch_sees_every_sample_of_every_subset(case: tuple[dict[str, int], int]) -> None:
    sizes, batch_size = case
    steps = epoch_steps(sizes, split_batch(sizes, batch_size))
    seen = {
        (d.subset, d.place) for batch in batches(sizes, batch_size, range(steps)) for d in batch
    }
    assert seen == {(i, place) for i, size in enumerate(sizes.values()) for place in range(size)}


@given(sizes_and_batch)
def test_no_sample_comes_twice_in_an_epoch_of_its_subset(
    case: tuple[dict[str, int], int],
) -> None:
    sizes, batch_size = case
    draws = [d for batch in batches(sizes, batch_size, range(30)) for d in batch]
    assert len(draws) == len(set(draws)) == 30 * batch_size


def test_a_step_sees_the_same_whatever_was_asked_before() -> None:
    sizes = {"a": 5, "b": 9}
    whole = batches(sizes, 4, range(10))
    assert batches(sizes, 4, range(7, 10)) == whole[7:]
    assert batches(sizes, 4, reversed(range(10))) == whole[::-1]


def test_a_batch_smaller_than_the_number_of_subsets_is_refused() -> None:
    with pytest.raises(ParameterError, match="too small for 3 subsets, got 2; at least 3"):
        split_batch(PAPER, 2)


def test_an_empty_subset_is_refused() -> None:
    with pytest.raises(ParameterError, match="sior: nothing to train on, got 0 samples"):
        split_batch({"sota": 4, "sior": 0}, 4)
