"""Requests of several threads answered together: a GPU answers many in little more time than one.

A thread that asks while nobody works takes what is waiting, up to so many requests, answers these
and hands the answers out. What is asked meanwhile waits and is the next batch: batches fill up
where the work is what takes the time, and nobody waits for a batch to be full.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Asked:
    """A request and, once it is done, its answer or the error it ended with."""

    request: Any
    kind: Hashable
    done: bool = False
    answer: Any = None
    error: BaseException | None = None


class Together(Generic[Request, Answer]):
    """One work at a time, for several requests at once.

    Args:
        work: the answers to at most ``room`` requests of one kind, in their order.
        room: requests at once.
    """

    def __init__(self, work: Callable[[list[Request]], Sequence[Answer]], room: int) -> None:
        self.room = room
        self._work = work
        self._turn = threading.Condition()
        self._waiting: list[_Asked] = []
        self._working = False

    def ask(self, requests: Sequence[Request], kind: Hashable = None) -> list[Answer]:
        """The answers to some requests, in their order.

        Args:
            kind: only requests of one kind are answered together.

        Raises:
            BaseException: what ``work`` raised for a batch with one of them.
        """
        asked = [_Asked(request, kind) for request in requests]
        with self._turn:
            self._waiting += asked
            while not all(one.done for one in asked):
                if self._working:
                    self._turn.wait()
                else:
                    self._answer(self._next())
        for one in asked:
            if one.error is not None:
                raise one.error
        return [one.answer for one in asked]

    def _next(self) -> list[_Asked]:
        """The longest waiting request, and others of its kind."""
        kind = self._waiting[0].kind
        batch = [one for one in self._waiting if one.kind == kind][: self.room]
        self._waiting = [one for one in self._waiting if one not in batch]
        return batch

    def _answer(self, batch: list[_Asked]) -> None:
        """Works on a batch, while others may ask."""
        self._working = True
        self._turn.release()
        try:
            answers = self._work([one.request for one in batch])
            for one, answer in zip(batch, answers, strict=True):
                one.answer = answer
        except BaseException as error:
            for one in batch:
                one.error = error
        finally:
            self._turn.acquire()
            self._working = False
            for one in batch:
                one.done = True
            self._turn.notify_all()
