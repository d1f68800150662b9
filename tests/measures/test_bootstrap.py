"""Intervals: known answers, coverage, pairing, whole scenes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from samrs.measures.bootstrap import DRAWS, Resampling, as_interval


def instances(scenes: list[str], tiles: list[str] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"scene_id": scenes, "tile_id": tiles or scenes})


def spread(scenes: int, each: int) -> pd.DataFrame:
    return instances([f"s{i:03d}" for i in range(scenes) for _ in range(each)])


@pytest.mark.parametrize(
    ("scenes", "tiles", "unit"),
    [
        ([f"s{i}" for i in range(8)], [f"t{i}" for i in range(8)], "scenes"),
        (["a"] * 8, [f"t{i}" for i in range(8)], "tiles"),
        (["a"] * 7, [f"t{i}" for i in range(7)], "instances"),
    ],
)
def test_the_largest_unit_of_which_there_are_eight_is_drawn(
    scenes: list[str], tiles: list[str], unit: str
) -> None:
    assert Resampling(instances(scenes, tiles)).unit == unit


def test_an_object_that_two_tiles_see_is_drawn_once() -> None:
    rows = pd.DataFrame({"tile_id": ["t", "u"] * 9, "instance_id": [i // 2 for i in range(18)]})
    drawn = Resampling(rows)
    assert drawn.unit == "instances"
    assert drawn.num_clusters(np.ones(18, dtype=bool)) == 9


def test_equal_values_leave_no_doubt() -> None:
    ends = Resampling(spread(9, 4)).intervals(np.full((36, 1), 0.7))
    assert ends[0].tolist() == [0.7, 0.7]


def test_of_independent_instances_the_interval_is_that_of_the_normal_law() -> None:
    values = np.random.default_rng(0).normal(0.6, 0.1, (400, 1))
    low, high = Resampling(spread(400, 1)).intervals(values)[0]
    wide = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - wide, abs=wide / 5)
    assert high == pytest.approx(values.mean() + wide, abs=wide / 5)


def test_instances_of_a_scene_that_are_alike_count_as_one() -> None:
    of_scene = np.random.default_rng(1).normal(0.6, 0.1, 40)
    alike = np.repeat(of_scene, 10)[:, None]
    alone = Resampling(spread(40, 1)).intervals(of_scene[:, None])
    np.testing.assert_allclose(Resampling(spread(40, 10)).intervals(alike), alone, atol=1e-6)


def test_nine_in_ten_and_more_intervals_hold_the_mean_they_estimate() -> None:
    rng = np.random.default_rng(2)
    columns = rng.normal(0.5, 0.1, (60, 1, 300)) + rng.normal(0, 0.1, (60, 3, 300))
    ends = Resampling(spread(60, 3)).intervals(columns.reshape(180, 300))
    holds = (ends[:, 0] <= 0.5) & (ends[:, 1] >= 0.5)
    assert 0.90 < holds.mean() < 0.98


def test_a_difference_is_judged_on_the_same_draws() -> None:
    values = np.random.default_rng(3).uniform(0, 1, (90, 1))
    drawn = Resampling(spread(30, 3))
    pair = drawn.intervals(np.hstack([values, values + 0.05]))
    np.testing.assert_allclose(pair[1] - pair[0], 0.05, atol=2e-6)


def test_only_the_instances_meant_are_used() -> None:
    values = np.r_[np.zeros(30), np.ones(30)][:, None]
    among = values[:, 0] == 1
    ends = Resampling(spread(20, 3)).intervals(values, among)
    assert ends[0].tolist() == [1, 1]


def test_missing_values_are_left_out() -> None:
    values = np.random.default_rng(4).uniform(0, 1, (60, 2))
    values[:, 1] = values[:, 0]
    values[::3, 1] = np.nan
    drawn = Resampling(spread(20, 3))
    kept = np.isfinite(values[:, 1])
    assert drawn.intervals(values)[1].tolist() == drawn.intervals(values[:, :1], kept)[0].tolist()


def test_a_handful_of_scenes_gives_no_interval() -> None:
    drawn = Resampling(spread(10, 2))
    for scenes, interval in ((4, None), (5, [1.0, 1.0])):
        among = drawn.clusters < scenes
        assert as_interval(drawn.intervals(np.ones((20, 1)), among)[0]) == interval
        assert drawn.num_clusters(among) == scenes


def test_the_order_of_the_instances_does_not_matter() -> None:
    table = spread(12, 3)
    values = np.random.default_rng(5).uniform(0, 1, (36, 4))
    turned = np.random.default_rng(6).permutation(36)
    one = Resampling(table).intervals(values)
    other = Resampling(table.iloc[turned].reset_index(drop=True)).intervals(values[turned])
    assert one.tolist() == other.tolist()


def test_thousands_of_instances_take_a_moment() -> None:
    table = spread(520, 6)
    drawn = Resampling(table)
    assert drawn.intervals(np.random.default_rng(7).uniform(0, 1, (3120, 24))).shape == (24, 2)
    assert DRAWS >= 1000
