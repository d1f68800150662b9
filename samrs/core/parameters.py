"""YAML: how it is read and written; params.yaml: how its sections are checked.

A library function's keyword-only signature is the schema of its section.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from io import StringIO
from pathlib import Path
from typing import Any, TypeGuard

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from samrs.core.errors import MissingInputError, ParameterError, advice
from samrs.core.jobs import DEVICES

PARAMS = "params.yaml"
LEVELS, VALUES = 16, 20_000
"""More in a YAML file is refused before it takes time and memory."""

BAD_YAML = (YAMLError, ValueError, RecursionError)
"""What ``load_yaml`` raises."""

_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*( [\w./+-]+)*", re.ASCII)
_WORDS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
_TEXT = "tag:yaml.org,2002:str"


def load_yaml(text: str | bytes, *, as_text: bool = False) -> Any:
    """The values of a YAML file: YAML 1.2, as DVC reads it.

    Args:
        text: the file's.
        as_text: every scalar is the text that stands there, so that no version of YAML decides
            whether ``yes``, ``010`` or ``1e3`` is a word.

    Raises:
        YAMLError, ValueError, RecursionError: it is no YAML, or holds aliases, which may stand for
            any number of values, tags, which ask for types, or more than a person writes.
    """
    reader = YAML(typ="base", pure=True) if as_text else YAML(typ="safe")
    level = 0
    for count, event in enumerate(reader.parse(text)):
        level += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent) or level > LEVELS or count > VALUES:
            raise ValueError(f"an alias, more than {LEVELS} levels or {VALUES:,} values")
        if getattr(event, "tag", None) not in (None, "!", _TEXT):
            raise ValueError(f"the tag {event.tag}")
    return reader.load(text)


def yaml_text(value: Mapping[str, Any]) -> str:
    """A mapping as YAML that 1.1 and 1.2 read alike: what might be no text for one is quoted.

    Args:
        value: mappings, lists, texts, numbers, truth values and None.
    """
    writer, out = YAML(), StringIO()
    writer.width = 1000
    writer.dump(_quoted(value), out)
    return out.getvalue()


def _quoted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_quoted(inner) for inner in value]
    if isinstance(value, str) and (not _PLAIN.fullmatch(value) or value.lower() in _WORDS):
        return DoubleQuotedScalarString(value)
    return value


def parse_parameters(content: bytes) -> dict[str, Any]:
    """The content of params.yaml as nested values; see ``load_yaml``.

    Raises:
        ParameterError: it is no YAML mapping.
    """
    try:
        values = load_yaml(content)
    except BAD_YAML as error:
        said = " ".join(str(error).split())
        raise ParameterError(
            f"params.yaml: unreadable, got {type(error).__name__}, {said:.160}; YAML is allowed; "
            "mend it"
        ) from error
    if not isinstance(values, dict):
        raise ParameterError(
            f"params.yaml: no parameters, got {type(values).__name__}; a mapping is allowed; "
            "write `name: value` lines"
        )
    return values


def read_parameters(root: Path) -> dict[str, Any]:
    """params.yaml of a checkout as nested values.

    Raises:
        MissingInputError: there is none.
        ParameterError: it is no YAML mapping.
    """
    try:
        content = (root / PARAMS).read_bytes()
    except FileNotFoundError:
        raise MissingInputError(
            f"{root / PARAMS}: missing, got nothing there; the parameters of a checkout are "
            "needed; run this in the project's folder"
        ) from None
    return parse_parameters(content)


def check_runtime(
    *,
    executor: str,
    device: str,
    devices: int,
    threads: int | None,
    workers: int,
    tensorboard: bool,
    downloads: int,
) -> None:
    """Check the values of the section ``runtime``, whose schema this signature is.

    Args:
        executor: a file of ``samrs/executors``.
        device: one of ``DEVICES``.
        devices: GPUs that train one network together.
        threads: CPU cores, and so tiles labelled at once; None: all.
        workers: processes that read crops for training; 0 reads in the training process.
        tensorboard: whether trainings write its files beside ``log.csv``.
        downloads: files fetched at the same time.

    Raises:
        ParameterError: a value is not allowed.
    """
    if device not in DEVICES:
        raise ParameterError(
            f"params.yaml: unknown device, got runtime.device = {device!r}; {', '.join(DEVICES)} "
            f"are allowed; {advice(device, DEVICES, 'correct it')}"
        )
    if devices < 1:
        raise ParameterError(
            f"params.yaml: too few, got runtime.devices = {devices}; at least 1 is allowed; "
            "correct it"
        )
    if threads is not None and threads < 1:
        raise ParameterError(
            f"params.yaml: too few, got runtime.threads = {threads}; at least 1, or null for all "
            "cores, is allowed; correct it"
        )


def fits(value: Any, kind: Any) -> bool:
    """Whether a value of a YAML file is of a type.

    Args:
        value: any.
        kind: as a signature has it, e.g. ``Sequence[float] | None``.
    """
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is inspect.Parameter.empty:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, k) for k in inner)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(v, inner[1]) for v in value.values())
    if origin is not None and issubclass(origin, Sequence):
        return isinstance(value, list | tuple) and all(fits(v, inner[0]) for v in value)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def word(kind: Any) -> str:
    """A type in words.

    Args:
        kind: as a signature has it.
    """
    return kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")


def _keywords(function: Callable[..., Any]) -> dict[str, Any]:
    """The type of each keyword-only parameter."""
    hints = typing.get_type_hints(function)
    found = inspect.signature(function).parameters.items()
    return {name: hints.get(name, Any) for name, p in found if p.kind is p.KEYWORD_ONLY}


def _is_group(kind: Any) -> TypeGuard[type]:
    """Whether a type stands for its keyword-only fields; one made otherwise is a value."""
    return isinstance(kind, type) and is_dataclass(kind) and bool(_keywords(kind))


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The type of each parameter of the section that a function takes, by its name.

    Args:
        function: each keyword-only parameter is one; a dataclass among them stands for its fields.
    """
    found: dict[str, Any] = {}
    for name, kind in _keywords(function).items():
        found.update(schema(kind) if _is_group(kind) else {name: kind})
    return found


