"""One process at a time in a folder of kept work."""

from __future__ import annotations

import fcntl
import logging
import time
from pathlib import Path
from typing import TextIO

from samrs.core.errors import ProductError

log = logging.getLogger("samrs")

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
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("w")
    try:
        if _taken(file):
            return file
        log.info("%s: another process %s; waiting", folder, does)
        if patience is None:
            fcntl.flock(file, fcntl.LOCK_EX)
            return file
        end = time.monotonic() + patience
        while time.monotonic() < end:
            time.sleep(0.1)
            if _taken(file):
                return file
    except BaseException:
        file.close()
        raise
    file.close()
    raise ProductError(
        f"{folder}: in use, got another process that {does} now; one at a time is allowed; wait "
        "for it or stop it"
    )


def _taken(file: TextIO) -> bool:
    """Lock an open file; False where another process holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
