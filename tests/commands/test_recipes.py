"""``samrs recipes`` lists every part of a recipe."""

from __future__ import annotations

from samrs.core import axis
from samrs.prompting.recipes import AXIS
from tests.commands.calls import call


def test_every_part_has_a_line_with_needs_and_cost() -> None:
    done = call("recipes")
    head, *lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert head.split() == ["part", "needs", "prompts", "what", "it", "is"]
    assert [line.split()[0] for line in lines] == list(axis.names(AXIS))
    (rbox,) = (line for line in lines if line.startswith("rbox "))
    assert "rotated box" in rbox
    (zoom,) = (line for line in lines if line.startswith("zoom "))
    assert "more encoder passes" in zoom
