"""Unpacking archives from strangers: zip, tar and compressed tar, hostile until checked.

Every member is looked at before the first byte is written. Refused are names that leave the
folder, links and devices, two members that are one file or folders that are one (on a file system
that ignores case, too), and archives that swell beyond reason. Owners, modes and times of members
are not kept.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from samrs.core.errors import ArchiveError
from samrs.core.progress import progress

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNSUPPORTED = (".rar", ".7z")
CHUNK = 2**20
BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RecursionError,
)
"""What the standard library raises on bytes that are no whole archive, or of an unknown kind."""
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
class _Member:
    """A file of an archive: its checked place below the target, its size in bytes, its reader."""

    name: str
    place: PurePosixPath
    size: int
    open: Callable[[], AbstractContextManager[IO[bytes]]]


def is_archive(path: Path) -> bool:
    """Whether a file's name says it is an archive that ``extract`` reads.

    Raises:
        ArchiveError: it is an archive of a kind that is not read.
    """
    name = path.name.lower()
    if name.endswith(UNSUPPORTED):
        raise ArchiveError(
            f"{path}: cannot unpack this kind, got {path.suffix}; {', '.join(SUFFIXES)} are "
            "allowed; unpack it yourself and put the folder in its place"
        )
    return name.endswith(SUFFIXES)


def extract(
    archive: Path, out: Path, *, leave_out: Sequence[str] = (), limits: Limits = LIMITS
) -> int:
    """Unpack an archive below a folder, all of it or nothing.

    Args:
        out: made if missing; may hold other files, none of which is replaced.
        leave_out: names of folders whose members are checked but not written.

    Returns:
        Number of files written.

    Raises:
        ArchiveError: the archive is broken or hostile; names the member.
    """
    opener = _zip_members if archive.name.lower().endswith(".zip") else _tar_members
    try:
        with opener(archive, limits) as members:
            _check(members, archive, out, limits)
            kept = [m for m in members if not set(leave_out) & set(m.place.parts[:-1])]
            staging = out / f".unpacking-{archive.name}"
            try:
                _write(kept, archive, staging)
                _publish(kept, staging, out)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
            return len(kept)
    except BROKEN as error:
        raise _broken(archive, error) from error
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # of a decompressor, of a place before the start
            raise _broken(archive, error) from error
        raise


def _broken(archive: Path, error: Exception) -> ArchiveError:
    return ArchiveError(
        f"{archive}: broken archive, got {type(error).__name__}: {error}; a whole "
        f"{', '.join(SUFFIXES)} is allowed; fetch it again"
    )


def _refuse(archive: Path, member: str, what: str, allowed: str) -> ArchiveError:
    return ArchiveError(
        f"{archive}: hostile archive, got member {member!r} {what}; {allowed}; "
        "fetch the archive from its official source"
    )


def _place(archive: Path, name: str) -> PurePosixPath:
    """Where a member goes, relative; backslashes are separators, as some Windows tools write."""
    place = PurePosixPath(name.replace("\\", "/"))
    drive = place.parts[:1] and ":" in place.parts[0]
    if place.is_absolute() or drive:
        raise _refuse(archive, name, "with an absolute name", "relative names are allowed")
    if ".." in place.parts:
        raise _refuse(archive, name, "that leaves the folder", "names below it are allowed")
    if any(ord(c) < 32 for c in name):
        raise _refuse(archive, name, "with control characters", "printable names are allowed")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in place.parts):
        allowed = f"{LONGEST_NAME} bytes a part are allowed"
        raise _refuse(archive, name, "with a name too long", allowed)
    return place


@contextlib.contextmanager
def _zip_members(archive: Path, limits: Limits) -> Iterator[list[_Member]]:
    with zipfile.ZipFile(archive) as file:
        infos = file.infolist()
        _check_count(archive, len(infos), limits)
        members = []
        for info in infos:
            place = _place(archive, info.orig_filename)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _refuse(
                    archive, info.filename, "that is a link or device", "plain files are allowed"
                )
            if info.flag_bits & 1:
                raise _refuse(
                    archive, info.filename, "with a password", "open archives are allowed"
                )
            if not info.is_dir() and not info.orig_filename.endswith("\\"):
                members.append(
                    _Member(info.filename, place, info.file_size, partial(file.open, info))
                )
        yield members


@contextlib.contextmanager
def _tar_members(archive: Path, limits: Limits) -> Iterator[list[_Member]]:
    with _open_stream(archive) as plain:
        stream = _Bounded(plain, archive, limits)
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:") as file:
            members = []
            for count, info in enumerate(file, 1):
                _check_count(archive, count, limits)
                stream.member = info.name
                place = _place(archive, info.name)
                if not (info.isdir() or info.isreg()) or info.issparse():
                    raise _refuse(
                        archive, info.name, "that is a link or device", "plain files are allowed"
                    )
                if info.isreg():
                    members.append(
                        _Member(
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
        self._end = _most(archive, limits)

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > 64 * CHUNK:
            raise _refuse(
                self._archive,
                self.member,
                f"with a header of {size} bytes",
                f"{64 * CHUNK} are allowed",
            )
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0 and offset > self._end:
            raise _refuse(
                self._archive,
                self.member,
                f"that swells to {offset} bytes",
                f"{self._end} bytes are allowed",
            )
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def _most(archive: Path, limits: Limits) -> int:
    """Bytes an archive may swell to."""
    by_ratio = max(limits.ratio * archive.stat().st_size, limits.ratio_from)
    return int(min(limits.total, by_ratio))


def _check_count(archive: Path, count: int, limits: Limits) -> None:
    if count > limits.members:
        raise _refuse(
            archive, f"number {count}", "of too many", f"{limits.members} members are allowed"
        )


def _key(place: PurePosixPath) -> str:
    """The name as a file system that ignores case and Unicode forms sees it."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def _check(members: Iterable[_Member], archive: Path, out: Path, limits: Limits) -> None:
    most, total, seen = _most(archive, limits), 0, dict[str, str]()
    for member in members:
        total += member.size
        if total > most:
            raise _refuse(
                archive, member.name, f"that swells it to {total} bytes", f"{most} are allowed"
            )
        key = _key(member.place)
        if key in seen:
            raise _refuse(
                archive,
                member.name,
                f"that is the same file as {seen[key]!r}",
                "names that differ by more than case are allowed",
            )
        seen[key] = member.name
        if not member.place.parts:
            raise _refuse(archive, member.name, "without a name", "named files are allowed")
        if any(p.is_file() for p in (out / member.place, *(out / member.place).parents)):
            raise _refuse(
                archive, member.name, f"that is already in {out}", "new names are allowed"
            )
    _check_folders(members, archive, seen)
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if total > free:
        raise ArchiveError(
            f"{archive}: does not fit, got {total} bytes to unpack; {free} are free in {out}; "
            "make room"
        )


