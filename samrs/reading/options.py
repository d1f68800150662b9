"""What a user tells a reader beside the folder: options, checked by the reader's own list of them.

A reader that takes options has a dataclass ``Options``, all of whose fields have defaults, and its
functions take one as keyword ``options``. In params.yaml they stand in ``normalize.NAME.options``,
on the command line as ``--option KEY=VALUE``.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from samrs.core.errors import ParameterError, advice
from samrs.core.parameters import BAD_YAML, fits, load_yaml, word


def keywords(reader: ModuleType, format: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keywords for the functions of a reader: its options, or none.

    Args:
        reader: module ``read`` of the format.
        format: its name, for errors.
        given: options by name, with values as params.yaml has them.

    Raises:
        ParameterError: one is unknown, of the wrong type, or not allowed.
    """
    schema = getattr(reader, "Options", None)
    given = given or {}
    types = {} if schema is None else typing.get_type_hints(schema)
    for name, value in given.items():
        if name not in types:
            raise _unknown(format, name, list(types))
        if not fits(value, types[name]):
            raise ParameterError(
                f"options of {format}: wrong type, got {name} = {value!r}; {word(types[name])} is "
                "allowed; correct it"
            )
    return {} if schema is None else {"options": schema(**given)}


def parsed(reader: ModuleType, format: str, told: Sequence[str]) -> dict[str, Any]:
    """Options as they are told on a command line, with values as params.yaml has them.

    Args:
        reader: module ``read`` of the format.
        format: its name, for errors.
        told: each ``KEY=VALUE``; a list may be told as ``4,3,2``.

    Raises:
        ParameterError: one is unknown, told twice, or does not parse.
    """
    schema = getattr(reader, "Options", None)
    types = {} if schema is None else typing.get_type_hints(schema)
    found: dict[str, Any] = {}
    for text in told:
        name, sign, value = text.partition("=")
        if name not in types:
            raise _unknown(format, name, list(types))
        if not sign or name in found:
            raise ParameterError(
                f"options of {format}: does not parse, got {text!r}{' again' if sign else ''}; "
                "each once as KEY=VALUE is allowed; correct it"
            )
        found[name] = _value(value, types[name], format, text)
    keywords(reader, format, found)
    return found


def _value(value: str, kind: Any, format: str, text: str) -> Any:
    if fits("", kind):  # a word: 07 and yes stay as they are
        return value
    if not value.startswith("[") and fits([], kind):
        listed = value.split(",")
        value = f"[{value}]"
        if fits([""], kind):
            return [part.strip() for part in listed if part.strip()]
    try:
        return load_yaml(value)
    except BAD_YAML as error:
        raise ParameterError(
            f"options of {format}: does not parse, got {text!r}; a value as in params.yaml is "
            "allowed; correct it"
        ) from error


def _unknown(format: str, name: str, allowed: list[str]) -> ParameterError:
    if not allowed:
        return ParameterError(
            f"options of {format}: takes none, got {name!r}; no option is allowed; leave it out"
        )
    return ParameterError(
        f"options of {format}: unknown option, got {name!r}; {', '.join(allowed)} are allowed; "
        + advice(name, allowed, "correct or remove it")
    )
