"""The page of the parts of recipes, from ``samrs/prompts``."""

from __future__ import annotations

from samrs.core import axis
from samrs.prompting.recipes import AXIS, parse_recipe
from tools.docs.text import paragraphs, table


def page() -> str:
    """``docs/reference/recipes.md``."""
    rows, sections = [], []
    for name in axis.names(AXIS):
        recipe = parse_recipe(name)
        kind = "way of asking" if recipe.ways else "prompt"
        needs = "rotated box" if recipe.needs_obb else "box"
        passes = "more than the tile's" if recipe.extra_passes else "the tile's"
        part = axis.load(AXIS, name)
        least, most = getattr(part, "SIZES", (None, None))
        sizes = f"{least} to {most} px" if least else "–"
        rows.append((f"[`{name}`](#{name})", kind, needs, str(recipe.asks), passes, sizes))
        doc = paragraphs(part.__doc__ or "")
        sections.append(f"## {name}\n\n{doc}\n\nFile: `samrs/prompts/{name}.py`.")
    intro = (
        "The parts of recipes. A recipe is one part, or several joined by `+` in any order: "
        "prompts are given together, ways of asking nest. A part with sizes takes one behind an @, "
        "as `fit@96`. Which to take: "
        "[quality](../quality.md). How to add one: [contributing](../contributing.md#a-recipe)."
    )
    header = ("part", "kind", "needs", "prompts a box", "encoder passes", "sizes")
    return "\n\n".join(["# Recipes", intro, table(header, rows), *sections]) + "\n"
