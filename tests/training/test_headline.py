"""What of a benchmark a table of experiments shows."""

from __future__ import annotations

from samrs.finetune.headline import surely_gained


def interval(low: float) -> dict[str, float]:
    return {"mean": low + 0.1, "low": low, "high": low + 0.2}


def test_the_gain_is_that_of_the_encoder_at_the_largest_share() -> None:
    told = {"encoder": {"pretrain": {"0.5": interval(0.02), "0.1": interval(0.3)}}, "decoder": {}}
    assert surely_gained({"mode": "probe", "gain": told}) == {"gain": 0.02}


def test_full_fine_tuning_is_told_against_random_weights() -> None:
    told = {"imagenet": {"1": interval(0.5)}, "scratch": {"0.05": interval(0.1), "1": interval(0)}}
    assert surely_gained({"mode": "full", "gain": told}) == {"gain": 0}


def test_without_a_gain_there_is_no_value() -> None:
    assert surely_gained({"mode": "full", "gain": {}}) == {}
    assert surely_gained({"mode": "probe", "gain": {"encoder": {"rgb": {}}}}) == {}
