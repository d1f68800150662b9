"""The order and the results of a plain loop, whatever the workers."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from samrs.core import parallel
from samrs.core.parallel import in_order, limited_to, map_many, num_workers


def test_results_come_in_the_order_of_the_items() -> None:
    late = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert late.wait(10)
        if item == 3:
            late.set()
        return item * item

    with ThreadPoolExecutor(2) as pool:
        assert list(in_order(work, range(9), pool, ahead=4)) == [i * i for i in range(9)]


def test_no_more_is_begun_than_allowed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as pool:
        results = in_order(str, items(), pool, ahead=3)
        assert next(results) == "0"
        assert len(taken) == 4
        results.close()


def test_error_of_an_item_is_the_loops() -> None:
    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        list(in_order(lambda item: 1 / item, [1, 0, 2], pool, ahead=1))


def test_many_items_go_to_processes_and_few_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [(1, 2), (3, 4)]
    with limited_to(2):
        assert list(map_many(sum, items)) == [3, 7]
        monkeypatch.setattr(parallel, "MANY", 2)
        assert list(map_many(sum, items)) == [3, 7]
        assert list(map_many(_process, [0, 0])) != [os.getpid()] * 2
    with limited_to(1):
        assert list(map_many(_process, [0, 0])) == [os.getpid()] * 2


def _process(_: int) -> int:
    return os.getpid()


def test_number_of_workers_is_limited_only_within() -> None:
    cores = len(os.sched_getaffinity(0))
    assert num_workers() == cores
    with limited_to(cores + 3):
        assert num_workers() == cores + 3
        with limited_to(None):
            assert num_workers() == cores
    assert num_workers() == cores
