"""The tables of an audit as Markdown and as text, from the files that it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from samrs.comparison.section import choice_sentence, drawn_sentence, measures_table
from samrs.core.errors import MissingInputError
from samrs.drawing import markdown
from samrs.drawing.markdown import code, printable
from samrs.drawing.style import shorten
from samrs.drawing.tables import NONE, Table, aligned, number
from samrs.measures.groups import ALL, BINS, REFERENCE


def audit_markdown(folder: Path) -> str:
    """Facts and three tables as Markdown: every measure, by size, by class.

    Args:
        folder: what ``samrs.audit.audit`` wrote to.
    """
    summary = _summary(folder)
    parts = [f"{_facts(summary)} {choice_sentence(summary)} {drawn_sentence(summary)}"]
    classes = class_table(folder)
    named = [[row[0] if row[0] == ALL else code(row[0]), *row[1:]] for row in classes.rows]
    tables = [*_tables(folder, summary), Table(classes.head, named)]
    parts += [_markdown(table) for table in tables]
    return "\n\n".join(parts) + "\n"


def audit_text(folder: Path) -> str:
    """The same tables for a terminal, and the seconds."""
    summary = _summary(folder)
    classes = class_table(folder)
    named = [[shorten(printable(row[0])), *row[1:]] for row in classes.rows]
    tables = [*_tables(folder, summary), Table(classes.head, named)]
    parts = [_facts(summary), *(aligned([table.head, *table.rows]) for table in tables)]
    parts += [choice_sentence(summary), drawn_sentence(summary)]
    timing = json.loads((folder / "timing.json").read_text(encoding="utf-8"))
    steps = ", ".join(f"{name} {value:.1f}" for name, value in timing["steps"].items())
    return "\n\n".join([*parts, _time(timing["milliseconds"]), f"seconds: {steps}"]) + "\n"


def _time(milliseconds: Mapping[str, Any]) -> str:
    """What an instance took by each recipe alone, its share of the tile's encoding included."""
    encode, recipes = milliseconds["encode"], milliseconds["recipes"]
    usual = encode + recipes.get(REFERENCE, float("nan"))
    lines = [["ms an instance", "encode", "ask", f"times {REFERENCE}"]]
    for name, ask in recipes.items():
        times = (encode + ask) / usual if usual == usual else None
        lines.append([name, number(float(encode), 1), number(float(ask), 1), number(times, 2)])
    return aligned(lines)


def fill_block(path: Path, name: str, text: str) -> None:
    """Put text between ``<!-- audit:NAME -->`` and ``<!-- /audit:NAME -->`` of a Markdown file.

    Raises:
        MissingInputError: the file or the two lines are not there.
    """
    before, after = find_block(path, name)
    ends = "\r\n" if "\r\n" in before + after else "\n"
    path.write_text(f"{before}\n\n{text}\n{after}".replace("\r\n", "\n"), "utf-8", newline=ends)


def find_block(path: Path, name: str) -> tuple[str, str]:
    """What stands before and after the place of ``fill_block``, its two lines included.

    Raises:
        MissingInputError: the file or the two lines are not there.
    """
    begin, end = f"<!-- audit:{name} -->", f"<!-- /audit:{name} -->"
    old = path.read_bytes().decode("utf-8") if path.is_file() else ""
    before, found, rest = old.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise MissingInputError(
            f"{path}: no place for the tables, got no lines {begin} and {end}; both are needed, in "
            "this order; add them"
        )
    return before + begin, end + after


def _summary(folder: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return summary


def _facts(summary: Mapping[str, Any]) -> str:
    text = (
        f"{number(summary['instances'])} instances on {number(summary['images'])} images, model "
        f"{summary['model']}, {summary['precision']}."
    )
    if "matched" in summary:
        text += (
            f" Boxes matched to masks: {summary['matched']}; boxes without mask "
            f"{summary['boxes_without_mask']}, masks without box {summary['masks_without_box']}."
        )
    fallbacks = summary.get("fallbacks", {})
    if fallbacks:
        counts = ", ".join(f"{name} {number(count)}" for name, count in fallbacks.items())
        text += f" The upright box served where a rotated one was wanted: {counts}."
    return text


def _tables(folder: Path, summary: Mapping[str, Any]) -> list[Table]:
    sizes = pd.read_csv(folder / "table.csv", keep_default_na=False)
    return [measures_table(folder / "table.csv", summary["cost"]), _by_size(sizes)]


def _by_size(table: pd.DataFrame) -> Table:
    """mIOU_I of each recipe by size bin, in per cent."""
    counts = table.groupby("bin")["count"].max()
    bins = [name for name in (ALL, *BINS) if name in counts]
    scores = table.set_index(["kind", "recipe", "bin"])["miou_i"].to_dict()
    head = ["mIOU_I", *(f"{name} (n = {counts[name]:,})" for name in bins)]
    rows = [
        [_name(kind, recipe), *(_points(scores.get((kind, recipe, name))) for name in bins)]
        for kind, recipe in dict.fromkeys(zip(table["kind"], table["recipe"], strict=True))
    ]
    return Table(head, rows)


def class_table(folder: Path) -> Table:
    """mIOU_I of each class by hbox, by what ``auto`` takes, by the best, and by the floors.

    Args:
        folder: what ``samrs.audit.audit`` wrote to. Names are as the dataset has them.
    """
    summary = _summary(folder)
    table = pd.read_csv(folder / "by_class.csv", keep_default_na=False)
    table = table[table["bin"] == ALL]
    auto = summary["auto"] or {}
    wanted = dict.fromkeys((REFERENCE, auto.get("recipe"), summary["best"]))
    series = dict.fromkeys(zip(table["kind"], table["recipe"], strict=True))
    shown = [key for key in series if key[0] == "floor" or key[1] in wanted]
    scores = table.set_index(["kind", "recipe", "category"])["miou_i"].to_dict()
    counts = table.groupby("category")["count"].max()
    names = [*sorted(name for name in counts.index if name != ALL), ALL]
    rows = [
        [name, f"{counts[name]:,}", *(_points(scores.get((*key, name))) for key in shown)]
        for name in names
    ]
    return Table(["mIOU_I", "n", *(_name(*key) for key in shown)], rows)


def _name(kind: str, recipe: str) -> str:
    return f"{recipe} (floor)" if kind == "floor" else recipe


def _points(value: float | None) -> str:
    return NONE if value is None else f"{100 * float(value):.1f}"


def _markdown(table: Table) -> str:
    head, *rows = (
        # "<16²" would begin a tag; in the code span of a class it must stand as it is
        [c if c.startswith("`") else c.replace("<", "&lt;") for c in cells]
        for cells in (table.head, *table.rows)
    )
    return markdown.table(head, rows, numbers=len(head) - 1)
