"""For the API's pages: ``::`` before an indented block becomes a colon, as Markdown has it."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Blocks(griffe.Extension):  # type: ignore[misc]
    """An extension of griffe, which reads the docstrings."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            text = re.sub(r"^::$", "", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"::$", ":", text, flags=re.MULTILINE)
