"""Work spread over threads and processes, with results in the order of the work.

How many there are may change speed and never results: order and content are those of a plain loop.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

MANY = 4000
"""From so many items on a process each (2 s until it has imported what it needs) pays."""

CHUNK = 200
"""Items a process takes at once."""

_WORKERS: ContextVar[int | None] = ContextVar("workers", default=None)


def num_workers() -> int:
    """How many threads or processes to use: what ``limited_to`` says, else the cores there are."""
    own = getattr(os, "sched_getaffinity", None)  # not everywhere; heeds what a container may use
    return _WORKERS.get() or (len(own(0)) if own else os.cpu_count() or 1)


@contextmanager
def limited_to(workers: int | None) -> Iterator[None]:
    """Within it ``num_workers`` is ``workers``; None leaves it at the number of cores."""
    token = _WORKERS.set(workers)
    try:
        yield
    finally:
        _WORKERS.reset(token)


def in_order(
    function: Callable[[T], R], items: Iterable[T], pool: Executor, ahead: int
) -> Iterator[R]:
    """``function`` of each item in turn, at most ``ahead`` of them begun before one is taken."""
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()


def _die_with_parent() -> None:
    """Let the kernel end this process with the one that began it: a pool's would wait for ever."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def map_many(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """``function`` of each item in turn; in processes where there are ``MANY``.

    Args:
        function: must be importable, as must what it takes and gives.
    """
    if len(items) < MANY or num_workers() < 2:
        yield from map(function, items)
        return
    with _processes() as pool:
        yield from pool.map(function, items, chunksize=CHUNK)


def map_stream(function: Callable[[T], R], items: Iterable[T], *, processes: bool) -> Iterator[R]:
    """``function`` of each of a stream of large items in turn, two of them begun for each worker.

    Args:
        function: must be importable, as must what it takes and gives.
        processes: whether there is work enough for processes to pay.
    """
    if not processes or num_workers() < 2:
        yield from map(function, items)
        return
    with _processes() as pool:
        yield from in_order(function, items, pool, 2 * num_workers())


def _processes() -> ProcessPoolExecutor:
    fresh = multiprocessing.get_context("spawn")  # a fork would copy other threads' locks
    return ProcessPoolExecutor(num_workers(), fresh, initializer=_die_with_parent)
