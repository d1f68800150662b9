"""Axes as folders: a value of an axis is a module found by its name, so a new value is a new file.

``load("samrs.datasets", "dota")`` imports ``samrs/datasets/dota.py``; there is no registry to edit.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from samrs.core.errors import UnknownNameError


def names(axis: str) -> tuple[str, ...]:
    """The values of an axis (a package such as ``samrs.datasets``), sorted."""
    package = importlib.import_module(axis)
    return tuple(sorted(m.name for m in pkgutil.iter_modules(package.__path__)))


def load(axis: str, name: str) -> ModuleType:
    """The module of one value of an axis.

    Raises:
        UnknownNameError: no file of that name lies in the axis' folder.
    """
    allowed = names(axis)
    if name not in allowed:
        word = axis.rsplit(".", 1)[-1]
        raise UnknownNameError(
            f"{word}: unknown name, got {name!r}; allowed are {', '.join(allowed)}; "
            f"use one of these or add {axis.replace('.', '/')}/{name}.py"
        )
    return importlib.import_module(f"{axis}.{name}")
