"""Recipes: what to ask of a segmenter for a box, named as in ``prompt: hbox+point+zoom``.

A recipe is a sum of parts, each a file of ``samrs/prompts``. Some build a prompt (``build``); these
are given together. Others say how it is asked (``answers``): twice, with several boxes, about
magnified crops; they lie around each other by their ``RANK``, whatever their order in the name.
Where a recipe names nothing that can be asked alone, the box is: ``zoom`` is ``hbox+zoom``. A part
with sizes takes one behind an @, which is measured for a model: ``fit@96``.

    samrs recipes

lists the parts, what they need and what they cost. A new part is one file, with a docstring, with
``NEEDS_OBB`` (whether it wants a rotated box), and with

- ``build(boxes) -> Prompt``, and ``NEEDS_BOX = True`` where it means nothing without a box; or
- ``answers(inner, view, boxes)``, its ``RANK``, ``ASKS`` (how often it asks ``inner`` for an
  instance), ``EXTRA_PASSES`` (whether it encodes other pictures) and ``WANTS`` (what the segmenter
  must answer: names in ``abilities.py``); where it shows things at a size, ``SIZES``, the least
  and the largest in px, and ``size`` as a last argument, which has a default.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samrs.core import axis
from samrs.core.errors import ParameterError
from samrs.prompting.soft_masks import to_prediction
from samrs.prompting.types import Answer, Boxes, Prediction, Prompt
from samrs.prompting.view import Asking, View

AXIS = "samrs.prompts"
DEFAULT = "hbox"
"""What is asked where a recipe names nothing that can be asked alone."""

T = TypeVar("T")

_ONE_BOX = Boxes(
    np.array([[0.0, 0.0, 1.0, 1.0]]),
    np.array([[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]]),
    (1, 1),
)


@dataclass(frozen=True)
class Recipe:
    """A sum of prompts, and the ways they are asked in.

    Args:
        name: as written in params.yaml.
        parts: the modules that build prompts, in the order of the name.
        ways: the modules that say how to ask, the innermost first.
        size: px, of the way that has ``SIZES``; None: that of the way itself.
    """

    name: str
    parts: tuple[ModuleType, ...]
    ways: tuple[ModuleType, ...] = ()
    size: float | None = None

    @property
    def needs_obb(self) -> bool:
        """Whether some part wants a rotated box."""
        return any(part.NEEDS_OBB for part in (*self.parts, *self.ways))

    @property
    def extra_passes(self) -> bool:
        """Whether it encodes more than the tile."""
        return any(way.EXTRA_PASSES for way in self.ways)

    @property
    def asks(self) -> int:
        """Prompts decoded for an instance."""
        return int(np.prod([way.ASKS for way in self.ways], dtype=np.int64))

    def build(self, boxes: Boxes) -> Prompt:
        """The prompts of N boxes: all parts together, points of several parts one after another."""
        prompts: list[Prompt] = [part.build(boxes) for part in self.parts]
        return Prompt(
            fallback=np.logical_or.reduce([p.fallback for p in prompts]),
            boxes_xyxy=self._only("box", [p.boxes_xyxy for p in prompts]),
            points_xy=_joined([p.points_xy for p in prompts]),
            point_labels=_joined([p.point_labels for p in prompts]),
            mask_polygons=self._only("mask", [p.mask_polygons for p in prompts]),
            mask_slopes=self._only("mask", [p.mask_slopes for p in prompts]),
        )

    def example(self) -> Prompt:
        """The prompt of one box: which parts it has."""
        return self.build(_ONE_BOX)

    def fallback(self, boxes: Boxes) -> NDArray[np.bool_]:
        """(N,) whether a rotated box was wanted and the upright one had to serve."""
        wanted = any(way.NEEDS_OBB for way in self.ways)
        return self.build(boxes).fallback | (~boxes.has_obb if wanted else False)

    def answers(self, view: View, boxes: Boxes) -> Iterator[Answer]:
        """The prompts asked once: the innermost layer."""
        return view.answers(self.build(boxes))

    def ask(self, view: View, boxes: Boxes) -> Prediction:
        """A mask for each of N boxes of a view's image.

        Raises:
            ParameterError: the segmenter does not understand the recipe.
        """
        if not self.ways:
            return view.decode(self.build(boxes))
        asking: Asking = self
        for way in self.ways:
            asking = _Layer(way, asking, self.size if hasattr(way, "SIZES") else None)
        return to_prediction(asking.answers(view, boxes), boxes.size_hw)

    def _only(self, what: str, values: list[T | None]) -> T | None:
        given = [value for value in values if value is not None]
        if len(given) > 1:
            raise ParameterError(
                f"prompt: more than one {what} in a recipe, got {self.name!r}; SAM takes one "
                f"{what} an instance; leave one of the parts out"
            )
        return given[0] if given else None


@dataclass(frozen=True)
class _Layer:
    """A way of asking, around others."""

    way: ModuleType
    inner: Asking
    size: float | None

    def build(self, boxes: Boxes) -> Prompt:
        return self.inner.build(boxes)

    def answers(self, view: View, boxes: Boxes) -> Iterator[Answer]:
        sized = () if self.size is None else (self.size,)
        answers: Iterator[Answer] = self.way.answers(self.inner, view, boxes, *sized)
        return answers


def _joined(values: list[NDArray[Any] | None]) -> Any:
    given = [value for value in values if value is not None]
    return np.concatenate(given, axis=1) if given else None


def parse_recipe(text: str) -> Recipe:
    """The recipe of a name such as ``hbox``, ``hbox+point`` or ``soft_rbox+fit@96``.

    Raises:
        UnknownNameError: a part is no file of ``samrs/prompts``.
        ParameterError: a part is missing, no part of a recipe, or not to be given with another.
    """
    written = [name.strip() for name in text.split("+")]
    names = [name.partition("@")[0] for name in written]
    if not all(names):
        raise ParameterError(
            f"prompt: a part is missing, got {text!r}; names joined by + are allowed, such as "
            "hbox+point; name the part or remove the +"
        )
    if len(set(names)) < len(names):
        raise ParameterError(
            f"prompt: a part is named twice, got {text!r}; each part once is allowed; "
            f"write {'+'.join(dict.fromkeys(names))!r}"
        )
    modules = [_load(name) for name in names]
    sizes = [_size(*pair) for pair in zip(written, modules, strict=True) if "@" in pair[0]]
    ways = sorted((m for m in modules if not _builds(m)), key=lambda module: module.RANK)
    if len({way.RANK for way in ways}) < len(ways):
        raise ParameterError(
            f"prompt: two parts that cannot lie within each other, got {text!r}; one of zoom, "
            "fit, two_sizes and rotated is allowed; leave the other out"
        )
    parts = [module for module in modules if _builds(module)]
    if all(getattr(part, "NEEDS_BOX", False) for part in parts):
        parts.insert(0, axis.load(AXIS, DEFAULT))
    recipe = Recipe("+".join(written), tuple(parts), tuple(ways), *sizes)
    recipe.example()
    return recipe


def _size(written: str, module: ModuleType) -> float:
    """px behind the @ of a part."""
    name, _, text = written.partition("@")
    if not hasattr(module, "SIZES"):
        raise ParameterError(
            f"prompt: a part that has no size, got {written!r}; a size behind an @ is allowed "
            f"for parts such as fit; write {name!r}"
        )
    least, most = module.SIZES
    if text not in map(str, range(least, most + 1)):
        raise ParameterError(
            f"prompt: wrong size, got {written!r}; whole px from {least} to {most} are allowed; "
            f"write such as {name}@{least * 3}, or {name} alone"
        )
    return float(text)


def parse_recipes(texts: Sequence[str]) -> list[Recipe]:
    """The recipes of some names, none of them twice.

    Args:
        texts: names as in ``parse_recipe``.

    Raises:
        UnknownNameError, ParameterError: as ``parse_recipe``, or two names are one recipe.
    """
    recipes = [parse_recipe(text) for text in texts]
    names = [recipe.name for recipe in recipes]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise ParameterError(
            f"recipes: a recipe is named twice, got {twice[0]!r}; each once is allowed; leave one "
            "out"
        )
    return recipes


PART = ("NEEDS_OBB",)
WAY = ("NEEDS_OBB", "RANK", "ASKS", "EXTRA_PASSES", "WANTS", "answers")


def _load(name: str) -> ModuleType:
    module = axis.load(AXIS, name)
    missing = [key for key in (PART if _builds(module) else WAY) if not hasattr(module, key)]
    if missing:
        raise ParameterError(
            f"{AXIS.replace('.', '/')}/{name}.py: no part of a recipe, got no "
            f"{', '.join(missing)}; build and NEEDS_OBB are needed, or {', '.join(WAY)}; add what "
            "is missing, as samrs/prompts/hbox.py or refine.py have it"
        )
    return module


def _builds(module: ModuleType) -> bool:
    return hasattr(module, "build")


def describe() -> str:
    """The parts of recipes, a line each: what they need, what they cost, what they are."""
    lines = []
    for name in axis.names(AXIS):
        recipe = parse_recipe(name)
        needs = "rotated box" if recipe.needs_obb else "-"
        cost = f"{recipe.asks} a box" + (", more encoder passes" if recipe.extra_passes else "")
        doc = " ".join((axis.load(AXIS, name).__doc__ or "").split("\n\n")[0].split())
        lines.append(f"{name:12} {needs:12} {cost:31} {doc}")
    return "\n".join([f"{'part':12} {'needs':12} {'prompts':31} what it is", *lines])
