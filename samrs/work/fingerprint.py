"""The name of unfinished work: a hash of all that decides its result.

Work that is kept to go on with (labelled tiles, checkpoints, drawn training images) lies in a
folder of this name, so that a run finds what it would have made itself and nothing else. Code is
told by the files that the work imports, not by the modules that happen to be loaded: whatever else
a process does first, the name stays.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from samrs.core.shards import json_text, read_manifest, sha256
from samrs.work.lock import remove_idle

ROOT = Path(__file__).parents[2]
"""The folder that holds this package."""
PACKAGE = ("samrs",)
NAME = re.compile("[0-9a-f]{16}")


def fingerprint(
    parameters: Mapping[str, Any],
    *,
    code: Iterable[str],
    libraries: Iterable[str],
    inputs: Sequence[Path] = (),
) -> str:
    """Hash of parameters, inputs, code and libraries: 16 hex digits.

    Args:
        parameters: JSON values that decide the result; speed and places are left out.
        code: names of the modules that do the work; the files they import count with them.
            Modules that are loaded by name (``core/axis.py``) are named here.
        libraries: distributions whose version may change the result.
        inputs: files, told by their bytes, and products, told by their manifest, which holds the
            hashes of their shards.

    Raises:
        MissingInputError: a product has no manifest.
    """
    told = [
        dict(parameters),
        {path.relative_to(ROOT).as_posix(): sha256(path) for path in files_of(code)},
        {name: _version(name) for name in libraries},
        [sha256(path) if path.is_file() else read_manifest(path) for path in inputs],
    ]
    text = json_text(told, sort_keys=True, ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def prune_units(folder: Path, used: Collection[str]) -> None:
    """Remove unfinished work of other names than those in use, unless another process is at it.

    Args:
        folder: of folders named by fingerprints; what has another kind of name stays.
        used: names.
    """
    for place in folder.iterdir():
        if NAME.fullmatch(place.name) and place.name not in used:
            remove_idle(place)


def files_of(code: Iterable[str]) -> set[Path]:
    """The files of modules of this package and all of it that they import.

    Args:
        code: names of the modules.

    Raises:
        ValueError: there is no such module.
    """
    return closure(*(path for module in code for path in _own_files(module)))


def closure(*files: Path, packages: Sequence[str] = PACKAGE) -> set[Path]:
    """Files and all of ``packages`` that they import, directly or not."""
    seen: set[Path] = set()
    todo = list(files)
    while todo:
        file = todo.pop()
        if file not in seen:
            seen.add(file)
            todo += imports(file, packages=packages)
    return seen


def imports(file: Path, *, packages: Sequence[str] = PACKAGE) -> set[Path]:
    """The non-empty files of ``packages`` that a file imports itself, within functions too.

    Those of the packages that a module lies in are run before it and belong to them, but for the
    top one, which knows its version only.
    """
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            found.update(_files_of(name, packages))
    return {path for path in found if path.stat().st_size}


def _files_of(module: str, packages: Sequence[str]) -> Iterator[Path]:
    """The file of a module and those of the packages that it lies in."""
    if path := _file_of(module, packages):
        yield path
    words = module.split(".")
    for depth in range(2, len(words)):
        if path := _file_of(".".join(words[:depth]), packages):
            yield path


def _own_files(module: str) -> Iterator[Path]:
    """As ``_files_of``, of a module of this package, without empty ones.

    Raises:
        ValueError: there is none.
    """
    if _file_of(module, PACKAGE) is None:
        raise ValueError(
            f"fingerprint: no module of this project, got {module!r}; names such as samrs.pretrain "
            "are allowed; name the modules that do the work"
        )
    return (path for path in _files_of(module, PACKAGE) if path.stat().st_size)


def _file_of(module: str, packages: Sequence[str]) -> Path | None:
    """The file of a module of ``packages``; None for others, and for what is no module."""
    if module.split(".")[0] not in packages:
        return None
    path = ROOT.joinpath(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def _version(library: str) -> str | None:
    """The installed version, None where it is not installed."""
    try:
        return version(library)
    except PackageNotFoundError:
        return None
