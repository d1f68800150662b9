"""Extras: what ``pip install 'samrs[label]'`` brings, and what is said where it is missing.

The layers stand in pyproject.toml, which an installed package carries as its metadata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from samrs.core.errors import MissingExtraError

PROJECTS = {"ruamel": "ruamel.yaml", "sklearn": "scikit-learn"}
"""Names of projects by those of their modules, where these differ by more than ``_`` and ``-``."""


@contextmanager
def named_extra() -> Iterator[None]:
    """Tell which extra brings a package that an import within finds missing.

    Raises:
        MissingExtraError: the package is one of an extra; of others the ImportError stays.
    """
    try:
        yield
    except ImportError as error:
        module = _missing(error)
        extra = extra_of(module) if module else None
        if extra is None:
            raise
        raise MissingExtraError(
            f"samrs: a package is not installed, got no module {module!r}; it comes with the extra "
            f"{extra}; run pip install 'samrs[{extra}]'"
        ) from error


def extra_of(module: str) -> str | None:
    """The first extra that brings a module; None for modules of the base, and for unknown ones."""
    from importlib.metadata import PackageNotFoundError, requires  # slow, and for errors only

    project = PROJECTS.get(module, module).replace("_", "-")
    try:
        wanted = requires("samrs") or []
    except PackageNotFoundError:  # a checkout that is not installed
        return None
    for requirement in wanted:
        found = re.match(r"([\w.-]+).*;\s*extra == ['\"](\w+)['\"]", requirement)
        if found and found[1].lower().replace("_", "-") == project:
            return found[2]
    return None


def _missing(error: BaseException | None) -> str | None:
    """The top-level module that an import error, or what led to it, found missing."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            return error.name.partition(".")[0]
        error = error.__cause__ or error.__context__
    return None
