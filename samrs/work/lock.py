"""One process at a time in a folder of kept work."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import shutil
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TextIO

from samrs.core.errors import ProductError

log = logging.getLogger("samrs")

LOCK, READ = "lock", "read"
"""Files that are locked: by who works in a folder, and by all who read what is in it."""

PATIENCE = 30.0
"""Seconds to wait for a process that will end soon: one whose DVC was killed, say."""


def locked(folder: Path, does: str, patience: float | None) -> TextIO:
    """The open file ``lock`` of a folder, made if missing; closed it lets the next process in.

    The lock falls with its process; one that was told to stop is given time to do so.

    Args:
        folder: what is locked.
        does: what a process does there, for the error, e.g. "labels this dataset".
        patience: seconds to wait for another process; None: as long as it takes.

    Raises:
        ProductError: another process holds it for longer.
    """
    end = math.inf if patience is None else time.monotonic() + patience
    told = False
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("w")
        try:
            if _taken(file, fcntl.LOCK_EX) and _is_at(file, folder / LOCK):
                return file
            if not told:
                log.info("%s: another process %s; waiting", folder, does)
                told = True
        except BaseException:
            file.close()
            raise
        file.close()
        if time.monotonic() >= end:
            raise ProductError(
                f"{folder}: in use, got another process that {does} now; one at a time is allowed; "
                "wait for it or stop it"
            )
        time.sleep(0.1)


def in_use(folder: Path) -> TextIO:
    """An open file that, until it is closed, tells ``remove_idle`` that a process reads a folder.

    Args:
        folder: whose lock this process holds, so that nobody removes it now.
    """
    file = (folder / READ).open("w")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def remove_idle(folder: Path) -> None:
    """Remove a folder of kept work, unless a process holds its lock or reads it.

    Args:
        folder: which this process does not need.
    """
    with suppress(FileNotFoundError), ExitStack() as stack:  # another process removes it now
        for name in (LOCK, READ):
            file = stack.enter_context((folder / name).open("w"))
            if not _taken(file, fcntl.LOCK_EX):
                return
        shutil.rmtree(folder)


def _taken(file: TextIO, how: int) -> bool:
    """Lock an open file; False where another process holds it."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(file: TextIO, path: Path) -> bool:
    """Whether an open file is still the one of a name: its folder may have been removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
