"""Jobs on this machine: as many at once as there are cores, a thread each.

A job computes with one core. Two tiles with a core each take no longer than one after the other
with two cores, and sums do not depend on how many cores there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from samrs.core.jobs import GPU_THREADS, Wait
from samrs.core.parallel import cores


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


def load(make: Callable[[], Callable[..., Any]], runtime: Mapping[str, Any]) -> LocalExecutor:
    """The executor.

    Args:
        make: makes the function that does the work, which all threads share.
        runtime: ``threads`` (None: all cores, 12 beside a GPU, for which most of them wait) and
            ``device``, which no longer is auto.
    """
    usual = GPU_THREADS if runtime["device"] == "cuda" else cores()
    return LocalExecutor(make, int(runtime["threads"] or usual))
