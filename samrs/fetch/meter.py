"""How much of several files has come, how fast, how long it will take.

On a terminal one bar for all files; elsewhere a log line now and then. What an earlier run left is
counted as done but not into the rate.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
import time
from typing import Any, Self

from tqdm import tqdm

from samrs.core.progress import LOG_SECONDS

log = logging.getLogger("samrs")
LINE = "{desc}: {n_fmt}B of {total_fmt}B, {rate_fmt}, {remaining} left{postfix}"


class TransferMeter:
    """Counts the bytes of files that arrive at the same time. Use as a context manager.

    Args:
        desc: what the progress bar is called.
        sizes: bytes of each file by its name, None where unknown; the time left is without these.
    """

    def __init__(self, desc: str, sizes: dict[str, int | None]) -> None:
        self._desc, self._sizes = desc, {name: size or 0 for name, size in sizes.items()}
        self._at = dict.fromkeys(sizes, 0)
        self._received = self._done = 0
        self._lock, self._begin = threading.Lock(), time.monotonic()
        every = {"mininterval": LOG_SECONDS, "maxinterval": LOG_SECONDS, "delay": LOG_SECONDS}
        lines = {"file": _LogLines(), "bar_format": LINE, **every}
        how = {"dynamic_ncols": True} if sys.stderr.isatty() else lines
        self._bar: tqdm[Any] = tqdm(
            desc=desc, unit="B", unit_scale=True, unit_divisor=1024, miniters=1, **how
        )

    def came(self, name: str, num_bytes: int, at: int, size: int) -> None:
        """Bytes of a file have come, which has ``at`` of ``size`` bytes now.

        Args:
            num_bytes: that came.
        """
        with self._lock:
            jump = at - num_bytes - self._at[name]  # an earlier run left more, or it begins anew
            self._at[name], self._sizes[name] = at, size
            self._bar.total = sum(self._sizes.values())
            self._bar.n += jump
            self._bar.initial += jump
            self._bar.last_print_n += jump
            self._received += num_bytes
            self._bar.update(num_bytes)

    def finish(self) -> None:
        """A file is whole and checked."""
        with self._lock:
            self._done += 1
            self._bar.set_postfix_str(f"{self._done} of {len(self._sizes)} files", refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._bar.close()
        seconds = max(time.monotonic() - self._begin, 1e-9)
        files = f"{self._done} of {len(self._sizes)} files"
        size = tqdm.format_sizeof(self._received, "B", 1024)
        rate = tqdm.format_sizeof(self._received / seconds, "B", 1024)
        log.info("%s: %s, %s in %.0f s, %s/s", self._desc, files, size, seconds, rate)


class _LogLines(io.StringIO):
    """Makes log lines of what a progress bar prints."""

    def write(self, text: str) -> int:
        if line := text.strip():
            log.info("%s", line)
        return len(text)
