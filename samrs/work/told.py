"""Values as bytes, to be hashed: what differs is told apart, and nothing is told in short."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any

import numpy as np

PLAIN = (str, int, float, bool, type(None))
"""What its representation tells."""


def told(value: Any) -> Iterator[bytes]:
    """A value as bytes that no other value has: texts and arrays stand behind their sizes.

    Args:
        value: a number, text or array, or a dataclass, mapping or sequence of such.

    Raises:
        TypeError: it holds something else.
    """
    kind = type(value)
    if kind in PLAIN:
        text = repr(value).encode("utf-8", "surrogatepass")
        yield len(text).to_bytes(8, "big") + text
    elif isinstance(value, np.ndarray | np.generic):
        yield from told(f"{value.dtype.str} {value.shape}")
        yield value.tobytes()
    elif is_dataclass(value):
        yield from told([getattr(value, name) for name in _names(value.__class__)])
    elif isinstance(value, Mapping):
        yield from told([item for pair in value.items() for item in pair])
    elif isinstance(value, Sequence | PurePath):
        items = [str(value)] if isinstance(value, PurePath) else value
        yield from told(len(items))
        for item in items:
            yield from told(item)
    else:
        raise TypeError(f"told: no way to tell values of {kind} apart, got {value!r}")


@lru_cache
def _names(kind: Any) -> tuple[str, ...]:
    """Names of the fields of a dataclass."""
    return tuple(field.name for field in fields(kind))
