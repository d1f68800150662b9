"""Jobs on this machine: as many at once as there are cores, a thread each.

A job computes with one core. Two tiles with a core each take no longer than one after the other
with two cores, and sums do not depend on how many cores there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from samrs.core.dispatch import Wait

GPU_THREADS = 4
"""With a GPU the threads only keep it busy: they decode images and encode masks beside it."""


class LocalExecutor:
    """Threads of this process, which share what ``make`` gives.

    Args:
        make: gives the work: a function of a job, which threads may call at once.
        threads: jobs at once.
    """

    def __init__(self, make: Callable[[], Callable[..., Any]], threads: int) -> None:
        self.slots = threads + 1
        self._work = make()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="samrs")

    def submit(self, *job: Any) -> Wait[Any]:
        """Hands one job over."""
        return self._pool.submit(self._work, *job).result

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def cores() -> int:
    """CPU cores this process may use, or OMP_NUM_THREADS where that is set."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    if said.isdigit() and int(said) > 0:
        return int(said)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load(make: Callable[[], Callable[..., Any]], runtime: Mapping[str, Any]) -> LocalExecutor:
    """The executor.

    Args:
        runtime: ``threads`` (None: all cores, at most 4 beside a GPU) and ``device``, which no
            longer is auto.
    """
    most = GPU_THREADS if runtime["device"] == "cuda" else cores()
    return LocalExecutor(make, int(runtime["threads"] or min(cores(), most)))
