"""Progress of long work: a bar with rate on a terminal, a quiet log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger("samrs")
T = TypeVar("T")
LOG_SECONDS = 15.0


def progress(
    items: Iterable[T],
    *,
    desc: str,
    unit: str,
    total: int | None = None,
    note: Callable[[], str] | None = None,
) -> Iterator[T]:
    """Yield the items, showing how far and how fast.

    Args:
        desc: what is being done, e.g. ``sam-label dota``.
        unit: what is counted, e.g. ``tile``.
        total: number of items; taken from ``len(items)`` where that exists.
        note: says more about how far it is, e.g. ``61.0 masks/s``.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        with tqdm(items, desc=desc, unit=unit, total=total, dynamic_ncols=True) as bar:
            for item in bar:
                yield item
                if note:
                    bar.set_postfix_str(note(), refresh=False)
        return
    begin = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= LOG_SECONDS:
            last = now
            rate = done / (now - begin)
            more = f", {note()}" if note else ""
            log.info(
                "%s: %d/%s %ss, %.1f %ss/s%s", desc, done, total or "?", unit, rate, unit, more
            )
    seconds = max(time.monotonic() - begin, 1e-9)
    log.info("%s: %d %ss done, %.1f %ss/s", desc, done, unit, done / seconds, unit)
