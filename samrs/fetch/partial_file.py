"""A file that is not whole yet: it lies apart, one process writes it, it is renamed when whole.

A killed process leaves what it wrote, and the next one goes on from there. The place holds a part
of the checksum of the file that is wanted, so that what is left of another revision is never
continued.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from samrs.fetch.source import Source

log = logging.getLogger("samrs")
FOLDER = ".partial"
"""Folder beside the files where a download lies until it is whole and checked."""
POLL_SECONDS = 0.2


def partial_path(folder: Path, source: Source) -> Path:
    """Where a source's file lies below a folder while it is not whole.

    Files left of other revisions of the same source are removed.
    """
    checksum = (source.checksum or "unpublished").rsplit(":", 1)[-1]
    name = source.file.replace("/", "__")
    place = folder / FOLDER / f"{name}.{checksum[:16].lower()}"
    with suppress(FileNotFoundError):  # who publishes the last part removes the folder
        for other in place.parent.iterdir():
            if other.name.rpartition(".")[0] == name and other != place:
                other.unlink(missing_ok=True)
    return place


@contextmanager
def partial_file(place: Path, *, waiting: Callable[[], bool] = lambda: True) -> Iterator[BinaryIO]:
    """Open a partial file behind what it holds, for this process alone.

    Where another process has it, this waits until that one ends: its lock falls with it. Whether
    the other finished the file is for the caller to look.

    Args:
        place: path of the partial file; made if missing.
        waiting: asked again and again while another process has the file; False ends the wait.

    Raises:
        InterruptedError: the wait was ended.
    """
    file = _open_locked(place, waiting)
    try:
        yield file
    finally:
        file.close()


def _open_locked(place: Path, waiting: Callable[[], bool]) -> BinaryIO:
    told = False
    while waiting():
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            file = place.open("ab")
        except FileNotFoundError:
            continue  # another process has just removed the empty folder
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if place.exists() and os.path.samestat(os.fstat(file.fileno()), place.stat()):
                return file
        except FileNotFoundError:
            pass  # its owner has just renamed it: begin a new one
        except BlockingIOError:
            if not told:
                log.info("%s: another process fetches it, waiting", place)
                told = True
            time.sleep(POLL_SECONDS)
        file.close()
    raise InterruptedError(f"{place}: another process fetches it")


def publish(file: BinaryIO, place: Path, target: Path) -> None:
    """Give a whole partial file its final name, once its bytes are on the disk.

    Args:
        place: path of the partial file.
        target: the final path.
    """
    file.flush()
    os.fsync(file.fileno())
    target.parent.mkdir(parents=True, exist_ok=True)
    place.replace(target)
    tidy(place)


def tidy(place: Path) -> None:
    """Remove the folder of partial files if there is none left.

    Args:
        place: path of a partial file, which is gone.
    """
    with suppress(OSError):
        place.parent.rmdir()
