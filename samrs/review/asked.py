"""What the page asks with, checked: anything else is refused."""

from __future__ import annotations

import json
import math
from typing import Any

from samrs.core.errors import ParameterError, SamrsError
from samrs.corrections.records import Box
from samrs.review.clicks import Point

MOST_POINTS = 1000
"""Clicks on a mask, or corners of a drawn one."""


class Refused(SamrsError):
    """A request that the page does not make."""


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise odd("body", "no JSON object")
    return found


def odd(name: str, got: Any) -> Refused:
    """What to raise for something that the page does not send.

    Args:
        name: of what is odd.
        got: the odd value.
    """
    return Refused(
        f"review: {name} is not what the page sends, got {str(got)[:80]!r}; what the page sends is "
        "allowed; load it again"
    )


def text(asked: dict[str, Any], name: str) -> str:
    """A line of text; empty where it is not there.

    Args:
        asked: the body.
    """
    value = asked.get(name, "")
    if not isinstance(value, str) or len(value) > 1000 or any(ord(c) < 32 for c in value):
        raise odd(name, value)
    return value


def integer(asked: dict[str, Any], name: str) -> int:
    """A whole number.

    Args:
        asked: the body.
    """
    value = asked.get(name)
    if type(value) is not int:
        raise odd(name, value)
    return value


def number_or(word: str | None, otherwise: float) -> float:
    """The number that a word of the address is.

    Args:
        otherwise: where there is none.
    """
    if word is None or word == "":
        return otherwise
    try:
        value = float(word)
    except ValueError:
        raise odd("number", word) from None
    if math.isnan(value):
        raise odd("number", word)
    return value


def _floats(value: Any, count: int) -> bool:
    plain = isinstance(value, list) and len(value) == count
    return plain and all(type(v) in (int, float) and abs(v) < 1e6 for v in value)


def points(asked: dict[str, Any], name: str) -> list[Point]:
    """Points (x, y) in tile px; 3 or more of a polygon.

    Args:
        asked: the body.
    """
    value = asked.get(name)
    if not isinstance(value, list) or len(value) > MOST_POINTS:
        raise odd(name, value)
    if not all(_floats(point, 2) for point in value):
        raise odd(name, value)
    if name == "polygon" and len(value) < 3:
        raise ParameterError(
            f"review: no area, got {len(value)} corners; 3 or more are allowed; draw on"
        )
    return [(float(x), float(y)) for x, y in value]


def question(asked: dict[str, Any]) -> tuple[list[Point], list[Point], Box | None]:
    """What a segmenter is asked with: points on the object, points beside it, and a box.

    Args:
        asked: the body.
    """
    positive, negative, box = points(asked, "positive"), points(asked, "negative"), box_of(asked)
    if not positive and box is None:
        raise ParameterError(
            "review: nothing to ask with, got no box and no point on the object; one of them is "
            "needed; click on the object, or draw a box around it"
        )
    return positive, negative, box


def polygons(asked: dict[str, Any]) -> list[Any]:
    """Polygons, whose points are not looked at.

    Args:
        asked: the body.
    """
    value = asked.get("polygons")
    if not isinstance(value, list) or not 1 <= len(value) <= 100:
        raise odd("polygons", value)
    return value


def box_of(asked: dict[str, Any]) -> Box | None:
    """A box xyxy in tile px; None without one.

    Args:
        asked: the body.
    """
    value = asked.get("box")
    if value is None:
        return None
    if not _floats(value, 4) or not (value[0] < value[2] and value[1] < value[3]):
        raise odd("box", value)
    x0, y0, x1, y1 = (float(v) for v in value)
    return x0, y0, x1, y1
