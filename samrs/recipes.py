"""Recipes: what to ask of a segmenter for a box, named as in ``prompt: hbox+point``.

A recipe is a prompt of ``samrs/prompts``, or a sum of them given together.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.core.prompting import Boxes, Prompt

AXIS = "samrs.prompts"

T = TypeVar("T")

_ONE_BOX = Boxes(
    np.array([[0.0, 0.0, 1.0, 1.0]]),
    np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]),
    (1, 1),
)


@dataclass(frozen=True)
class Recipe:
    """A prompt or a sum of prompts.

    Args:
        name: as written in params.yaml.
        parts: the prompt modules, in the order of the name.
    """

    name: str
    parts: tuple[ModuleType, ...]

    @property
    def needs_obb(self) -> bool:
        """Whether some part wants a rotated box."""
        return any(part.NEEDS_OBB for part in self.parts)

    def build(self, boxes: Boxes) -> Prompt:
        """The prompts of N boxes: all parts together, points of several parts one after another."""
        prompts: list[Prompt] = [part.build(boxes) for part in self.parts]
        return Prompt(
            fallback=np.logical_or.reduce([p.fallback for p in prompts]),
            boxes_xyxy=self._only("box", [p.boxes_xyxy for p in prompts]),
            points_xy=_joined([p.points_xy for p in prompts]),
            point_labels=_joined([p.point_labels for p in prompts]),
            mask_polygons=self._only("mask", [p.mask_polygons for p in prompts]),
        )

    def _only(self, what: str, values: list[T | None]) -> T | None:
        given = [value for value in values if value is not None]
        if len(given) > 1:
            raise ParameterError(
                f"prompt: more than one {what} in a recipe, got {self.name!r}; SAM takes one "
                f"{what} an instance; leave one of the parts out"
            )
        return given[0] if given else None


def _joined(values: list[NDArray[Any] | None]) -> Any:
    given = [value for value in values if value is not None]
    return np.concatenate(given, axis=1) if given else None


def parse_recipe(text: str) -> Recipe:
    """The recipe of a name such as ``hbox`` or ``hbox+point``.

    Raises:
        UnknownNameError: a part is no file of ``samrs/prompts``.
        ParameterError: the parts cannot be given together.
    """
    names = [name.strip() for name in text.split("+")]
    if len(set(names)) < len(names):
        raise ParameterError(
            f"prompt: a part is named twice, got {text!r}; each part once is allowed; "
            f"write {'+'.join(dict.fromkeys(names))!r}"
        )
    recipe = Recipe("+".join(names), tuple(axis.load(AXIS, name) for name in names))
    recipe.build(_ONE_BOX)
    return recipe
