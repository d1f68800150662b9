"""A dataset of one's own in params.yaml: checked first, added and removed in all its sections."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import CommentMark
from ruamel.yaml.tokens import CommentToken

from samrs.core.errors import MissingInputError, ParameterError
from samrs.look.look import Found, check_name, look
from samrs.normalize.normalize import normalize
from samrs.work.kept import write_whole

KEEP = ".gitkeep"
SECTIONS = ("datasets", "subsets", "normalize")


def add(
    params: Path,
    format: str,
    folder: Path,
    name: str,
    *,
    tile: int | None = None,
    overlap: int | None = None,
    val: float = 0.0,
    options: Mapping[str, Any] | None = None,
) -> Found:
    """Add a dataset to params.yaml, whose comments stay.

    Args:
        params: the file; its folder is the project's.
        format: a folder of ``samrs/datasets``.
        folder: where the dataset lies; read where it is, never copied.
        name: what it is called from now on: in stages, products, cards and exports.
        tile: as of ``Found.cut``, as are ``overlap`` and ``val``.
        options: of the format's reader.

    Returns:
        What was found in the folder.

    Raises:
        ParameterError: the name is taken, or is none that a stage or folder can have.
        MissingInputError, AnnotationError, UnknownNameError: as ``look``.
    """
    check_name(name)
    yaml, values = _read(params)
    taken = {*values["datasets"], *values["subsets"], *values["subsets"].values()}
    if name in taken:
        raise ParameterError(
            f"{params}: name is taken, got {name!r}; a name other than "
            f"{', '.join(sorted(taken))} is allowed; choose one with --name"
        )
    found = look(format, folder, options)
    cut = {**found.cut(tile, overlap, val), "options": _plain(options)}
    given = inspect.signature(normalize).parameters
    section = CommentedMap({key: cut[key] for key in given if key in cut})
    _append(values["datasets"], name, CommentedMap(format=format, path=_path(folder, params)))
    _append(values["subsets"], name, name)
    _append(values["normalize"], name, section)
    _write(params, yaml, values)
    folder = corrections(params.parent, name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEEP).touch()
    return found


def corrections(project: Path, name: str) -> Path:
    """Where people's corrections of a dataset lie in a project.

    Args:
        project: the folder of params.yaml.
        name: of the dataset.
    """
    return project / "data" / "corrections" / name


def remove(params: Path, name: str) -> None:
    """Take a dataset out of params.yaml again; its files and corrections stay where they are.

    Raises:
        ParameterError: it is not one that ``add`` added.
    """
    yaml, values = _read(params)
    own = [key for key in values["datasets"] if key not in values["download"]]
    if name not in own:
        raise ParameterError(
            f"{params}: no dataset of one's own, got {name!r}; {', '.join(own) or 'none'} can be "
            "removed; correct the name"
        )
    for section in SECTIONS:
        _drop(values[section], name)
    _write(params, yaml, values)
    folder = corrections(params.parent, name)
    if folder.is_dir() and [path.name for path in folder.iterdir()] == [KEEP]:  # nobody said a word
        (folder / KEEP).unlink()
        folder.rmdir()


def _append(section: CommentedMap, name: str, value: Any) -> None:
    """Add an entry at the end of a section; what stands behind the section stays behind it."""
    behind = _take_behind(section, next(reversed(section)))
    section[name] = value
    _put_behind(section, name, behind)


def _drop(section: CommentedMap, name: str) -> None:
    """Remove an entry of a section; what stands behind the section stays behind it."""
    if name not in section:
        return
    behind = _take_behind(section, name) if next(reversed(section)) == name else None
    del section[name]
    if section:
        _put_behind(section, next(reversed(section)), behind)


def _leaf(section: CommentedMap, key: str) -> tuple[CommentedMap, str]:
    """The last line of an entry: where ruamel keeps the blank lines and comments that follow it."""
    while isinstance(section[key], CommentedMap):
        section, key = section[key], next(reversed(section[key]))
    return section, key


def _take_behind(section: CommentedMap, key: str) -> str | None:
    """Lines that follow an entry, taken from it; a comment on its own last line stays."""
    owner, leaf = _leaf(section, key)
    token = owner.ca.items[leaf][2] if leaf in owner.ca.items else None
    if token is None:
        return None
    own, _, behind = token.value.partition("\n")
    if own.strip():
        token.value = own + "\n"
    else:
        del owner.ca.items[leaf]
    return behind or None


def _put_behind(section: CommentedMap, key: str, behind: str | None) -> None:
    if behind is None:
        return
    owner, leaf = _leaf(section, key)
    if leaf in owner.ca.items:
        owner.ca.items[leaf][2].value += behind
    else:
        mark = CommentMark(0)
        owner.ca.items[leaf] = [None, None, CommentToken("\n" + behind, mark, None), None]


def _plain(options: Mapping[str, Any] | None) -> CommentedMap | None:
    """Options as a mapping of YAML, lists in a line; None without."""
    if not options:
        return None
    found = CommentedMap()
    for name, value in options.items():
        found[name] = value
        if isinstance(value, list):
            found[name] = CommentedSeq(value)
            found[name].fa.set_flow_style()
    return found


def _path(folder: Path, params: Path) -> str:
    """The folder as params.yaml holds it: relative where it lies in the project."""
    project, whole = params.resolve().parent, folder.resolve()
    return (whole.relative_to(project) if whole.is_relative_to(project) else whole).as_posix()


def _read(params: Path) -> tuple[YAML, CommentedMap]:
    if not params.is_file():
        raise MissingInputError(
            f"{params}: no such file, got a folder without a project; a checkout of the project is "
            "needed; run this in it"
        )
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    null = "tag:yaml.org,2002:null", "null"
    yaml.representer.add_representer(type(None), lambda of, _: of.represent_scalar(*null))
    values: CommentedMap = yaml.load(params.read_text(encoding="utf-8"))
    return yaml, values


def _write(params: Path, yaml: YAML, values: CommentedMap) -> None:
    text = StringIO()
    yaml.dump(values, text)
    write_whole(params, text.getvalue().encode())
