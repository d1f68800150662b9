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
    """

    def __init__(self, make: Callable[[Any], T], size: Callable[[T], int], most: int) -> None:
        self._make, self._size, self._most = make, size, most
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._held = 0
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
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._values[key] = value
                self._held += self._size(value)
                while self._held > self._most and len(self._values) > 1:
                    self._held -= self._size(self._values.popitem(last=False)[1])
            return value
