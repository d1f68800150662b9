"""``samrs models`` lists every model with what it is, answers and costs."""

from __future__ import annotations

import json

from samrs.weights.listing import COSTS, NOT_MEASURED
from samrs.weights.models import models
from tests.commands.calls import call


def test_every_model_has_a_line() -> None:
    done = call("models")
    assert done.exit_code == 0
    head, *lines = done.stdout.splitlines()
    assert head.split()[:4] == ["model", "segmenter", "weights", "licence"]
    named = [one.name for one in models()]
    assert [line.split()[0] for line in lines[: len(named)]] == named
    (large,) = (line for line in lines if line.startswith("sam2.1_hiera_l "))
    for part in ("sam2", "898 MB", "Apache-2.0", "fetched", "1024 px", "mask prompts"):
        assert part in large


def test_costs_are_of_models_that_there_are_and_others_are_not_made_up() -> None:
    measured = json.loads(COSTS.read_text(encoding="utf-8"))["models"]
    assert measured.keys() <= {one.name for one in models()}
    lines = call("models").stdout.splitlines()
    for one in models():
        (line,) = (line for line in lines if line.startswith(f"{one.name} "))
        assert (NOT_MEASURED in line) == (one.name not in measured)
