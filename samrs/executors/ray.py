"""Jobs on the machines of a Ray cluster (the extra ``samrs[ray]``): an actor per GPU, or per core.

The cluster is that of the environment variable RAY_ADDRESS; without it one is started on this
machine. Every machine needs the same checkout at the same path. A job whose actor dies, with its
machine or alone, is given to another one; the answers, and so the bytes, are those of a local run.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import ray
from ray.exceptions import AuthenticationError, ObjectLostError, RayActorError

from samrs.core.errors import ParameterError, SamrsError
from samrs.core.jobs import GPU_THREADS, Wait

log = logging.getLogger("samrs")
WAITING = 1
"""Jobs an actor has beside those in work, so that it never waits for the network."""
ANSWERS = 10.0
"""Seconds in which the cluster's first machine takes a connection."""
PATIENCE = 600.0
"""Seconds until an actor has found room and loaded its weights, or is done without."""


class Actor:
    """The work in a process of its own.

    Args:
        make: makes the function that does the work.
        folder: the run's.
    """

    def __init__(self, make: Callable[[], Callable[..., Any]], folder: str) -> None:
        self._make, self._folder = make, folder

    def begin(self) -> None:
        """Makes the work; not the constructor, whose errors Ray would not pass on as they are.

        Ray begins where ``ray start`` was given, but paths such as ``data/weights`` are the run's.
        """
        try:
            os.chdir(self._folder)
        except OSError as error:
            raise ParameterError(
                f"runtime.executor: a machine of the Ray cluster has not the run's folder, got "
                f"{error}; the same checkout at the same path is needed on every machine; put it "
                "there"
            ) from error
        self._work = self._make()

    def run(self, *job: Any) -> Any:
        """Does one job."""
        return self._work(*job)


class RayExecutor:
    """Actors all over the cluster.

    Args:
        make: gives the work; it is sent to every actor.
        gpu: whether an actor holds a GPU; else it holds a CPU core.
        most: actors at most; None: all the cluster has room for.

    Raises:
        ParameterError: the cluster has no room for an actor, or is not there.
        SamrsError: no actor began.
    """

    def __init__(
        self, make: Callable[[], Callable[..., Any]], *, gpu: bool, most: int | None
    ) -> None:
        self._started = not ray.is_initialized()
        self._load: dict[Any, int] = {}
        self._last: Exception | None = None
        if self._started:
            _connect()
        resource = "GPU" if gpu else "CPU"
        try:
            room = int(ray.cluster_resources().get(resource, 0))
            if room < 1:
                raise ParameterError(
                    f"runtime.executor: the Ray cluster has no {resource}, got "
                    f"{dict(ray.cluster_resources())}; at least one is needed; add a machine or "
                    "change runtime.device"
                )
            needs: dict[str, float] = {"num_gpus": 1, "num_cpus": 0} if gpu else {"num_cpus": 1}
            at_once = GPU_THREADS if gpu else 1
            kind = ray.remote(**needs, max_restarts=0, max_concurrency=at_once)(Actor)
            self._load = dict.fromkeys(
                [kind.remote(make, str(Path.cwd())) for _ in range(min(room, most or room))], 0
            )
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        self.slots = (at_once + WAITING) * len(self._load)
        log.info("ray: %d actors, a %s each", len(self._load), resource)

    def _begin(self) -> None:
        """Wait until the actors have begun; those that do not find room or die are left out."""
        begun = {actor.begin.remote(): actor for actor in self._load}
        done, late = ray.wait(list(begun), num_returns=len(begun), timeout=PATIENCE)
        for answer in done:
            try:
                ray.get(answer)
            except RayActorError as error:
                self._lose(begun[answer], error)
        for answer in late:
            ray.kill(begun[answer])
            self._lose(begun[answer], TimeoutError(f"no room or no answer for {PATIENCE} s"))
        if not self._load:
            raise self._none_left()

    def submit(self, *job: Any) -> Wait[Any]:
        """Hands one job to the actor with the fewest; that there is none the answer says."""
        sent = self._send(job)

        def wait() -> Any:
            nonlocal sent
            while sent is not None:
                actor, answer = sent
                try:
                    done = ray.get(answer)
                except RayActorError as error:
                    self._lose(actor, error)
                except ObjectLostError:  # the job was done, the machine that held its answer died
                    self._free(actor)
                except BaseException:
                    self._free(actor)
                    raise
                else:
                    self._free(actor)
                    return done
                sent = self._send(job)
            raise self._none_left()

        return wait

    def _send(self, job: tuple[Any, ...]) -> tuple[Any, Any] | None:
        if not self._load:
            return None
        actor = min(self._load, key=lambda one: self._load[one])
        self._load[actor] += 1
        return actor, actor.run.remote(*job)

    def _none_left(self) -> SamrsError:
        error = SamrsError(
            "runtime.executor: no actor is left, got a Ray cluster whose every actor died or never "
            f"began (the last: {_first_line(self._last)}); one is needed; finished tiles are kept: "
            "mend the cluster and run again"
        )
        error.__cause__ = self._last
        return error

    def _lose(self, actor: Any, error: Exception) -> None:
        if self._load.pop(actor, None) is not None:
            self._last = error
            log.warning(
                "ray: an actor is lost, its jobs are done again; %d are left", len(self._load)
            )

    def _free(self, actor: Any) -> None:
        if actor in self._load:
            self._load[actor] -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        for actor in self._load:
            ray.kill(actor)
        if self._started:
            ray.shutdown()


def _connect() -> None:
    try:
        _reach(os.environ.get("RAY_ADDRESS", ""))
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    except (OSError, AuthenticationError, ValueError) as error:
        raise ParameterError(
            f"runtime.executor: no Ray cluster answers, got RAY_ADDRESS={_said('RAY_ADDRESS')}, "
            f"RAY_AUTH_MODE={_said('RAY_AUTH_MODE')} and: {_first_line(error)}; a cluster of "
            "`ray start` is needed, which takes RAY_AUTH_MODE=token where a token was made; "
            "correct them or unset RAY_ADDRESS (docs/scale.md)"
        ) from error


def _reach(address: str) -> None:
    """Raises OSError where nobody listens at ``host:port``; Ray would try for two minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS).close()


def _said(name: str) -> str:
    return os.environ.get(name, "(not set)")


def _first_line(error: Exception | None) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]


def load(make: Callable[[], Callable[..., Any]], runtime: Mapping[str, Any]) -> RayExecutor:
    """The executor.

    Args:
        make: makes the function that does the work, once an actor.
        runtime: ``threads`` (actors at most, None: all there is room for) and ``device``, which no
            longer is auto.
    """
    threads = runtime["threads"]
    most = None if threads is None else int(threads)
    return RayExecutor(make, gpu=runtime["device"] == "cuda", most=most)
