"""The tables of an audit as Markdown and as text, from the files that it wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from samrs.ablation_groups import ALL, BINS, REFERENCE
from samrs.core.errors import MissingInputError
from samrs.report_prompts import choice_sentence, drawn_sentence, measures_table
from samrs.report_tables import NONE, number

Lines = list[list[str]]


def audit_markdown(folder: Path) -> str:
    """Facts and three tables as Markdown: every measure, by size, by class.

    Args:
        folder: what ``samrs.audit.audit`` wrote to.
    """
    summary = _summary(folder)
    parts = [f"{_facts(summary)} {choice_sentence(summary)} {drawn_sentence(summary)}"]
    parts += [_markdown(head, lines) for head, lines in _tables(folder, summary)]
    return "\n\n".join(parts) + "\n"


def audit_text(folder: Path) -> str:
    """The same tables for a terminal, and the seconds."""
    summary = _summary(folder)
    parts = [_facts(summary)]
    for head, lines in _tables(folder, summary):
        parts.append(_columns([head, *lines]))
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
    return _columns(lines)


def fill_block(path: Path, name: str, text: str) -> None:
    """Put text between ``<!-- audit:NAME -->`` and ``<!-- /audit:NAME -->`` of a Markdown file.

    Raises:
        MissingInputError: the file or the two lines are not there.
    """
    begin, end = f"<!-- audit:{name} -->", f"<!-- /audit:{name} -->"
    old = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, found, rest = old.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise MissingInputError(
            f"{path}: no place for the tables, got no lines {begin} and {end}; both are needed, in "
            "this order; add them"
        )
    path.write_text(f"{before}{begin}\n\n{text}\n{end}{after}", encoding="utf-8")


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
    return text


def _tables(folder: Path, summary: Mapping[str, Any]) -> list[tuple[list[str], Lines]]:
    measures = measures_table(folder / "table.csv", summary["cost"])
    sizes = pd.read_csv(folder / "table.csv", keep_default_na=False)
    classes = pd.read_csv(folder / "by_class.csv", keep_default_na=False)
    return [
        (list(measures.head), [list(row) for row in measures.rows]),
        _by_size(sizes),
        _by_class(classes[classes["bin"] == ALL], summary),
    ]


def _by_size(table: pd.DataFrame) -> tuple[list[str], Lines]:
    """mIOU_I of each recipe by size bin, in per cent."""
    counts = table.groupby("bin")["count"].max()
    bins = [name for name in (ALL, *BINS) if name in counts]
    scores = table.set_index(["kind", "recipe", "bin"])["miou_i"].to_dict()
    head = ["mIOU_I", *(f"{name} (n = {counts[name]:,})" for name in bins)]
    return head, [
        [_name(kind, recipe), *(_points(scores.get((kind, recipe, name))) for name in bins)]
        for kind, recipe in dict.fromkeys(zip(table["kind"], table["recipe"], strict=True))
    ]


def _by_class(table: pd.DataFrame, summary: Mapping[str, Any]) -> tuple[list[str], Lines]:
    """mIOU_I of each class by hbox, by what ``auto`` takes, by the best, and by the floors."""
    auto = summary["auto"] or {}
    wanted = dict.fromkeys((REFERENCE, auto.get("recipe"), summary["best"]))
    series = dict.fromkeys(zip(table["kind"], table["recipe"], strict=True))
    shown = [key for key in series if key[0] == "floor" or key[1] in wanted]
    scores = table.set_index(["kind", "recipe", "category"])["miou_i"].to_dict()
    counts = table.groupby("category")["count"].max()
    names = [*sorted(name for name in counts.index if name != ALL), ALL]
    return ["mIOU_I", "n", *(_name(*key) for key in shown)], [
        [name, f"{counts[name]:,}", *(_points(scores.get((*key, name))) for key in shown)]
        for name in names
    ]


def _name(kind: str, recipe: str) -> str:
    return f"{recipe} (floor)" if kind == "floor" else recipe


def _points(value: float | None) -> str:
    return NONE if value is None else f"{100 * float(value):.1f}"


def _markdown(head: Sequence[str], lines: Lines) -> str:
    def line(cells: Sequence[str]) -> str:
        # Names of classes come from datasets.
        safe = [c.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ") for c in cells]
        return f"| {' | '.join(safe)} |"

    rule = f"|{'|'.join(['---', *['--:'] * (len(head) - 1)])}|"
    return "\n".join([line(head), rule, *(line(cells) for cells in lines)])


def _columns(lines: Lines) -> str:
    """Aligned columns, the first to the left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
