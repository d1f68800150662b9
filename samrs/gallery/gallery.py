"""A wall of instances to filter, sort and open: what reports and previews show of their masks.

The templates are ``gallery.html``, ``gallery.css`` and ``gallery.js``. Every instance and every
tile has a name in the page, so that a link can lead to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from samrs.core.shards import read_manifest, read_table
from samrs.drawing.tables import number
from samrs.gallery.cards import SCORES, cards
from samrs.gallery.sample import sample, worst_of

COLUMNS = ["instance_id", "tile_id", "category_id", "visible", "quality", "area"]
FILTERS = {
    "subset": "Subset",
    "class": "Class",
    "split": "Split",
    "recipe": "Recipe",
    "made": "Mask by",
}
"""What a wall is filtered by, beside quality and size, and what a page calls it."""


def rows_of(release: Path) -> pd.DataFrame:
    """COLUMNS of a release's instances, one row for each tile that sees one."""
    rows: pd.DataFrame = read_table(release, "instances", COLUMNS).to_pandas()
    return rows


def gallery(releases: Mapping[str, Path], places: int) -> dict[str, Any]:
    """The values of the templates: the same of the same releases.

    Args:
        releases: release products by name.
        places: instances of each that are shown at most.

    Returns:
        ``cards``; ``filters``, each with its ``name``, ``label`` and ``options``; ``sorts``, value
        and words; ``scores``, name and words of those that any instance has; ``note``, how the
        instances were chosen.
    """
    found, notes = [], []
    for name, release in releases.items():
        manifest, rows = read_manifest(release), rows_of(release)
        label = str(manifest["subset"])
        chosen = sample(rows, places)
        notes.append(_note(label if len(releases) > 1 else "", rows, len(chosen), places))
        for card in cards(release, chosen):
            told = {"subset": label, **card["told"]}
            found.append({**card, "told": told, **named(f"instance/{name}/{told['instance']}")})
    classes = _classes([card["told"]["name"] for card in found])
    for card in found:
        card["told"]["class"] = classes[card["told"]["name"]]
    known = {name for card in found for name in card["told"]}
    scores = [(name, words) for name, (words, _) in SCORES.items() if name in known]
    found.sort(key=_worst_first)
    return {
        "cards": found,
        "filters": _filters(found, classes),
        "sorts": _sorts([name for name, _ in scores]),
        "scores": scores,
        "classes": classes,
        "note": " ".join(notes),
    }


def named(name: str) -> dict[str, str]:
    """The ``id`` of a part of the page, and the ``link`` that leads to it."""
    return {"id": name, "link": f"#{quote(name)}"}


def _worst_first(card: Mapping[str, Any]) -> tuple[bool, float]:
    quality = card["told"].get("quality")
    return quality is None, float(quality or 0)


def _classes(names: Sequence[str]) -> dict[str, str]:
    """A short name of each class for the page, as a class may be called anything."""
    return {name: str(place) for place, name in enumerate(sorted(set(names)))}


def _note(of: str, rows: pd.DataFrame, shown: int, places: int) -> str:
    unique, beginning = int(rows["instance_id"].nunique()), f"{of}: " if of else ""
    if shown == unique:
        every = "all" if of else "All"
        return f"{beginning}{every} {number(unique)} instances." if unique else f"{beginning}none."
    worst = worst_of(places)
    chosen = f"the {number(worst)} of the lowest estimated quality, and of" if worst else "of"
    return (
        f"{beginning}{number(shown)} of {number(unique)} instances: {chosen} each class equally "
        "many, evenly from its worst to its best."
    )


def _filters(
    found: Sequence[Mapping[str, Any]], classes: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What can be chosen of each, with its count; the subset only where there are several."""
    filters = []
    words = {place: name for name, place in classes.items()}
    for name, label in FILTERS.items():
        counts: dict[str, int] = {}
        for card in found:
            value = card["told"][name]
            counts[value] = counts.get(value, 0) + 1
        shown = {value: words[value] if name == "class" else value for value in counts}
        order = sorted(counts) if name != "class" else sorted(counts, key=lambda v: int(v))
        if name == "subset":
            order = list(dict.fromkeys(card["told"]["subset"] for card in found))
            if len(order) < 2:
                continue
        options = [(value, f"{shown[value]} ({number(counts[value])})") for value in order]
        filters.append({"name": name, "label": label, "options": options})
    return filters


def _sorts(scores: Sequence[str]) -> list[tuple[str, str]]:
    """Values (a name and a direction) and words, the worst of each score before its best."""
    sorts = []
    for name in scores:
        words, better = SCORES[name]
        worst, best = ("up", "down") if better > 0 else ("down", "up")
        sorts += [(f"{name} {worst}", f"{words}, worst first")]
        sorts += [(f"{name} {best}", f"{words}, best first")]
    sorts += [("size up", "size, smallest first"), ("size down", "size, largest first")]
    return sorts
