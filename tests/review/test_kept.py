"""What is kept: within its bounds, counted once, made once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from samrs.review.clicks import Mender
from samrs.review.desk import Desk
from samrs.review.kept import Kept
from tests.browser import until


def test_a_value_that_two_make_is_counted_once() -> None:
    """The first to make it fails while others wait for it."""
    asked, go = threading.Barrier(3, timeout=20), threading.Event()
    tries = iter([True, False, False])

    def make(key: Any) -> bytes:
        if next(tries):
            go.wait(20)
            raise ValueError(key)
        return b"x" * 10

    kept = Kept(make, len, 25)

    def get() -> None:
        asked.wait()
        try:
            kept.get("a")
        except ValueError:
            go.set()

    threads = [threading.Thread(target=get) for _ in range(3)]
    for thread in threads:
        thread.start()
    threading.Timer(0.2, go.set).start()
    for thread in threads:
        thread.join(20)
    assert kept.get("a") == b"x" * 10
    assert kept.held == 10


def test_what_was_asked_for_last_stays_within_bounds() -> None:
    made: list[int] = []

    def make(key: Any) -> int:
        made.append(key)
        return 10

    kept = Kept(make, int, 25)
    for key in (1, 2, 1, 3, 1, 2):
        kept.get(key)
    assert made == [1, 2, 3, 2]
    assert kept.held == 20


def test_rows_of_a_tile_are_its_own_and_are_counted(desk: Desk) -> None:
    seen = desk.pictures.tile(3)
    assert len(seen.instances) == 12
    assert seen.instances.nbytes < 20_000
    assert seen.nbytes > seen.image.nbytes + seen.instances.nbytes
    buffers = [b for c in seen.instances.columns for k in c.chunks for b in k.buffers() if b]
    assert sum(b.size for b in buffers) < 60_000


class Slow:
    """Encodes when it is let."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.let = threading.Event()

    def encode(self, image: Any) -> int:
        self.let.wait(20)
        self.done.append(int(image[0, 0, 0]))
        return self.done[-1]


def mender(slow: Slow, kept: int = 3) -> Mender:
    def image(tile: int) -> Any:
        return np.full((1, 1, 3), tile, np.uint8)

    return Mender(lambda: slow, image, kept)  # type: ignore[arg-type, return-value]


def test_opened_tiles_are_encoded_before_likely_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samrs.review.clicks.QUIET", 0.0)
    slow = Slow()
    asked = mender(slow)
    asked.ahead([8, 9])  # waits for the segmenter
    asked.prepare(1)
    until(lambda: asked._opened is None)
    asked.prepare(2)
    asked.prepare(3)  # 2 is forgotten
    slow.let.set()
    until(lambda: len(slow.done) == 4)
    assert slow.done == [1, 3, 8, 9]
    asked.prepare(9)
    asked.ahead([3])
    until(lambda: not asked._next)
    assert slow.done == [1, 3, 8, 9]  # they are kept
    asked.close()


def test_likely_tiles_wait_for_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samrs.review.clicks.QUIET", 0.0)
    slow = Slow()
    slow.let.set()
    asked = mender(slow)
    asked.segmenter()
    with asked.busy():
        asked.ahead([5])
        asked.prepare(6)
        until(lambda: slow.done == [6])
        assert asked._next == [5]
    until(lambda: slow.done == [6, 5])
    asked.close()
