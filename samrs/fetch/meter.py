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
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

from samrs.core.progress import LOG_SECONDS

log = logging.getLogger("samrs")
LINE = "{desc}: {n_fmt}B of {total_fmt}B, {rate_fmt}, {remaining} left{postfix}"


class TransferMeter:
    """Counts the bytes of files that arrive at the same time. Use as a context manager.

    The time left is that of the files whose size is known, by the publisher's word or since their
    transfer began.

    Args:
        desc: what the progress bar is called.
        sizes: bytes of each file by its name, None where unknown.
    """

    def __init__(self, desc: str, sizes: dict[str, int | None]) -> None:
        self._desc, self._sizes = desc, dict(sizes)
        self._at = dict.fromkeys(sizes, 0)
        self._done: set[str] = set()
        self._lock = threading.Lock()
        self._begin, self._received = time.monotonic(), 0
        terminal = sys.stderr.isatty()
        self._bar: tqdm[Any] = tqdm(
            desc=desc,
            total=self._total(),
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            miniters=1,
            dynamic_ncols=terminal,
            file=sys.stderr if terminal else _LogLines(),
            mininterval=0.1 if terminal else LOG_SECONDS,
            maxinterval=LOG_SECONDS,
            delay=0 if terminal else LOG_SECONDS,
            bar_format=None if terminal else LINE,
        )

    def _total(self) -> int | None:
        return sum(size or 0 for size in self._sizes.values()) or None

    def begin(self, name: str, at: int, size: int | None) -> None:
        """A transfer of a file begins, or begins again, at a byte; ``size`` as its server says."""
        with self._lock:
            if size is not None:
                self._sizes[name] = size
            jump = at - self._at[name]
            self._at[name] = at
            self._bar.total = self._total()
            self._bar.n += jump
            self._bar.initial += jump
            self._bar.last_print_n += jump

    def add(self, name: str, num_bytes: int) -> None:
        """Bytes of a file have arrived.

        Args:
            num_bytes: how many, since the last call.
        """
        with self._lock:
            self._at[name] += num_bytes
            self._received += num_bytes
            self._bar.update(num_bytes)

    def finish(self, name: str) -> None:
        """A file is whole and checked."""
        with self._lock:
            self._done.add(name)
            text = f"{len(self._done)} of {len(self._sizes)} files"
            self._bar.set_postfix_str(text, refresh=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()
        seconds = max(time.monotonic() - self._begin, 1e-9)
        log.info(
            "%s: %d of %d files, %sB in %.0f s, %sB/s",
            self._desc,
            len(self._done),
            len(self._sizes),
            tqdm.format_sizeof(self._received, divisor=1024),
            seconds,
            tqdm.format_sizeof(self._received / seconds, divisor=1024),
        )


class _LogLines(io.StringIO):
    """Makes log lines of what a progress bar prints."""

    def write(self, text: str) -> int:
        if line := text.strip():
            log.info("%s", line)
        return len(text)
