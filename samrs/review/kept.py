"""Values that threads ask for, made once and kept within bounds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What was asked for last, made once however many ask at the same time.

    Args:
        make: makes the value of a key.
        size: bytes of a value.
        most: bytes that are kept; the value that was asked for last stays whatever it takes.

    Attributes:
        held: bytes that are kept now.
    """

    def __init__(self, make: Callable[[Any], T], size: Callable[[T], int], most: int) -> None:
        self._make, self._size, self._most = make, size, most
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self.held = 0
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable) -> T:
        """The value of a key, kept or made.

        Args:
            key: what ``make`` takes.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            try:
                value = self._make(key)
            except BaseException:
                with self._lock:
                    self._making.pop(key, None)
                raise
            with self._lock:  # who asks from now on finds it, and makes none
                self._making.pop(key, None)
                self._drop(key)  # made twice where the first to make it failed
                self._values[key] = value
                self.held += self._size(value)
                while self.held > self._most and len(self._values) > 1:
                    self._drop(next(iter(self._values)))
            return value

    def _drop(self, key: Hashable) -> None:
        if key in self._values:
            self.held -= self._size(self._values.pop(key))

    def has(self, key: Hashable) -> bool:
        """Whether the value of a key is kept."""
        with self._lock:
            return key in self._values
