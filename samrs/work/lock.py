"""One process at a time in a folder of kept work."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import TextIO

from samrs.core.errors import ProductError

PATIENCE = 30.0
"""Seconds to wait for another process: one whose DVC was killed finishes what it is at."""


def locked(folder: Path, does: str) -> TextIO:
    """The open file ``lock`` of a folder, made if missing; closed it lets the next process in.

    The lock falls with its process; one that was told to stop is given time to do so.

    Args:
        folder: what is locked.
        does: what a process does there, for the error, e.g. "labels this dataset".

    Raises:
        ProductError: another process holds it for longer than ``PATIENCE``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("w")
    for _ in range(max(1, int(PATIENCE / 0.1))):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except BlockingIOError:
            time.sleep(0.1)
    file.close()
    raise ProductError(
        f"{folder}: in use, got another process that {does} now; one at a time is allowed; wait "
        "for it or stop it"
    )
