"""The files of a dataset's folder, without those that operating systems and editors leave there."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

LEFTOVERS = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Names of what archives and file managers leave behind; hidden names (``._a.jpg``) are others."""


def is_leftover(name: str) -> bool:
    """Whether a file or folder of that name is none of the dataset's."""
    return name.startswith(".") or name in LEFTOVERS


def files_below(folder: Path, suffixes: Collection[str], apart: Collection[str] = ()) -> list[Path]:
    """Files of a folder and all below it with one of the (lower-case) suffixes, sorted by path.

    Links to folders are followed, each folder once, so that a loop of links ends. Leftovers are not
    listed, nor is anything in a folder that is one.

    Args:
        apart: names of further folders that are not entered.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    todo = [folder] if folder.is_dir() else []
    while todo:
        place = todo.pop()
        status = place.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(place) as entries:
            for entry in entries:
                if is_leftover(entry.name) or entry.name in apart:
                    continue
                if entry.is_dir():
                    todo.append(place / entry.name)
                elif f".{entry.name.rpartition('.')[2].lower()}" in suffixes and entry.is_file():
                    found.append(place / entry.name)
    return sorted(found)
