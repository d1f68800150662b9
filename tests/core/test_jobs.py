"""Jobs in work at once: bounded, in order, nothing finished lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from samrs.core.jobs import in_order


def answers(
    count: int, slots: int, stop_after: int | None = None
) -> tuple[list[tuple[int, int]], int, list[int]]:
    """Jobs with their answers, the most that were in work at once, and the jobs that were begun."""
    begun: list[int] = []
    given_out: list[tuple[int, int]] = []
    most = 0

    def submit(job: int) -> Callable[[], int]:
        nonlocal most
        begun.append(job)
        most = max(most, len(begun) - len(given_out))
        return lambda: job * job

    def jobs() -> Iterator[int]:
        yield from range(count)

    stopped = (lambda: len(given_out) >= stop_after) if stop_after is not None else (lambda: False)
    for job, wait in in_order(jobs(), submit, slots, stopped):
        given_out.append((job, wait()))
    return given_out, most, begun


def test_answers_come_in_the_order_of_the_jobs_and_few_are_in_work() -> None:
    given_out, most, _ = answers(9, slots=3)
    assert given_out == [(n, n * n) for n in range(9)]
    assert most == 3


def test_fewer_jobs_than_slots_and_none_at_all() -> None:
    assert answers(2, slots=5)[0] == [(0, 0), (1, 1)]
    assert answers(0, slots=5)[0] == []


def test_when_stopped_what_was_begun_is_given_out_and_no_more_is_begun() -> None:
    given_out, _, begun = answers(20, slots=3, stop_after=4)
    assert [job for job, _ in given_out] == begun
    assert len(begun) <= 4 + 3
