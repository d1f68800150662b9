"""GitHub's Markdown: tables, and code spans in which a stranger's words do no harm."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

NONE = "–"
LONGEST = 80


def printable(text: str) -> str:
    """Text of one line that no terminal takes for a command."""
    return "".join(c if c.isprintable() else "?" for c in text)


def code(text: str, longest: int = LONGEST) -> str:
    """A code span of one line, in which neither markup nor mentions work.

    Args:
        text: backticks and pipes become look-alikes.
        longest: characters; the rest is cut with an ellipsis.
    """
    kept = printable(text.replace("`", "'").replace("|", "¦")).strip() or " "
    return f"`{kept if len(kept) <= longest else f'{kept[: longest - 1]}…'}`"


def number(value: float, sign: str = "") -> str:
    """Thousands apart, six significant digits unless whole.

    Args:
        value: the number.
        sign: ``+`` for a difference.
    """
    return format(value, f"{sign}," if isinstance(value, int) else f"{sign},.6g").replace("-", "−")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table.

    Args:
        head: names of the columns.
        rows: cells, as many a row as ``head`` has.
        numbers: columns from the second on that stand right.
    """
    marks = ["---", *["---:"] * numbers, *["---"] * (len(head) - 1 - numbers)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows))


def folded(summary: str, text: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{html.escape(summary)}</summary>\n\n{text}\n\n</details>"
