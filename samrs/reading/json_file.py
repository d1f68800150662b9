"""JSON from strangers: one error for all that is none."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from samrs.core.errors import AnnotationError
from samrs.reading.annotations import read_text
from samrs.reading.segmentation import LARGEST_SIDE


def read_json(
    path: Path,
    where: str,
    wanted: str,
    keep: Callable[[dict[str, Any]], Any] | None = None,
) -> Any:
    """The value of a JSON file.

    Args:
        where: what to name in errors.
        wanted: what is allowed, in words.
        keep: called with each object, innermost first; what it returns stands there instead.

    Raises:
        AnnotationError: it is no text, or no JSON.
    """
    try:
        return json.loads(read_text(path, where), object_hook=keep)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits
        line = getattr(error, "lineno", 1)
        raise AnnotationError(
            f"{where}:{line}: not JSON, got {getattr(error, 'msg', error)}; {wanted} is "
            "allowed; correct the file"
        ) from error


def read_lists(
    path: Path,
    where: str,
    wanted: str,
    lists: Sequence[str],
    keep: Callable[[dict[str, Any]], Any] | None = None,
) -> dict[str, Any]:
    """The object of a JSON file, which holds lists.

    Args:
        where: what to name in errors.
        wanted: what such a file is called.
        lists: the keys that must hold one.
        keep: see ``read_json``.

    Raises:
        AnnotationError: it is no text, no JSON, or no such object.
    """
    data = read_json(path, where, wanted, keep)
    if isinstance(data, dict) and all(isinstance(data.get(key), list) for key in lists):
        return data
    got = reprlib.repr(sorted(data)) if isinstance(data, dict) else type(data).__name__
    raise AnnotationError(
        f"{where}:1: not {wanted}, got {got}; an object with "
        f"{'lists' if len(lists) > 1 else 'a list'} {', '.join(lists)} is allowed; correct the "
        "file or move it away"
    )


def whole_number(entry: Any, key: str) -> int | None:
    """A whole number that an object holds, also written as 1.0; None where it holds none.

    Args:
        entry: the object, or whatever stands in its place.
    """
    value = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def declared_size(
    entry: Any, width: str = "width", height: str = "height"
) -> tuple[int, int] | None:
    """Width and height in px that an object says of its image; None where it says none.

    Args:
        entry: the object, or whatever stands in its place.
        width: the key of the width.
        height: that of the height.
    """
    sides = [whole_number(entry, key) for key in (width, height)]
    known = [side for side in sides if side is not None and 0 < side <= LARGEST_SIDE]
    return (known[0], known[1]) if len(known) == 2 else None
