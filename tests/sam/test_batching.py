"""Requests of several threads together: the right answers, full batches, errors at home."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from samrs.sam.batching import Together

PATIENCE = 20


class Squares:
    """Squares numbers, when it may; notes what it was given at once."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.may = threading.Event(), threading.Event()
        self.may.set()

    def __call__(self, numbers: list[int]) -> Iterator[int]:
        self.batches.append(numbers)
        self.begun.set()
        assert self.may.wait(PATIENCE)
        if -1 in numbers:
            raise ValueError("-1")
        return (n * n for n in numbers)


@pytest.fixture
def squares() -> Squares:
    return Squares()


def while_busy(squares: Squares, together: Together[int, int], *asks: Callable[[], object]) -> None:
    """Asks in this order, a thread each, while a first request is worked on."""
    squares.may.clear()
    with ThreadPoolExecutor(len(asks) + 1) as pool:
        first = pool.submit(together.ask, [0])
        assert squares.begun.wait(PATIENCE)
        waits = []
        for ask in asks:
            known = len(together._waiting)
            waits.append(pool.submit(ask))
            while len(together._waiting) == known:
                threading.Event().wait(0.001)
        squares.may.set()
        assert first.result(PATIENCE) == [0]
        for wait in waits:
            wait.exception(PATIENCE)


def test_one_thread_gets_its_answers_in_order(squares: Squares) -> None:
    assert Together(squares, 3).ask([3, 1, 2, 5]) == [9, 1, 4, 25]
    assert squares.batches == [[3, 1, 2], [5]]
    assert Together(squares, 3).ask([]) == []


def test_what_is_asked_while_others_are_served_is_the_next_batch(squares: Squares) -> None:
    together: Together[int, int] = Together(squares, 4)
    answers: dict[int, list[int]] = {}

    def ask(*numbers: int) -> Callable[[], object]:
        return lambda: answers.__setitem__(numbers[0], together.ask(numbers))

    while_busy(squares, together, ask(1), ask(2, 3, 4), ask(5, 6))
    assert squares.batches == [[0], [1, 2, 3, 4], [5, 6]]
    assert answers == {1: [1], 2: [4, 9, 16], 5: [25, 36]}


def test_kinds_are_not_mixed_and_the_longest_waiting_comes_first(squares: Squares) -> None:
    together: Together[int, int] = Together(squares, 4)
    kinds = {1: "a", 2: "b", 3: "a", 4: "b", 5: "c"}
    asks = [lambda n=n, kind=kind: together.ask([n], kind) for n, kind in kinds.items()]
    while_busy(squares, together, *asks)
    assert squares.batches == [[0], [1, 3], [2, 4], [5]]


def test_an_error_reaches_those_of_its_batch_and_nobody_else(squares: Squares) -> None:
    together: Together[int, int] = Together(squares, 2)
    found: dict[int, object] = {}

    def ask(number: int) -> None:
        try:
            found[number] = together.ask([number])
        except ValueError as error:
            found[number] = str(error)

    while_busy(squares, together, lambda: ask(-1), lambda: ask(2), lambda: ask(3))
    assert found == {-1: "-1", 2: "-1", 3: [9]}
    assert together.ask([4]) == [16]


def test_work_that_answers_too_little_is_an_error_and_blocks_nobody() -> None:
    together: Together[int, int] = Together(lambda numbers: numbers[1:], 2)
    for _ in range(2):
        with pytest.raises(ValueError, match="shorter"):
            together.ask([1, 2])


def test_many_threads_get_their_own_answers(squares: Squares) -> None:
    together: Together[int, int] = Together(squares, 5)
    with ThreadPoolExecutor(9) as pool:
        wanted = [list(range(n, n + n % 7)) for n in range(300)]
        found = list(pool.map(lambda numbers: together.ask(numbers, len(numbers) % 2), wanted))
    assert found == [[n * n for n in numbers] for numbers in wanted]
    assert max(map(len, squares.batches)) <= 5
    assert sum(map(len, squares.batches)) == sum(map(len, wanted))
