"""The order and the results of a plain loop, whatever the workers."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from samrs.core import parallel
from samrs.core.parallel import cores, limited_to, map_ahead, map_many, map_stream, num_workers


def test_results_come_in_the_order_of_the_items() -> None:
    late = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert late.wait(10)
        if item == 3:
            late.set()
        return item * item

    with ThreadPoolExecutor(2) as pool:
        assert list(map_ahead(work, range(9), pool, ahead=4)) == [i * i for i in range(9)]


def test_no_more_is_begun_than_allowed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as pool:
        results = map_ahead(str, items(), pool, ahead=3)
        assert next(results) == "0"
        assert len(taken) == 4
        results.close()


def test_error_of_an_item_is_the_loops() -> None:
    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        list(map_ahead(lambda item: 1 / item, [1, 0, 2], pool, ahead=1))


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


def _nested(items: list[int]) -> list[int]:
    """The processes of work within a worker, where it says that there is enough for some."""
    return [num_workers(), *map_stream(_process, items, processes=True), os.getpid()]


def test_a_worker_starts_no_workers_of_its_own() -> None:
    with limited_to(2):
        for said, *processes in map_stream(_nested, [[0, 0], [0, 0]], processes=True):
            assert said == 1
            assert set(processes) == {processes[-1]} != {os.getpid()}


ORPHANS = """
import os, sys, time
from samrs.core import parallel
from tests.core.test_parallel import _say_and_sleep
if __name__ == "__main__":
    parallel.MANY = parallel.CHUNK = 1
    with parallel.limited_to(2):
        list(parallel.map_many(_say_and_sleep, [sys.argv[1]] * 2))
"""


def _say_and_sleep(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(60)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_processes_end_with_the_one_that_began_them(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    (tmp_path / "pids").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, str(script), str(tmp_path / "pids")]
    parent = subprocess.Popen(command, cwd=root, env=environment)
    while len(pids := [p.name for p in (tmp_path / "pids").iterdir()]) < 2:
        assert parent.poll() is None
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while any(map(_runs, pids)):
        assert time.monotonic() < end, "they are still there"
        time.sleep(0.02)


def _runs(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_number_of_workers_is_limited_only_within() -> None:
    usual = cores()
    assert num_workers() == usual
    with limited_to(usual + 3):
        assert num_workers() == usual + 3
        with limited_to(None):
            assert num_workers() == usual
    assert num_workers() == usual


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert cores() == num_workers() == 7
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert cores() == len(os.sched_getaffinity(0))


def test_what_waits_is_left_when_the_loop_is(tmp_path: Path) -> None:
    """Four workers' jobs were begun at the first error; those that wait are not."""
    with limited_to(2), pytest.raises(ZeroDivisionError):
        list(map_stream(partial(_mark_or_fail, tmp_path), range(1, -200, -1), processes=True))
    assert len(list(tmp_path.iterdir())) < 20


def _mark_or_fail(folder: Path, item: int) -> float:
    (folder / str(item)).touch()
    return 1 / item
