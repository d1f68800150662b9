"""The page of the parameters, from params.yaml and the functions that read it."""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from samrs.check.schema import SECTIONS, Section, allowed_names
from samrs.core.parameters import check_runtime, read_parameters, schema
from tools.docs.docstrings import arguments
from tools.docs.text import ROOT, table

ELSEWHERE = (
    "samrs.training.settings",
    "samrs.training.loop",
    "samrs.training.networks",
    "samrs.training.evaluation",
    "samrs.release.thresholds",
)
"""Modules whose classes explain the arguments that two trainings share."""
TOP = {
    "datasets": "the datasets by name: `format`, a folder of `samrs/datasets/`, and `path`, where "
    "its files lie; `samrs add` writes an entry for your own",
    "subsets": "the subset made of a dataset, by the dataset's name: what is labelled and released",
    "benchmarks": "the datasets that pre-training is tested on",
    "guard": "how much worse a pull request may make a metric, in its own unit; no stage reads it",
}
"""Keys of params.yaml that no function takes."""


def _kind(function: Callable[..., Any], name: str) -> str:
    """The type of an argument as in params.yaml."""
    hint = schema(function)[name]
    origin = typing.get_origin(hint)
    if isinstance(hint, type) and origin is None:
        return hint.__name__
    if isinstance(origin, type) and origin.__module__ == "collections.abc":
        kinds = typing.get_args(hint)
        return "mapping" if len(kinds) > 1 else f"list of {kinds[0].__name__}"
    words = [
        getattr(inner, "__name__", str(inner)).replace("Mapping", "mapping")
        for inner in typing.get_args(hint)
    ]
    return " or ".join("null" if word == "NoneType" else word for word in words)


def _meaning(function: Callable[..., Any], name: str) -> str:
    """What an argument is, from the function's docstring or where that points."""
    said = arguments(function.__doc__).get(name, "")
    if said and not said.startswith(("see ``samrs", "as in ``samrs")):
        return said
    for module in map(importlib.import_module, ELSEWHERE):
        for _, found in inspect.getmembers(module, inspect.isclass):
            if found.__module__ == module.__name__ and name in (own := arguments(found.__doc__)):
                return own[name]
    raise ValueError(
        f"{function.__module__}.{function.__qualname__}: a parameter without meaning, "
        f"got {name}; a line under Args is needed; write it"
    )


def _value(value: Any) -> str:
    """A value as it stands in params.yaml."""
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return f"`{yaml.safe_dump(value).splitlines()[0]}`"


def _row(
    function: Callable[..., Any], name: str, value: Any, allowed: Iterable[Any] = ()
) -> tuple[str, str, str, str]:
    """Name, meaning, value and type of an argument.

    Args:
        allowed: the names that are allowed, where it is a name or a list of names.
    """
    meaning = re.sub(r"\bNone\b", "null", _meaning(function, name))
    if listed := ", ".join(f"`{item}`" for item in allowed):
        meaning = f"{meaning} Allowed: {listed}."
    return f"`{name}`", meaning, _value(value), _kind(function, name)


def _rows(
    function: Callable[..., Any],
    leave_out: tuple[str, ...],
    params: Mapping[str, Any],
    where: str,
    below: str = "",
) -> list[tuple[str, str, str, str]]:
    """A row for each parameter of a section.

    Args:
        leave_out: arguments that do not come from this section.
        where: the section.
        below: the dataset whose values are shown, where it has one section for each.
    """
    allowed, place = allowed_names(params), f"{where}.{below}" if below else where
    values = params[where][below] if below else params[where]
    return [
        _row(function, name, values[name], allowed.get(f"{place}.{name}", ()))
        for name in schema(function)
        if name not in leave_out
    ]


def _section(section: Section, params: Mapping[str, Any]) -> list[str]:
    function = getattr(importlib.import_module(section.module), section.function)
    below = ""
    title = f"## {section.stage}"
    read = f"Read by `{section.module}.{section.function}`."
    if section.each:
        below = next(iter(params[section.stage]))
        kind = "benchmark" if section.each == "benchmarks" else "dataset"
        title += f".<{kind}>"
        read += f" One section for each {kind}; the values are those of `{below}`."
    rows = _rows(function, (*section.given, *section.top), params, section.stage, below)
    return [title, read, table(("parameter", "meaning", "value", "type"), rows)]


def page() -> str:
    """``docs/reference/parameters.md``."""
    params = read_parameters(ROOT)
    top: dict[str, tuple[str, str, str, str]] = {}
    for section in SECTIONS:
        function = getattr(importlib.import_module(section.module), section.function)
        said = arguments(function.__doc__)
        for name in section.top:
            if not said[name].startswith("as in ``samrs"):
                top[name] = _row(function, name, params[name], allowed_names(params).get(name, ()))
    parts = [
        "# Parameters",
        "Every value of `params.yaml`. Type and meaning are those of the argument that takes it; "
        "`samrs check` compares the file with them. Change a value in the file, or for one run "
        "with `dvc exp run -S prompt=rbox`; what depends on it reruns and nothing else.",
        "## Top level",
        table(("parameter", "meaning", "value", "type"), top.values()),
        table(("section", "meaning"), [(f"`{name}`", text) for name, text in TOP.items()]),
    ]
    for section in SECTIONS:
        if section.own:
            parts += _section(section, params)
    runtime = _rows(check_runtime, (), params, "runtime")
    parts += [
        "## runtime",
        "Speed and placement: no stage depends on it.",
        table(("parameter", "meaning", "value", "type"), runtime),
    ]
    return "\n\n".join(parts) + "\n"
