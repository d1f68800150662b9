"""Every executor of the axis: the same answers in the same order, errors as they were raised."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from samrs.core import axis
from samrs.core.errors import ImageError, MissingExtraError, ParameterError, SamrsError
from samrs.core.jobs import Executor, in_order
from samrs.executors import local
from tests.executors.work import deadly_from, in_pairs, megabytes, once_deadly, squares, unmade
from tests.label.hand_made import many_tiles, write_product

AXIS = "samrs.executors"
HAS_RAY = importlib.util.find_spec("ray") is not None
with_ray = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray"),
]
NAMES = [pytest.param(name, marks=with_ray if name == "ray" else []) for name in axis.names(AXIS)]


def executor(name: str, make: Callable[[], Any], threads: int) -> Executor:
    loaded: Executor = axis.load(AXIS, name).load(make, {"device": "cpu", "threads": threads})
    return loaded


@pytest.mark.parametrize("name", NAMES)
def test_answers_come_in_order_and_errors_as_they_were(name: str) -> None:
    jobs = [(n, 0.02 * (n % 3)) for n in range(12)]
    with executor(name, squares, 2) as chosen:
        pairs = in_order(jobs, lambda job: chosen.submit(*job), chosen.slots)
        assert [(job[0], wait()) for job, wait in pairs] == [(n, n * n) for n in range(12)]
        with pytest.raises(ImageError, match="-1: is negative"):
            chosen.submit(-1, 0.0)()
        assert chosen.submit(5, 0.0)() == 25


def test_local_jobs_run_at_once() -> None:
    together = threading.Barrier(2, timeout=20)
    with local.load(lambda: lambda _: together.wait(), {"device": "cpu", "threads": 2}) as chosen:
        waits = [chosen.submit(n) for n in range(2)]
        assert sorted(wait() for wait in waits) == [0, 1]


def test_local_takes_the_cores_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert local.load(squares, {"device": "cpu", "threads": None}).slots == 7 + 1
    assert local.load(squares, {"device": "cuda", "threads": None}).slots == 12 + 1
    monkeypatch.delenv("OMP_NUM_THREADS")
    slots = local.load(squares, {"device": "cpu", "threads": None}).slots
    assert 2 <= slots <= (os.cpu_count() or 1) + 1


@pytest.mark.skipif(HAS_RAY, reason="ray is installed")
def test_ray_that_is_not_installed_is_named() -> None:
    with pytest.raises(MissingExtraError, match=r"'ray'.*pip install 'samrs\[ray\]'"):
        axis.load(AXIS, "ray")


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_jobs_of_a_dead_ray_actor_are_done_again(tmp_path: Path) -> None:
    with executor("ray", partial(once_deadly, tmp_path / "mark"), 2) as chosen:
        pairs = in_order(range(8), chosen.submit, chosen.slots)
        assert [wait() for _, wait in pairs] == [n * n for n in range(8)]
    assert (tmp_path / "mark").exists()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_when_the_last_ray_actor_dies_what_is_finished_is_given_out_and_the_rest_is_an_error() -> (
    None
):
    with executor("ray", partial(deadly_from, 5), 2) as chosen:
        given_out, failed = list[tuple[int, int]](), list[SamrsError]()
        for job, wait in in_order(range(9), chosen.submit, chosen.slots):
            try:
                given_out.append((job, wait()))
            except SamrsError as error:
                failed.append(error)
        assert given_out == [(n, n * n) for n in range(5)]
        assert len(failed) == 4
        assert all("no actor is left" in str(error) and error.__cause__ for error in failed)


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_work_that_no_ray_actor_can_make_is_that_error() -> None:
    import ray

    with pytest.raises(ImageError, match="weights: are missing"):
        executor("ray", unmade, 2)
    assert not ray.is_initialized()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_ray_actors_without_room_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cores are another's: nobody waits for them for ever."""
    import ray

    module = axis.load(AXIS, "ray")
    monkeypatch.setattr(module, "PATIENCE", 8.0)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        hold = ray.remote(num_cpus=1)(Holder)
        first = hold.remote()
        ray.get(first.here.remote())
        with executor("ray", squares, 2) as chosen:
            assert chosen.slots == 1 + module.WAITING
            assert chosen.submit(3, 0.0)() == 9
        second = hold.remote()
        ray.get(second.here.remote())
        with pytest.raises(SamrsError, match=r"no actor is left.*no room or no answer for 8\.0 s"):
            executor("ray", squares, 2)
    finally:
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_a_ray_actor_with_a_gpu_has_several_jobs_in_work_and_stands_in_the_runs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the GPU would wait while images are decoded. Ray takes our word that there is a GPU."""
    import ray

    ray.init(num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        monkeypatch.chdir(tmp_path)
        given = {"device": "cuda", "threads": None}
        with axis.load(AXIS, "ray").load(in_pairs, given) as chosen:
            assert chosen.slots == 12 + 1
            waits = [chosen.submit(n) for n in range(2)]
            assert [wait() for wait in waits] == [str(tmp_path.resolve())] * 2
    finally:
        ray.shutdown()


@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
@pytest.mark.parametrize("address", ["head", "ray://127.0.0.1:1", "127.0.0.1:1", "[::1]:1"])
def test_a_ray_cluster_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(
        ParameterError, match=f"no Ray cluster answers, got RAY_ADDRESS={re.escape(address)}"
    ):
        axis.load(AXIS, "ray").load(squares, {"device": "cpu", "threads": None})


class Holder:
    """An actor of somebody else."""

    def here(self) -> bool:
        return True


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_a_finished_answer_that_dies_with_its_machine_is_made_again() -> None:
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        lost = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        with executor("ray", megabytes, 2) as chosen:
            waits = [chosen.submit(n) for n in range(4)]
            time.sleep(3)  # all are done, half of the answers lie on the second machine
            cluster.remove_node(lost, allow_graceful=False)
            answers = [wait() for wait in waits]
        assert [(len(a), a[0]) for a in answers] == [(2**20, n) for n in range(4)]
    finally:
        ray.shutdown()
        cluster.shutdown()


LABEL = """
import logging, sys
from pathlib import Path
from samrs.label.label import label
from samrs.weights.weights import find_checkpoint
logging.basicConfig(level=logging.WARNING)
product, out, executor, threads = sys.argv[1:]
runtime = {"executor": executor, "device": "cpu", "threads": int(threads)}
given = {"prompt": "hbox", "checkpoint": find_checkpoint("sam", "nano"), "precision": "float32"}
label(Path(product), Path(out), **given, runtime=runtime, work=Path(out + " work"))
"""


def labelled(product: Path, out: Path, executor: str, threads: int) -> dict[str, bytes]:
    command = [sys.executable, "-c", LABEL, product, out, executor, threads]
    subprocess.run([str(part) for part in command], check=True, timeout=300)
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def test_bytes_do_not_depend_on_how_many_tiles_are_in_work(tmp_path: Path) -> None:
    product = many_tiles(tmp_path / "many", write_product(tmp_path / "hand"), 6)
    one = labelled(product, tmp_path / "one", "local", 1)
    assert labelled(product, tmp_path / "three", "local", 3) == one


@pytest.mark.slow
@pytest.mark.skipif(not HAS_RAY, reason="ray is not installed: pip install ray")
def test_a_ray_cluster_that_loses_a_machine_gives_the_bytes_of_a_local_run(tmp_path: Path) -> None:
    """Two nodes of a core each; one is killed when a third of the tiles is done."""
    from ray.cluster_utils import Cluster

    product = many_tiles(tmp_path / "many", write_product(tmp_path / "hand"), 24)
    local_run = labelled(product, tmp_path / "local", "local", 1)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        lost = cluster.add_node(num_cpus=1)
        out = tmp_path / "ray"
        command = [sys.executable, "-c", LABEL, str(product), str(out), "ray", "2"]
        said = {**os.environ, "RAY_ADDRESS": cluster.address}
        child = subprocess.Popen(command, env=said, stderr=subprocess.PIPE, text=True)
        log = Path(f"{out} work") / "log.jsonl"
        await_lines(log, 8, child)
        cluster.remove_node(lost, allow_graceful=False)
        _, stderr = child.communicate(timeout=300)
        assert child.returncode == 0, stderr
        assert "an actor is lost, its jobs are done again; 1 are left" in stderr
    finally:
        cluster.shutdown()
    assert {path.name: path.read_bytes() for path in sorted(out.iterdir())} == local_run


def await_lines(path: Path, count: int, child: subprocess.Popen[str]) -> None:
    """Waits until a log has so many lines; the process that writes it must not end before."""
    for _ in range(2400):
        if path.exists() and len(path.read_text(encoding="utf-8").splitlines()) >= count:
            return
        assert child.poll() is None, child.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} has no {count} lines after two minutes")
