"""JSON from strangers: one error for all that is none."""

from __future__ import annotations

import json
from collections.abc import Callable
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
