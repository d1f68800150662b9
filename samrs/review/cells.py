"""Pieces of GitHub's Markdown in which a stranger's words do no harm.

Names and texts of a fork stand in code spans, where neither markup nor mentions work.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from samrs.review.values import Value

NONE = "–"
LONGEST = 80


def printable(text: str) -> str:
    """Text of one line that no terminal takes for a command."""
    return "".join(c if c.isprintable() else "?" for c in text)


def span(text: str, longest: int) -> str:
    """A code span of one line: no backtick or pipe (look-alikes instead), cut with an ellipsis."""
    kept = printable(text.replace("`", "'").replace("|", "¦")).strip() or " "
    return f"`{kept if len(kept) <= longest else f'{kept[: longest - 1]}…'}`"


def code(text: str) -> str:
    """A code span short enough for a table's cell."""
    return span(text, LONGEST)


def number(value: float | None, sign: str = "") -> str:
    """Thousands apart, six significant digits unless whole; ``sign`` is ``+`` for a difference."""
    if value is None:
        return NONE
    return format(value, f"{sign}," if isinstance(value, int) else f"{sign},.6g").replace("-", "−")


def cell(value: Value | None) -> str:
    """A value of a table; a dash where there is none."""
    if value is None or value.number is not None:
        return number(value.number if value else None)
    found = value.value
    if isinstance(found, list):
        return code(", ".join(str(item) for item in found) or "[]")
    if isinstance(found, bool):
        return code(str(found).lower())
    return code("null" if found is None else str(found))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table; ``numbers`` columns from the second on stand right."""
    marks = ["---", *["---:"] * numbers, *["---"] * (len(head) - 1 - numbers)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows))


def folded(summary: str, text: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{html.escape(summary)}</summary>\n\n{text}\n\n</details>"
