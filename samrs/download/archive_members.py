"""What an archive says it holds: each member's checked name, kind and size, before any is unpacked.

Refused are names that leave the folder, links and devices, and headers that swell beyond reason.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from samrs.core.errors import ArchiveError

CHUNK = 2**20
LONGEST_NAME = 255
"""Bytes of one part of a name that file systems take."""


@dataclass(frozen=True)
class Limits:
    """What an archive may swell to.

    Args:
        members: number of files and folders.
        total: bytes of all members together.
        ratio: unpacked bytes per packed byte of the whole archive. Potsdam's colour labels, the
            most compressible of the official archives, reach about 200; deflate's most is 1032.
        ratio_from: unpacked bytes below which the ratio does not matter.
    """

    members: int = 2_000_000
    total: int = 2**40
    ratio: float = 400.0
    ratio_from: int = 64 * 2**20


LIMITS = Limits()


@dataclass(frozen=True)
class Member:
    """A file of an archive: its checked place below the target, its size in bytes, its reader."""

    name: str
    place: PurePosixPath
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def refuse(archive: Path, member: str, what: str, allowed: str) -> ArchiveError:
    """The error for a member that no honest archive has.

    Args:
        what: what is wrong with it, after "got".
        allowed: what is allowed instead.
    """
    return ArchiveError(
        f"{archive}: hostile archive, got member {member!r} {what}; {allowed}; "
        "fetch the archive from its official source"
    )


def _place(archive: Path, name: str) -> PurePosixPath:
    """Where a member goes, relative; backslashes are separators, as some Windows tools write."""
    place = PurePosixPath(name.replace("\\", "/"))
    drive = place.parts[:1] and ":" in place.parts[0]
    if place.is_absolute() or drive:
        raise refuse(archive, name, "with an absolute name", "relative names are allowed")
    if ".." in place.parts:
        raise refuse(archive, name, "that leaves the folder", "names below it are allowed")
    if any(ord(c) < 32 for c in name):
        raise refuse(archive, name, "with control characters", "printable names are allowed")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in place.parts):
        allowed = f"{LONGEST_NAME} bytes a part are allowed"
        raise refuse(archive, name, "with a name too long", allowed)
    return place


@contextlib.contextmanager
def zip_members(archive: Path, limits: Limits) -> Iterator[list[Member]]:
    """The files of a zip archive, while it is open; raises ArchiveError as ``refuse`` says.

    Args:
        limits: how much an archive may hold.
    """
    with zipfile.ZipFile(archive) as file:
        infos = file.infolist()
        _check_count(archive, len(infos), limits)
        members = []
        for info in infos:
            place = _place(archive, info.orig_filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise refuse(
                    archive, info.filename, "that is a link or device", "plain files are allowed"
                )
            if info.flag_bits & 1:
                raise refuse(archive, info.filename, "with a password", "open archives are allowed")
            if not info.is_dir() and not info.orig_filename.endswith("\\"):
                members.append(
                    Member(info.filename, place, info.file_size, partial(file.open, info))
                )
        yield members


@contextlib.contextmanager
def tar_members(archive: Path, limits: Limits) -> Iterator[list[Member]]:
    """The files of a tar archive, compressed or not, likewise; one without an end is cut off.

    Args:
        limits: how much an archive may hold.
    """
    with _open_stream(archive) as plain:
        stream = _Bounded(plain, archive, limits)
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:") as file:
            members = []
            for count, info in enumerate(file, 1):
                _check_count(archive, count, limits)
                stream.member = info.name
                place = _place(archive, info.name)
                if not (info.isdir() or info.isreg()) or info.issparse():
                    raise refuse(
                        archive, info.name, "that is a link or device", "plain files are allowed"
                    )
                if info.isreg():
                    members.append(
                        Member(
                            info.name,
                            place,
                            info.size,
                            partial(_open_member, file, info),
                        )
                    )
            stream.seek(file.offset)
            if any(end := stream.read(tarfile.BLOCKSIZE)) or len(end) < tarfile.BLOCKSIZE:
                raise EOFError(f"no end marker after {len(members)} files")
            yield members


def _open_member(file: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], file.extractfile(info))


def _open_stream(archive: Path) -> BinaryIO:
    name = archive.name.lower()
    if name.endswith(("gz", "tgz")):
        return cast(BinaryIO, gzip.open(archive))
    if name.endswith("bz2"):
        return cast(BinaryIO, bz2.open(archive))
    if name.endswith("xz"):
        return cast(BinaryIO, lzma.open(archive))
    return archive.open("rb")


class _Bounded:
    """An unpacked stream that stops where an archive has swollen beyond its limits.

    Reading a tar's headers may need unbounded memory and time when they are made to; a header's
    own claim is not believed.
    """

    def __init__(self, stream: BinaryIO, archive: Path, limits: Limits) -> None:
        self._stream, self._archive = stream, archive
        self.member = "(first header)"
        self._end = most_bytes(archive, limits)

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > 64 * CHUNK:
            raise refuse(
                self._archive,
                self.member,
                f"with a header of {size} bytes",
                f"{64 * CHUNK} are allowed",
            )
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset > self._end:
            raise refuse(
                self._archive,
                self.member,
                f"that swells to {offset} bytes",
                f"{self._end} bytes are allowed",
            )
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def most_bytes(archive: Path, limits: Limits) -> int:
    """Bytes an archive may swell to.

    Args:
        limits: how much an archive may hold.
    """
    by_ratio = max(limits.ratio * archive.stat().st_size, limits.ratio_from)
    return int(min(limits.total, by_ratio))


def _check_count(archive: Path, count: int, limits: Limits) -> None:
    if count > limits.members:
        raise refuse(
            archive, f"number {count}", "of too many", f"{limits.members} members are allowed"
        )
