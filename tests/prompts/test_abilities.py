"""A recipe that a segmenter cannot answer is refused, and why."""

from __future__ import annotations

import pytest

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.prompting.abilities import Abilities, sam_like
from samrs.prompting.answerable import check_answerable, needs
from samrs.prompting.recipes import AXIS, parse_recipe
from samrs.weights.models import abilities_of

FLOORS = ("box", "obb", "grabcut")


@pytest.mark.parametrize(
    ("recipe", "needed"),
    [
        ("hbox", {"boxes"}),
        ("point", {"points"}),
        ("rbox", {"masks"}),
        ("hbox+point", {"boxes", "points"}),
        ("hbox+soft_rbox", {"boxes", "masks"}),
        ("refine", {"boxes", "masks", "soft"}),
        ("zoom", {"boxes", "soft"}),
        ("choose", {"boxes", "several", "soft"}),
    ],
)
def test_a_recipe_says_what_it_needs(recipe: str, needed: set[str]) -> None:
    assert needs(parse_recipe(recipe)) == needed


@pytest.mark.parametrize("recipe", axis.names(AXIS))
def test_sam_and_its_family_answer_everything(recipe: str) -> None:
    for segmenter in set(axis.names("samrs.segmenters")) - set(FLOORS):
        check_answerable(parse_recipe(recipe), segmenter, abilities_of(segmenter))


@pytest.mark.parametrize(
    ("segmenter", "recipe", "why"),
    [
        ("box", "zoom", "needs soft masks; box answers boxes"),
        ("box", "point", "needs points; box answers boxes"),
        ("grabcut", "rbox", "needs mask prompts; grabcut answers boxes"),
        ("obb", "hbox", "needs boxes; obb answers mask prompts"),
    ],
)
def test_floors_refuse_what_they_cannot(segmenter: str, recipe: str, why: str) -> None:
    with pytest.raises(ParameterError, match=f"cannot answer the recipe, got {recipe}, .*{why}"):
        check_answerable(parse_recipe(recipe), segmenter, abilities_of(segmenter))


@pytest.mark.parametrize(("segmenter", "recipe"), [("box", "hbox+point"), ("obb", "hbox+rbox")])
def test_floors_pass_over_what_they_do_not_look_at(segmenter: str, recipe: str) -> None:
    check_answerable(parse_recipe(recipe), segmenter, abilities_of(segmenter))


def test_a_model_without_mask_prompts_refuses_them() -> None:
    blind = Abilities(sam_like().answers - {"masks"}, 1024)
    with pytest.raises(ParameterError, match="needs mask prompts; blind answers boxes, points, so"):
        check_answerable(parse_recipe("hbox+soft_rbox+zoom"), "blind", blind)
