"""The rule of ``prompt: auto``: known answers."""

from __future__ import annotations

import pytest

from samrs.comparison.choice import Candidate, best_of, choose
from samrs.core.errors import ProductError

CHEAP, DEAR = (0.1, 1.0), (1.1, 1.0)


def test_a_best_that_every_interval_sets_apart_is_taken_whatever_it_costs() -> None:
    given = [Candidate("hbox", 0.70, CHEAP), Candidate("zoom", 0.80, DEAR)]
    chosen = choose(given, {"hbox": (0.05, 0.15), "zoom": None})
    assert chosen == {
        "recipe": "zoom",
        "best": "zoom",
        "tied": [],
        "reason": "better than every other recipe beyond the 95 % interval",
    }


def test_a_cheaper_one_that_cannot_be_told_apart_is_taken() -> None:
    given = [Candidate("hbox", 0.79, CHEAP), Candidate("zoom", 0.80, DEAR)]
    chosen = choose(given, {"hbox": (-0.01, 0.03), "zoom": None})
    assert (chosen["recipe"], chosen["best"], chosen["tied"]) == ("hbox", "zoom", ["hbox"])
    assert chosen["reason"] == "cannot be told apart from zoom and is cheaper"


def test_a_dearer_one_that_cannot_be_told_apart_is_not_taken() -> None:
    given = [Candidate("hbox", 0.80, CHEAP), Candidate("zoom", 0.79, DEAR)]
    assert choose(given, {"hbox": None, "zoom": (-0.01, 0.03)})["recipe"] == "hbox"


def test_a_third_may_be_tied_where_the_runner_up_is_not() -> None:
    given = [
        Candidate("zoom", 0.80, DEAR),
        Candidate("zoom+point", 0.79, DEAR),
        Candidate("hbox", 0.78, CHEAP),
    ]
    behind = {"zoom": None, "zoom+point": (0.005, 0.015), "hbox": (-0.02, 0.06)}
    assert choose(given, behind)["recipe"] == "hbox"


def test_encoder_passes_weigh_more_than_prompts() -> None:
    given = [Candidate("zoom", 0.80, (0.5, 1)), Candidate("consensus", 0.79, (0.1, 8))]
    assert choose(given, {"zoom": None, "consensus": (-0.1, 0.1)})["recipe"] == "consensus"


def test_of_equal_or_unknown_costs_the_better_is_taken() -> None:
    behind = {"hbox": (-0.1, 0.1), "rbox": (-0.1, 0.1)}
    for cost in (CHEAP, None):
        given = [Candidate("hbox", 0.79, cost), Candidate("rbox", 0.80, cost)]
        assert choose(given, behind)["recipe"] == "rbox"


def test_an_interval_that_ends_at_zero_or_is_unknown_tells_nothing_apart() -> None:
    given = [Candidate("hbox", 0.7, CHEAP), Candidate("zoom", 0.8, DEAR)]
    for interval in ((0.0, 0.2), None):
        assert choose(given, {"hbox": interval, "zoom": None})["recipe"] == "hbox"


def test_the_order_of_the_candidates_does_not_matter() -> None:
    given = [Candidate(name, 0.5, CHEAP) for name in ("rbox", "hbox", "point")]
    behind = dict.fromkeys(("rbox", "hbox", "point"), (0.0, 0.0))
    assert choose(given, behind)["recipe"] == choose(given[::-1], behind)["recipe"] == "hbox"


def test_one_recipe_is_chosen_for_want_of_another() -> None:
    chosen = choose([Candidate("hbox", 0.5)], {"hbox": None})
    assert (chosen["recipe"], chosen["reason"]) == ("hbox", "it is the only recipe")


def test_no_recipe_is_refused() -> None:
    with pytest.raises(ProductError, match="no recipe to choose from"):
        best_of([])
