"""The files of a dataset's folder: which there are, and which of them can be read.

What operating systems and editors leave in a folder is none of them. All else that is named like
a file counts as one, so that nothing vanishes: what then cannot be read (a link that leads
nowhere, a pipe, a folder of that name, an image whose name is not UTF-8) is set aside as a damaged
file is, by ``read_bytes`` and ``why_unreadable``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from samrs.core.errors import AnnotationError, MissingInputError

LEFTOVERS = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""Names of what archives and file managers leave behind; hidden names (``._a.jpg``) are others."""

_UNREADABLE = {
    errno.ENOENT: "nothing there, or a link that leads nowhere",
    errno.ENOTDIR: "nothing there, or a link that leads nowhere",
    errno.ELOOP: "a link that leads to itself",
    errno.ENXIO: "a socket or device",
    errno.EISDIR: "a folder",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
}
"""What a file may lack for itself; other errors are the machine's and are raised."""

AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
"""How to open a file to read: a pipe is opened at once though nobody writes to it."""

_PART = 2**20

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


def is_leftover(name: str) -> bool:
    """Whether a file or folder of that name is none of the dataset's."""
    return name.startswith(".") or name in LEFTOVERS


def printable(name: str) -> str:
    """A name that UTF-8 can write: bytes that are none of it become escapes such as udce9."""
    return name if name.isascii() else name.encode("utf-8", "backslashreplace").decode()


def files_below(folder: Path, suffixes: Collection[str], apart: Collection[str] = ()) -> list[Path]:
    """Files of a folder and all below it with one of the (lower-case) suffixes, sorted by path.

    Links to folders are followed, each folder once, so that a loop of links ends. Leftovers are not
    listed, nor is anything in a folder that is one. What has such a suffix and is no file is
    listed, too: links that lead nowhere, pipes, folders without any such file.

    Args:
        apart: names of further folders that are not entered.

    Raises:
        MissingInputError: a folder may not be read.
    """
    return [Path(path) for path in paths_below(folder, suffixes, apart)]


def paths_below(folder: Path, suffixes: Collection[str], apart: Collection[str] = ()) -> list[str]:
    """As ``files_below``, as text: a Path costs more to make than its file to find.

    Args:
        suffixes: lower-case, with the dot.
        apart: names of further folders that are not entered.

    Raises:
        MissingInputError: a folder may not be read.
    """
    found: list[str] = []
    named_so: list[str] = []
    for place, entries in _folders(folder, apart):
        before = f"{place.as_posix().rstrip('/')}/"
        for entry, is_folder in entries:
            if f".{entry.name.rpartition('.')[2].lower()}" in suffixes:
                (named_so if is_folder else found).append(before + entry.name)
    for path in named_so:
        if not any(other.startswith(f"{path}/") for other in found):
            found.append(path)
    return sorted(found, key=lambda path: path.replace("/", "\0"))  # as paths compare, but quick


def lost_links(root: Path) -> Iterator[tuple[Path, str]]:
    """Links that lead nowhere and are not named like a file, folders that is, and why in words."""
    for place, entries in _folders(root, ()):
        for entry, is_folder in entries:
            if not is_folder and "." not in entry.name and entry.is_symlink():
                path = place / entry.name
                if (why := why_unreadable(path)) is not None:
                    yield path, why


def _folders(
    folder: Path, apart: Collection[str]
) -> Iterator[tuple[Path, list[tuple[os.DirEntry[str], bool]]]]:
    """Each folder below one, itself too, with its entries and whether they are folders."""
    seen: set[tuple[int, int]] = set()
    todo = [folder] if folder.is_dir() else []
    while todo:
        place = todo.pop()
        status = place.stat()
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        try:
            with os.scandir(place) as scanned:
                entries = [
                    (entry, _is_folder(entry))
                    for entry in scanned
                    if not (is_leftover(entry.name) or entry.name in apart)
                ]
        except PermissionError as error:
            raise MissingInputError(
                f"{place}: folder cannot be read, got {error.strerror}; permission to read it is "
                "needed; grant it, or move the folder away"
            ) from error
        todo += [place / entry.name for entry, is_folder in entries if is_folder]
        yield place, entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def why_unreadable(path: Path) -> str | None:
    """What stands in the place of a file that can be read, in words; None where that is there."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        return _UNREADABLE[error.errno]
    if kind != stat.S_IFREG:
        return _KINDS.get(kind, "a device")
    return None if os.access(path, os.R_OK) else _UNREADABLE[errno.EACCES]


def read_bytes(path: Path | str, where: str) -> bytes:
    """What a file of annotations holds.

    Args:
        where: the file, for the error.

    Raises:
        AnnotationError: there is no file that can be read; nothing else is waited for or entered.
    """
    try:
        file = os.open(path, AT_ONCE)
        try:
            status = os.fstat(file)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFREG:
                return _whole(file, status.st_size)
            why = _KINDS.get(kind, "a device")
        finally:
            os.close(file)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        why = _UNREADABLE[error.errno]
    raise AnnotationError(
        f"{where}:1: file cannot be read, got {why}; a file is needed; put it there"
    )


def _whole(file: int, size: int) -> bytes:
    parts = [os.read(file, size + 1)]
    if len(parts[0]) == size:
        return parts[0]
    while part := os.read(file, _PART):  # a read gives 2 GiB at most
        parts.append(part)
    return b"".join(parts)