def _check_folders(members: Iterable[_Member], archive: Path, files: Mapping[str, str]) -> None:
    """Refuse a folder that is a file, or spelled in two ways; ``files``: names by their key."""
    spelled: dict[str, PurePosixPath] = {}
    for member in members:
        for parent in member.place.parents:
            key = _key(parent)
            if key in files:
                raise _refuse(
                    archive,
                    member.name,
                    f"below {files[key]!r}, which is a file",
                    "names below folders are allowed",
                )
            if spelled.setdefault(key, parent) != parent:
                raise _refuse(
                    archive,
                    member.name,
                    f"in a folder that is also written {str(spelled[key])!r}",
                    "names that differ by more than case are allowed",
                )


def _write(members: list[_Member], archive: Path, staging: Path) -> None:
    shutil.rmtree(staging, ignore_errors=True)
    for member in progress(members, desc=f"unpack {archive.name}", unit="file"):
        target = staging / member.place
        target.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with member.open() as source, target.open("xb") as file:
            while block := source.read(CHUNK):
                written += len(block)
                if written > member.size:
                    break
                file.write(block)
        if written != member.size:
            raise _refuse(
                archive,
                member.name,
                f"of {written} bytes",
                f"the {member.size} bytes it declares are allowed",
            )


def _publish(members: list[_Member], staging: Path, out: Path) -> None:
    for member in members:
        target = out / member.place
        target.parent.mkdir(parents=True, exist_ok=True)
        (staging / member.place).rename(target)
