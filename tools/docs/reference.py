"""Write the pages, and parts of pages, that are made from code and metrics: ``make reference``.

    python -m tools.docs.reference

A test compares the committed pages with what this would write.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from tools.docs import (
    commands,
    datasets,
    decisions,
    formats,
    measured,
    models,
    packages,
    parameters,
    recipes,
)
from tools.docs.text import ROOT

PAGES: Mapping[str, Callable[[], str]] = {
    "docs/decisions/index.md": decisions.page,
    "docs/reference/commands.md": commands.page,
    "docs/reference/datasets.md": datasets.page,
    "docs/reference/models.md": models.page,
    "docs/reference/packages.md": packages.page,
    "docs/reference/parameters.md": parameters.page,
    "docs/reference/recipes.md": recipes.page,
    "docs/reference/formats.md": formats.page,
    "docs/training.md": measured.page,
}


def main() -> None:
    """Write the pages that differ, and name them."""
    for path, page in PAGES.items():
        file, text = ROOT / path, page()
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
