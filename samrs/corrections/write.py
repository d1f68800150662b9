"""Corrections as the text of their files: a line each, sorted, so that git merges them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from io import StringIO
from typing import Any

from samrs.core.shards import json_text
from samrs.corrections.read import ANSWER, COLUMNS
from samrs.corrections.records import (
    DECIMALS,
    Added,
    Anchor,
    Box,
    ClassChange,
    Clicks,
    Drawn,
    Record,
    Verdict,
)


def file_text(name: str, records: Iterable[Record]) -> str:
    """A file of corrections; empty without any.

    Args:
        name: one of ``KINDS``.
        records: of that kind.
    """
    return joined(name, (line_text(r) for r in sorted(records, key=lambda record: record.key)))


def joined(name: str, lines: Iterable[str]) -> str:
    """A file of lines that ``line_text`` gave.

    Args:
        name: one of ``KINDS``.
        lines: in order.
    """
    text = "".join(lines)
    return _csv_line(COLUMNS[name]) + text if text and name in COLUMNS else text


def line_text(record: Record) -> str:
    """A record as a line of its file."""
    fields = _fields(record)
    if record.FILE not in COLUMNS:
        return f"{json_text(fields, spaces=False)}\n"
    fields["annotated"] = " ".join(str(v) for v in fields["annotated"])
    return _csv_line([fields[column] for column in COLUMNS[record.FILE]])


def _csv_line(cells: Sequence[str]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _fields(record: Record) -> dict[str, Any]:
    """What a line says of a record, by its keys."""
    anchor: Anchor = record.anchor
    fields: dict[str, Any] = {
        "instance_id": anchor.instance_id,
        "tile_id": anchor.tile_id,
        "annotated": _plain(anchor.annotated),
    }
    if isinstance(record, Verdict):
        return fields | {k: getattr(record, k) for k in ("mask", "verdict", "reason")}
    if isinstance(record, ClassChange):
        return fields | {"old": record.old, "new": record.new}
    if isinstance(record, Added):
        return fields | {"category": record.category}
    if isinstance(record, Drawn):
        return fields | {"rle": dict(record.rle)}
    assert isinstance(record, Clicks)
    answer = None if record.answer is None else asdict(record.answer)
    return fields | {
        "positive": [_plain(point) for point in record.positive],
        "negative": [_plain(point) for point in record.negative],
        "box": None if record.box is None else _plain(record.box),
        "answer": answer and {key: answer[key] for key in ANSWER},
    }


def _plain(values: Box | tuple[float, float]) -> list[float | int]:
    """Numbers as they are written, without ``.0`` where they are whole."""
    return [int(v) if v == int(v) else v for v in (round(v, DECIMALS) for v in values)]
