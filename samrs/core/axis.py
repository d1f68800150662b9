"""Axes as folders: a value of an axis is a module found by its name, so a new value is a new file.

``load("samrs.prompts", "hbox")`` imports ``samrs/prompts/hbox.py``; where a value has several
modules it is a folder: ``load("samrs.datasets", "dota", "read")`` imports
``samrs/datasets/dota/read.py``. There is no registry to edit.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from samrs.core.errors import UnknownNameError, advice, named_extra


def names(axis: str, part: str | None = None) -> tuple[str, ...]:
    """The values of an axis (a package such as ``samrs.datasets``), sorted.

    Args:
        part: only those that have this module, e.g. ``demo``.
    """
    package = importlib.import_module(axis)
    found = sorted(m.name for m in pkgutil.iter_modules(package.__path__))
    return tuple(n for n in found if part is None or find_spec(f"{axis}.{n}.{part}") is not None)


def load(axis: str, name: str, part: str | None = None) -> ModuleType:
    """The module of one value of an axis, or one of its modules.

    Args:
        part: which, where a value of this axis is a folder, e.g. ``read``.

    Raises:
        UnknownNameError: no file of that name lies in the axis' folder.
        MissingExtraError: it needs a package of an extra that is not installed.
    """
    allowed = names(axis, part)
    if name not in allowed:
        word = axis.rsplit(".", 1)[-1]
        path = f"{axis.replace('.', '/')}/{name}{f'/{part}' if part else ''}.py"
        raise UnknownNameError(
            f"{word}: unknown name, got {name!r}; allowed are {', '.join(allowed)}; "
            + advice(name, allowed, f"use one of these or add {path}")
        )
    with named_extra():
        return importlib.import_module(_module(axis, name, part))


def docstring(axis: str, name: str, part: str | None = None) -> str:
    """What a module of an axis says of itself, read without importing what it needs.

    Args:
        part: as ``load`` takes it.
    """
    found = find_spec(_module(axis, name, part))
    if found is None or found.origin is None:
        return ""
    return ast.get_docstring(ast.parse(Path(found.origin).read_text(encoding="utf-8"))) or ""


def _module(axis: str, name: str, part: str | None) -> str:
    return ".".join(filter(None, (axis, name, part)))
