"""Markdown of what the code says: docstrings, tables, sizes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import dedent

from samrs.drawing import markdown

ROOT = Path(__file__).resolve().parents[2]


def paragraphs(docstring: str) -> str:
    """A docstring as Markdown: an indented block becomes a fenced one.

    Args:
        docstring: as written, where ``::`` announces an indented block.
    """
    out: list[str] = []
    block: list[str] | None = None
    for line in [*inspect.cleandoc(docstring).splitlines(), "end"]:
        if block is not None:
            if not line.strip() or line.startswith("    "):
                block.append(line)
                continue
            body = dedent("\n".join(block)).strip("\n")
            out += ["```text", body, "```", ""]
            block = None
        if line.endswith("::"):
            block = []
            line = line[:-2].rstrip()
            line = f"{line}:" if line else line
        out.append(line)
        if block is not None:
            out.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out[:-1])).strip()


def first_sentence(docstring: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    first = inspect.cleandoc(docstring or "").split("\n\n")[0].removesuffix("::")
    return re.split(r"(?<=\.)\s", " ".join(first.split()))[0].rstrip(":")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Args:
        header: the names of its columns.
        rows: cells, in which ``|`` is escaped.
    """
    cells = ([str(c).replace("|", "\\|").replace("\n", " ") for c in row] for row in rows)
    return markdown.table(header, cells)
