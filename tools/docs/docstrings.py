"""What Google sections of a docstring say of each argument."""

from __future__ import annotations

import inspect
import re


def arguments(docstring: str | None) -> dict[str, str]:
    """The text of each argument that a docstring explains, on one line.

    Args:
        docstring: with a section ``Args:`` or ``Attributes:``, or none; ``a, b: text`` is for both.
    """
    found: dict[str, str] = {}
    names: list[str] = []
    inside = False
    for line in inspect.cleandoc(docstring or "").splitlines():
        if re.fullmatch(r"(Args|Attributes):", line):
            inside = True
        elif line and not line.startswith(" "):
            inside = False
        elif inside and (match := re.match(r"    ((?:\*{0,2}\w+(?:, )?)+): (.*)", line)):
            names = [name.strip("*") for name in match[1].split(", ")]
            found.update(dict.fromkeys(names, match[2]))
        elif inside and line.strip():
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return found
