"""Work spread over threads and processes, with results in the order of the work.

How many there are may change speed and never results: order and content are those of a plain loop.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from samrs.core.jobs import in_order

T = TypeVar("T")
R = TypeVar("R")

MANY = 4000
"""From so many items on a process each (2 s until it has imported what it needs) pays."""

CHUNK = 200
"""Items a process takes at once."""

_WORKERS: ContextVar[int | None] = ContextVar("workers", default=None)


def cores() -> int:
    """CPU cores this process may use, or OMP_NUM_THREADS where that is set."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    own = getattr(os, "sched_getaffinity", None)  # not everywhere; heeds what a container may use
    return len(own(0)) if own else os.cpu_count() or 1


def num_workers() -> int:
    """How many threads or processes to use: what ``limited_to`` says, else the cores there are."""
    return _WORKERS.get() or cores()


@contextmanager
def limited_to(workers: int | None) -> Iterator[None]:
    """Within it ``num_workers`` is ``workers``; None leaves it at the number of cores."""
    token = _WORKERS.set(workers)
    try:
        yield
    finally:
        _WORKERS.reset(token)


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], pool: Executor, ahead: int
) -> Iterator[R]:
    """``function`` of each item in turn, at most ``ahead`` of them begun before one is taken.

    Args:
        items: read one at a time, as work is begun.
        pool: whoever made it shuts it down, with what waits in it when the loop is left early.
    """
    for _, wait in in_order(items, lambda item: pool.submit(function, item).result, ahead + 1):
        yield wait()


MMAP_THRESHOLD = 32 * 2**20
TRIM_THRESHOLD = 256 * 2**20
"""glibc's: the most a worker process takes from, and gives back to, the kernel each time."""


def _begin_worker() -> None:
    """Let the kernel end this process with the one that began it: a pool's would wait for ever.

    It keeps freed memory: arrays of a megabyte come and go, and fresh pages are dear. It is one of
    ``num_workers`` and starts none of its own.
    """
    _WORKERS.set(1)
    if sys.platform == "linux":
        pr_set_pdeathsig, m_trim_threshold, m_mmap_threshold = 1, -1, -3
        libc = ctypes.CDLL(None)
        libc.prctl(pr_set_pdeathsig, signal.SIGKILL)
        if hasattr(libc, "mallopt"):  # glibc has it, other C libraries may not
            libc.mallopt(m_mmap_threshold, MMAP_THRESHOLD)
            libc.mallopt(m_trim_threshold, TRIM_THRESHOLD)


def map_many(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """``function`` of each item in turn; in processes where there are ``MANY``.

    Args:
        function: must be importable, as must what it takes and gives.
        items: all of them, since their number decides where the work is done.
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
        yield from map_ahead(function, items, pool, 2 * num_workers())


@contextmanager
def _processes() -> Iterator[ProcessPoolExecutor]:
    fresh = multiprocessing.get_context("spawn")  # a fork would copy other threads' locks
    pool = ProcessPoolExecutor(num_workers(), fresh, initializer=_begin_worker)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
