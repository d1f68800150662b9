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


def told() -> int:
    """The level down to which this process logs, for ``tell`` in those it starts."""
    return log.getEffectiveLevel()


def tell(level: int) -> None:
    """Log down to a level in a new process, which takes no settings from the one that began it.

    Args:
        level: of ``told``.
    """
    logging.basicConfig(format="%(message)s")
    log.setLevel(level)


def progress(
    items: Iterable[T],
    *,
    desc: str,
    unit: str,
    total: int | None = None,
    note: Callable[[], str] | None = None,
    size: Callable[[T], int] | None = None,
) -> Iterator[T]:
    """Yield the items, showing how far and how fast.

    Args:
        desc: what is being done, e.g. ``sam-label dota``.
        unit: what is counted, e.g. ``tile``.
        total: number of units; taken from ``len(items)`` where that exists.
        note: says more about how far it is, e.g. ``80 tiles``.
        size: units of an item; None: each is one.
    """
    if total is None and size is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
        with tqdm(desc=desc, unit=unit, total=total, dynamic_ncols=True) as bar:
            for item in items:
                yield item
                if note:
                    bar.set_postfix_str(note(), refresh=False)
                bar.update(size(item) if size else 1)
        return
    begin = last = time.monotonic()
    done = said = 0
    for item in items:
        yield item
        done += size(item) if size else 1
        now = time.monotonic()
        if now - last >= LOG_SECONDS:
            # of late, not on average: a resumed run begins with what is done already
            rate = (done - said) / (now - last)
            last, said = now, done
            seconds = (total - done) / rate if total and rate else None
            left = "" if seconds is None else f", ETA {tqdm.format_interval(seconds)}"
            more = f", {note()}" if note else ""
            of = f"{done}/{total or '?'}"
            log.info("%s: %s %ss, %.2f %ss/s%s%s", desc, of, unit, rate, unit, left, more)
    seconds = max(time.monotonic() - begin, 1e-9)
    log.info("%s: %d %ss done, %.1f %ss/s", desc, done, unit, done / seconds, unit)
