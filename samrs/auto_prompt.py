"""``prompt: auto``: the recipe that the prompt ablation's rule chose (``samrs/auto.py``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from samrs.core.errors import ParameterError
from samrs.core.shards import read_table, write_json

AUTO = "auto"


def write_choice(summary: Mapping[str, Any], path: Path) -> None:
    """Write what the ablation's summary chose: ``recipe``, and ``without_obb`` for datasets that
    have upright boxes only. It changes only when the choice does, unlike the summary."""
    names = {"recipe": summary["auto"], "without_obb": summary["auto_without_obb"]}
    write_json(path, {key: None if of is None else of["recipe"] for key, of in names.items()})


def resolve(prompt: str, choice: Path, normalized: Path) -> str:
    """The recipe to label with: ``prompt`` itself unless it is ``auto``.

    Args:
        prompt: as in params.yaml.
        choice: what ``write_choice`` wrote.
        normalized: a product of ``normalize``; whether it has rotated boxes decides.

    Raises:
        ParameterError: the ablation measured no recipe that fits.
    """
    if prompt != AUTO:
        return prompt
    obb = read_table(normalized, "instances", ["obb"])["obb"]
    key = "recipe" if pc.sum(pc.is_valid(obb)).as_py() else "without_obb"
    recipe: str | None = json.loads(choice.read_text(encoding="utf-8"))[key]
    if recipe is None:
        raise ParameterError(
            f"{choice}: no recipe to choose, got none for {key!r}; a recipe that fits the dataset "
            "is needed in prompt_ablation.recipes; add one, such as hbox, or name it as prompt"
        )
    return recipe
