"""Unpacking archives from strangers: zip, tar and compressed tar, hostile until checked.

Every member is looked at before the first byte is written. Refused are names that leave the
folder, links and devices, two members that are one file or folders that are one (on a file system
that ignores case, too), and archives that swell beyond reason. Owners, modes and times of members
are not kept.
"""

from __future__ import annotations

import errno
import gzip
import lzma
import shutil
import struct
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from samrs.core.errors import ArchiveError
from samrs.core.progress import progress
from samrs.download.archive_members import (
    CHUNK,
    LIMITS,
    Limits,
    Member,
    most_bytes,
    refuse,
    tar_members,
    zip_members,
)

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNSUPPORTED = (".rar", ".7z")
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
        limits: how much an archive may hold.

    Returns:
        Number of files written.

    Raises:
        ArchiveError: the archive is broken or hostile; names the member.
    """
    opener = zip_members if archive.name.lower().endswith(".zip") else tar_members
    try:
        with opener(archive, limits) as members:
            _check(members, archive, out, limits)
            kept = [m for m in members if not set(leave_out) & set(m.place.parts[:-1])]
            # a name that no member can foresee, lest it be written over
            with TemporaryDirectory(prefix=".unpacking-", dir=out) as staging:
                _write(kept, archive, Path(staging))
                _publish(kept, Path(staging), out)
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


def _key(place: PurePosixPath) -> str:
    """The name as a file system that ignores case and Unicode forms sees it."""
    return unicodedata.normalize("NFC", str(place)).casefold()


def _check(members: Iterable[Member], archive: Path, out: Path, limits: Limits) -> None:
    most, total, seen = most_bytes(archive, limits), 0, dict[str, str]()
    for member in members:
        total += member.size
        if total > most:
            raise refuse(
                archive, member.name, f"that swells it to {total} bytes", f"{most} are allowed"
            )
        key = _key(member.place)
        if key in seen:
            raise refuse(
                archive,
                member.name,
                f"that is the same file as {seen[key]!r}",
                "names that differ by more than case are allowed",
            )
        seen[key] = member.name
        if not member.place.parts:
            raise refuse(archive, member.name, "without a name", "named files are allowed")
        if any(p.is_file() for p in (out / member.place, *(out / member.place).parents)):
            raise refuse(archive, member.name, f"that is already in {out}", "new names are allowed")
    _check_folders(members, archive, seen)
    out.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(out).free
    if total > free:
        raise ArchiveError(
            f"{archive}: does not fit, got {total} bytes to unpack; {free} are free in {out}; "
            "make room"
        )


def _check_folders(members: Iterable[Member], archive: Path, files: Mapping[str, str]) -> None:
    """Refuse a folder that is a file, or spelled in two ways; ``files``: names by their key."""
    spelled: dict[str, PurePosixPath] = {}
    for member in members:
        for parent in member.place.parents:
            key = _key(parent)
            if key in files:
                raise refuse(
                    archive,
                    member.name,
                    f"below {files[key]!r}, which is a file",
                    "names below folders are allowed",
                )
            if spelled.setdefault(key, parent) != parent:
                raise refuse(
                    archive,
                    member.name,
                    f"in a folder that is also written {str(spelled[key])!r}",
                    "names that differ by more than case are allowed",
                )


def _write(members: list[Member], archive: Path, staging: Path) -> None:
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
            raise refuse(
                archive,
                member.name,
                f"of {written} bytes",
                f"the {member.size} bytes it declares are allowed",
            )


def _publish(members: list[Member], staging: Path, out: Path) -> None:
    for member in members:
        target = out / member.place
        target.parent.mkdir(parents=True, exist_ok=True)
        (staging / member.place).rename(target)
