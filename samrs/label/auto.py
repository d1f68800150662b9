"""``prompt: auto``: the recipe that the ablation's rule chose (``comparison/choice.py``).

    dvc repro compare-prompts && samrs choose-prompt --write

writes the choice to ``samrs/models/auto_prompt.json``, which is in git and is what labelling reads.
It is taken over by hand, as a model's weights are: labels need neither HRSC2016 nor the ablation,
and a figure that wavers does not make a million masks anew.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from samrs.core.errors import MissingInputError, ParameterError, ProductError
from samrs.core.shards import read_table

log = logging.getLogger("samrs")
AUTO = "auto"
SUMMARY = Path("metrics/compare_prompts/summary.json")
CHOICE = Path("samrs/models/auto_prompt.json")
"""Where a checkout holds the choice, which is written there."""
BUNDLED = Path(__file__).parents[1] / "models" / "auto_prompt.json"
"""The choice that the package brings."""
MEASURED = ("segmenter", "model")
"""What a choice holds for."""


def choice_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What an ablation's summary chose: ``recipe``, and ``without_obb`` for datasets that have
    upright boxes only (None where no recipe fits), with what it was measured with."""
    names = {"recipe": summary["auto"], "without_obb": summary["auto_without_obb"]}
    chosen = {key: None if of is None else of["recipe"] for key, of in names.items()}
    return {**{key: summary[key] for key in MEASURED}, **chosen}


def resolve(prompt: str, choice: Path, normalized: Path, *, segmenter: str, model: str) -> str:
    """The recipe to label with: ``prompt`` itself unless it is ``auto``.

    Args:
        prompt: as in params.yaml.
        choice: file of a stored choice.
        normalized: a product of ``normalize``; whether it has rotated boxes decides.
        segmenter: the one that labels.
        model: the one that labels.

    Raises:
        ParameterError: the choice was made for others, or no recipe fits.
        ProductError: the choice's file is broken.
    """
    if prompt != AUTO:
        return prompt
    made = chosen_for(choice, segmenter=segmenter, model=model)
    obb = read_table(normalized, "instances", ["obb"])["obb"]
    key = "recipe" if pc.sum(pc.is_valid(obb)).as_py() else "without_obb"
    recipe: str | None = made[key]
    if recipe is None:
        raise ParameterError(
            f"{choice}: no recipe to choose, got none for {key!r}; a recipe that fits the dataset "
            "is needed in prompt_ablation.recipes; add one, such as hbox, or name it as prompt"
        )
    log.info("prompt: auto is %s", recipe)
    return recipe


def chosen_for(choice: Path, *, segmenter: str, model: str) -> dict[str, str | None]:
    """A stored choice, which must be one for this segmenter and model.

    Args:
        choice: file of a stored choice.
        segmenter: the one that labels.
        model: the one that labels.

    Raises:
        ParameterError: it was made for others.
        ProductError: its file is broken.
    """
    made = read_choice(choice)
    if {key: made[key] for key in MEASURED} != {"segmenter": segmenter, "model": model}:
        raise ParameterError(
            f"prompt: auto was chosen for {made['segmenter']} {made['model']}, got {segmenter} "
            f"{model}; the ablation of these or a recipe's name is needed; set `prompt: hbox`, or "
            "run `dvc repro compare-prompts` and `samrs choose-prompt --write`"
        )
    return made


def read_summary(summary: Path) -> dict[str, Any]:
    """The ablation's summary.

    Raises:
        MissingInputError: it is not there.
    """
    if not summary.exists():
        raise MissingInputError(
            f"{summary}: missing, got nothing there; the ablation's summary is needed; run "
            "`dvc repro compare-prompts` in the project's folder"
        )
    found: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
    return found


def read_choice(choice: Path) -> dict[str, str | None]:
    """A stored choice, as ``choice_of`` gives it.

    Raises:
        ProductError: the file is broken or not there.
    """
    try:
        made: dict[str, str | None] = json.loads(choice.read_text(encoding="utf-8"))
        return {key: made[key] for key in (*MEASURED, "recipe", "without_obb")}
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ProductError(
            f"{choice}: no choice of a recipe, got a file that cannot be read "
            f"({type(error).__name__}); the choice as it was stored is needed; check it out "
            "again, or run `dvc repro compare-prompts` and `samrs choose-prompt --write`"
        ) from None
