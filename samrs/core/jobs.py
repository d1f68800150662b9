"""Several jobs in work at once, their answers in the order of the jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, Self, TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Wait = Callable[[], Answer]
"""Gives a job's answer when it is there, or raises the error the job ended with."""
DEVICES = ("auto", "cpu", "cuda")
"""Where networks compute; auto: on a GPU if there is one."""
GPU_THREADS = 12
"""Jobs that share a GPU: some are encoded or decoded together, while threads read images and write
masks of others."""


class Executor(Protocol):
    """Where jobs are worked on (``samrs/executors``); a context manager, whose end stops the work.

    Attributes:
        slots: jobs worth having in work at once: more would only wait, and fill memory.
    """

    slots: int

    def submit(self, *job: Any) -> Wait[Any]:
        """Hands one job over, as the arguments of the work that the executor was made with."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *raised: object) -> None: ...


def in_order(
    jobs: Iterable[Job],
    submit: Callable[[Job], Wait[Answer]],
    slots: int,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[Job, Wait[Answer]]]:
    """Each job and the wait for its answer, in the jobs' order.

    At most ``slots`` jobs are handed over and not yet given out here. Once ``stopped`` says so no
    further job is begun; those in work are still given out, so that nothing finished is lost.

    Args:
        submit: hands a job over and gives back the wait for its answer.
    """
    waiting: deque[tuple[Job, Wait[Answer]]] = deque()
    for job in jobs:
        if stopped():
            break
        waiting.append((job, submit(job)))
        if len(waiting) >= slots:
            yield waiting.popleft()
    while waiting:
        yield waiting.popleft()
