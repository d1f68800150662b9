"""Files that a person puts into a dataset's inbox unpacked: a whole dataset, or extra files.

A whole dataset in its layout is taken as it is. Extra files lie in ``extra/`` and are added to the
official ones, none of which they may replace: e.g. the annotations that a mirror lacks. Hidden
files are left where they are.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samrs.core.errors import SourceError
from samrs.core.progress import progress
from samrs.core.shards import sha256
from samrs.download.unpack import SUFFIXES, UNSUPPORTED, extract, is_archive

EXTRA = "extra"
"""Folder of the inbox with files that are added to the official ones."""


def holds_layout(inbox: Path) -> bool:
    """Whether folders of the inbox hold files that are no archives: a dataset already unpacked."""
    packed = (*SUFFIXES, *UNSUPPORTED)
    return any(
        path.parent != inbox and not path.name.lower().endswith(packed)
        for path in _layout_files(inbox)
    )


def listing(inbox: Path, most: int = 5) -> str:
    """What lies in the inbox, for an error's text: the first files, or "nothing".

    Args:
        most: files that are named; more are ``...``.
    """
    names = [path.relative_to(inbox).as_posix() for path in _files_below(inbox)]
    return ", ".join([*names[:most], *(["..."] if len(names) > most else [])]) or "nothing"


def copy_layout(inbox: Path, out: Path) -> None:
    """Copy an unpacked dataset without its extra files; files that are in ``out`` already stay."""
    files = list(_layout_files(inbox))
    for path in progress(files, desc=f"copy {inbox.name}", unit="file"):
        target = out / path.relative_to(inbox)
        if not target.exists():
            _copy(path, target)


def describe_extra(inbox: Path) -> dict[str, Any] | None:
    """What the extra files are: ``files``, ``bytes``, ``sha256``; None where there are none.

    The digest is that of a list as ``sha256sum`` prints it, a line a file, sorted by name.
    """
    folder = inbox / EXTRA
    files = list(_visible_files(folder))
    if not files:
        return None
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    return {
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": hashlib.sha256(os.fsencode("".join(lines))).hexdigest(),
    }


def add_extra(inbox: Path, out: Path) -> None:
    """Add the extra files to a folder; archives are unpacked.

    Raises:
        SourceError: one would replace a file.
        ArchiveError: an archive is broken or hostile, or one of its members would replace a file.
    """
    folder = inbox / EXTRA
    for path in progress(list(_visible_files(folder)), desc=f"add {EXTRA} files", unit="file"):
        target = out / path.relative_to(folder)
        if is_archive(path):
            extract(path, target.parent)
        elif target.exists():
            raise SourceError(
                f"{path}: would replace an official file, got {target}; files that are not among "
                "the official ones are allowed; remove it"
            )
        else:
            _copy(path, target)


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def _layout_files(inbox: Path) -> Iterator[Path]:
    for path in _visible_files(inbox):
        if path.relative_to(inbox).parts[0] != EXTRA:
            yield path


def _visible_files(folder: Path) -> list[Path]:
    """Files below a folder, sorted; those of hidden folders left out.

    Raises:
        SourceError: something is no file: what it stands for would be missing without a word.
    """
    found = _files_below(folder)
    for path in found:
        if not path.is_file():
            got = "a link that leads nowhere" if path.is_symlink() else "no regular file"
            raise SourceError(
                f"{path}: cannot be taken, got {got}; files and folders are allowed; mend or "
                "remove it"
            )
    return found


def _files_below(folder: Path) -> list[Path]:
    """All that is no folder below one, sorted, and nothing hidden; links to folders are followed,
    each folder once, so that a loop of links ends."""
    found, seen = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        status = Path(place).stat()
        known = (status.st_dev, status.st_ino) in seen
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [] if known else sorted(f for f in folders if not f.startswith("."))
        found += [] if known else [Path(place, f) for f in files if not f.startswith(".")]
    return sorted(found)
