"""The models that can be named: what each segmenter has, and what it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samrs.core import axis
from samrs.core.errors import UnknownNameError, advice
from samrs.fetch.source import Source
from samrs.prompting.abilities import Abilities

SEGMENTERS = "samrs.segmenters"
CHECKPOINTS = "samrs.weights.checkpoints"


@dataclass(frozen=True)
class Model:
    """A model of a segmenter.

    Args:
        segmenter: a file of ``samrs/segmenters``.
        name: as params.yaml and ``--model`` name it.
        weights: the published file, or the one that the package brings.
        licence: of the weights.
        gate: what to accept and where before the weights can be had; empty where nothing is.
        abilities: what it answers.
    """

    segmenter: str
    name: str
    weights: Source | Path
    licence: str
    gate: str
    abilities: Abilities

    @property
    def size(self) -> int | None:
        """Of the weights, in bytes; None where their publisher does not say it."""
        return self.weights.stat().st_size if isinstance(self.weights, Path) else self.weights.size

    @property
    def how(self) -> str:
        """How the weights come."""
        if isinstance(self.weights, Path):
            return "in the package"
        return "fetched" if self.weights.urls else "put there by you"


def models() -> Iterator[Model]:
    """All models, segmenter by segmenter."""
    for segmenter in axis.names(CHECKPOINTS):
        those = axis.load(CHECKPOINTS, segmenter)
        gate = getattr(those, "GATE", "")
        for name, weights in {**getattr(those, "BUNDLED", {}), **those.PUBLISHED}.items():
            yield Model(segmenter, name, weights, those.TERMS, gate, those.ABILITIES)


def segmenters_of(model: str) -> list[str]:
    """The segmenters that have a model; none where there is no such model.

    Args:
        model: its name.
    """
    return [one.segmenter for one in models() if one.name == model]


def segmenter_for(model: str) -> str:
    """The segmenter that has a model.

    Args:
        model: its name.

    Raises:
        UnknownNameError: there is no such model.
    """
    if found := segmenters_of(model):
        return found[0]
    names = list(dict.fromkeys(one.name for one in models()))
    raise UnknownNameError(
        f"model: unknown name, got {model!r}; allowed are {', '.join(names)}; "
        + advice(model, names, "see `samrs models`")
    )


def abilities_of(segmenter: str) -> Abilities:
    """What a segmenter answers.

    Args:
        segmenter: a file of ``samrs/segmenters``.

    Raises:
        UnknownNameError: there is none.
    """
    has_weights = segmenter in axis.names(CHECKPOINTS)
    found: Abilities = axis.load(CHECKPOINTS if has_weights else SEGMENTERS, segmenter).ABILITIES
    return found
