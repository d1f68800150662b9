"""The page of the export formats, from ``samrs/export/formats``."""

from __future__ import annotations

from samrs.core import axis
from samrs.export.export import AXIS
from tools.docs.text import first_sentence, paragraphs, table


def page() -> str:
    """``docs/reference/formats.md``."""
    names = axis.names(AXIS)
    docs = {name: axis.load(AXIS, name).__doc__ or "" for name in names}
    rows = [(f"[`{name}`](#{name})", first_sentence(docs[name])) for name in names]
    sections = [
        f"## {name}\n\n{paragraphs(docs[name])}\n\nFile: `samrs/export/formats/{name}.py`."
        for name in names
    ]
    intro = (
        "What each format writes. How to export, and what all formats have in common: "
        "[exports](../exports.md). How to add one: "
        "[contributing](../contributing.md#an-export-format)."
    )
    return (
        "\n\n".join(["# Export formats", intro, table(("format", "what"), rows), *sections]) + "\n"
    )
