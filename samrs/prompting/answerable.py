"""Whether a segmenter answers a recipe: compared before anything is encoded."""

from __future__ import annotations

from samrs.core.errors import ParameterError
from samrs.prompting.abilities import WORDS, Abilities
from samrs.prompting.recipes import Recipe

PARTS = {"boxes": "boxes_xyxy", "points": "points_xy", "masks": "mask_polygons"}
"""What a prompt may hold, and where ``Prompt`` holds it."""


def needs(recipe: Recipe) -> set[str]:
    """What a recipe asks, of ``WORDS``."""
    prompt = recipe.example()
    given = {part for part, field in PARTS.items() if getattr(prompt, field) is not None}
    return given.union(*(way.WANTS for way in recipe.ways))


def check_answerable(recipe: Recipe, segmenter: str, abilities: Abilities) -> None:
    """Refuse a recipe that a segmenter cannot answer.

    Args:
        segmenter: its name, for the error.
        abilities: the segmenter's.

    Raises:
        ParameterError: it cannot.
    """
    asked = needs(recipe)
    if abilities.only in asked:
        asked -= set(PARTS) - {abilities.only}
    if missing := [word for name, word in WORDS.items() if name in asked - abilities.answers]:
        raise ParameterError(
            f"prompt: segmenter {segmenter} cannot answer the recipe, got {recipe.name}, which "
            f"needs {' and '.join(missing)}; {segmenter} answers {abilities}; name another recipe "
            "(samrs recipes) or another segmenter (samrs models)"
        )
