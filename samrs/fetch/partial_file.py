"""A file that is not whole yet lies in ``.partial`` and gets its name when it is.

A killed process leaves what it wrote, and the next one goes on from there. The name there holds a
part of the checksum of the file that is wanted, so that what is left of another revision is never
continued. What lies there and is no file by itself, such as a link, is removed, not written to.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from samrs.fetch.source import Source

FOLDER = ".partial"


@contextmanager
def fetching(folder: Path) -> Iterator[Path]:
    """The place of a folder's partial files, for this process alone: another one waits.

    It is removed at the end where nothing is left in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts, lock = folder / FOLDER, folder / f"{FOLDER}.lock"
    with FileLock(lock):
        if parts.is_symlink():
            parts.unlink()
        parts.mkdir(exist_ok=True)
        try:
            yield parts
        finally:
            with suppress(OSError):  # parts are left
                parts.rmdir()
            lock.unlink()


def part_of(source: Source, parts: Path) -> Path:
    """Where a source's file lies while it is not whole; those of other revisions are removed.

    Args:
        parts: folder of unfinished files.
    """
    checksum = str(source.checksum).rsplit(":", 1)[-1]
    name = source.file.replace("/", "__")
    place = parts / f"{name}.{checksum[:16].lower()}"
    for other in parts.iterdir():
        if other.name.rpartition(".")[0] == name and other != place:
            other.unlink()
    return place


def open_part(place: Path) -> BinaryIO:
    """Open a file to write behind what it holds.

    Args:
        place: of the unfinished file.
    """
    with suppress(FileNotFoundError):
        found = place.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            place.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
    return os.fdopen(os.open(place, flags, 0o666), "ab")


def publish(file: BinaryIO, place: Path, target: Path) -> None:
    """Give a whole file its final name, once its bytes are on the disk.

    Args:
        place: of the unfinished file.
        target: its final path.
    """
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    place.replace(target)
