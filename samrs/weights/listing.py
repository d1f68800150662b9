"""The list of models for users: what ``samrs models`` prints and the reference page shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from samrs.drawing.tables import aligned
from samrs.weights.models import Model, models

COSTS = Path(__file__).parents[1] / "models" / "costs.json"
"""CPU seconds of one thread by model, as ``benchmarks/models.py`` measures and writes them: of a
tile, and of a box."""
COLUMNS = ("model", "segmenter", "weights", "licence", "how they come", "square", "answers", "cost")
NOT_MEASURED = "not measured"


def rows() -> Iterator[tuple[str, ...]]:
    """A row of ``COLUMNS`` for each model."""
    costs = json.loads(COSTS.read_text(encoding="utf-8"))["models"]
    for one in models():
        yield (
            one.name, one.segmenter, _size(one), one.licence, one.how,
            f"{one.abilities.frame} px", str(one.abilities), _cost(costs.get(one.name)),
        )  # fmt: skip


def gates() -> list[str]:
    """What is to be accepted, and where, for the models that need it."""
    found = [f"{one.name}: {one.gate}" for one in models() if one.gate]
    return list(dict.fromkeys(found))


def describe() -> str:
    """The list as text."""
    table = aligned([COLUMNS, *rows()], texts=True)
    return "\n".join([table, "", ABOUT_COST, *gates()])


ABOUT_COST = (
    "cost: CPU seconds of one thread for a tile of 1024 px and for each box of it (float32-fast, "
    "random weights, python -m benchmarks.models), measured on two cores while other programs "
    "used them: indicative"
)


def _size(one: Model) -> str:
    if one.size is None:
        return "size not published"
    return f"{one.size / 1e6:,.0f} MB" if one.size >= 1e6 else f"{one.size:,} bytes"


def _cost(found: dict[str, float] | None) -> str:
    if found is None:
        return NOT_MEASURED
    return f"{found['tile_s']:.1f} + {1000 * found['box_s']:.0f} ms a box"