def grouped(function: Callable[..., Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a section as keywords of its function: dataclasses are made of their fields.

    Args:
        section: what ``check_section`` gave.

    Raises:
        ParameterError: a dataclass refuses its fields.
    """
    keywords = _keywords(function)
    groups = {name: schema(kind) for name, kind in keywords.items() if _is_group(kind)}
    values = {name: value for name, value in section.items() if name in keywords}
    for name, fields in groups.items():
        values[name] = keywords[name](**{field: section[field] for field in fields})
    return values


def check_section(
    function: Callable[..., Any], section: Mapping[str, Any], where: str, given: Sequence[str] = ()
) -> dict[str, Any]:
    """Check a section of params.yaml against the keyword-only parameters of a function.

    Args:
        function: see ``schema``.
        section: the values.
        where: the section's name, for the error.
        given: keyword-only parameters that do not come from this section.

    Returns:
        The section, to be passed as keywords; see ``grouped``.

    Raises:
        ParameterError: a parameter is missing, unknown, or of the wrong type, with its name.
    """
    allowed = {name: kind for name, kind in schema(function).items() if name not in given}
    listed = ", ".join(allowed)
    for name in section:
        if name not in allowed:
            raise ParameterError(
                f"params.yaml: unknown parameter, got {where}.{name}; {listed} are allowed; "
                + advice(name, allowed, "correct or remove it")
            )
    for name, kind in allowed.items():
        if name not in section:
            raise ParameterError(
                f"params.yaml: missing parameter, got {where} without {name}; {listed} are needed; "
                f"add {where}.{name}"
            )
        if not fits(section[name], kind):
            raise ParameterError(
                f"params.yaml: wrong type, got {where}.{name} = {section[name]!r}; "
                f"{word(kind)} is allowed; correct it"
            )
    return dict(section)
