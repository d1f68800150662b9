"""``classes.csv`` beside label maps: which label is which class, in which colour."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import IO, Any

from samrs.core.records import IGNORE
from samrs.export.files import open_text
from samrs.export.subset import Subset


def write_classes(subset: Subset, path: Path) -> None:
    """Write label, name, red, green and blue of each label, and of what is unlabelled."""
    with open_text(path) as file:
        table = csv_rows(file)
        table.writerow(("label", "name", "red", "green", "blue"))
        for label, (name, rgb) in enumerate(zip(subset.map_names, subset.map_palette, strict=True)):
            table.writerow((label, name, *rgb))
        table.writerow((IGNORE, "unlabelled", 255, 255, 255))


def csv_rows(file: IO[str]) -> Any:
    """A writer of CSV with plain line ends into a file."""
    return csv.writer(file, lineterminator="\n")
