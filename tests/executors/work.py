"""Work that executors do in tests: importable, so that another process can do it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from samrs.core.errors import ImageError


def squares() -> Callable[[int, float], int]:
    """A function of a number and of the seconds it takes."""

    def square(number: int, seconds: float) -> int:
        time.sleep(seconds)
        if number < 0:
            raise ImageError(f"{number}: is negative")
        return number * number

    return square


def once_deadly(mark: Path) -> Callable[[int], int]:
    """A function whose process dies the first time that it is asked for 3."""

    def square(number: int) -> int:
        if number == 3 and not mark.exists():
            mark.touch()
            os._exit(1)
        return number * number

    return square


def deadly_from(number: int) -> Callable[[int], int]:
    """A function whose process dies whenever it is asked for that number or a higher one."""

    def square(asked: int) -> int:
        if asked >= number:
            time.sleep(0.2)
            os._exit(1)
        return asked * asked

    return square


def unmade() -> Callable[[int], int]:
    """Work that cannot be made."""
    raise ImageError("weights: are missing")


def megabytes() -> Callable[[int], bytes]:
    """A function of a number that gives so large an answer that Ray leaves it where it was made."""

    def large(number: int) -> bytes:
        return bytes([number]) * 2**20

    return large


def in_pairs() -> Callable[[int], str]:
    """A function that ends only when it is at work twice at once; it gives its folder."""
    together = threading.Barrier(2, timeout=20)

    def meet(number: int) -> str:
        together.wait()
        return str(Path.cwd())

    return meet
