"""Files that one run leaves to the next: on the disk before they count, checked when they are read.

Content is sealed: behind a mark stand its sha256 and its size. What a crash, a full disk or a bad
sector damaged is told by them and counts as missing, so it is made again and never believed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from samrs.core.errors import naming

log = logging.getLogger("samrs")

MARK = b"\x93samrs\r\n"
"""Begins sealed content; rare in any other."""

_HEAD = struct.Struct("<8s32sQ")


def seal(content: bytes) -> bytes:
    """Content that ``unseal`` checks.

    Args:
        content: any bytes.
    """
    return _HEAD.pack(MARK, hashlib.sha256(content).digest(), len(content)) + content


def unseal(data: bytes) -> Iterator[tuple[int, int, bytes | None]]:
    """The sealed contents that stand in data, one behind the other.

    Behind a damaged one the next mark is looked for, so the others are still found.

    Yields:
        Where the seal begins, where its content ends, and the content: None for damaged bytes.
    """
    begin = 0
    while begin < len(data):
        end, content = _unseal_at(data, begin)
        if content is None:
            found = data.find(MARK, begin + 1)
            end = len(data) if found < 0 else found
        yield begin, end, content
        begin = end


def _unseal_at(data: bytes, begin: int) -> tuple[int, bytes | None]:
    if begin + _HEAD.size > len(data):
        return begin, None
    mark, digest, size = _HEAD.unpack_from(data, begin)
    end = begin + _HEAD.size + size
    content = data[begin + _HEAD.size : end]
    whole = mark == MARK and len(content) == size
    return end, content if whole and hashlib.sha256(content).digest() == digest else None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; once it has its name it outlives a crash of the machine."""
    part = path.with_name(f"{path.name}.part")
    try:
        with naming(path), part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def keep(path: Path, content: bytes) -> None:
    """Write sealed content for a later run."""
    write_whole(path, seal(content))


def kept(path: Path) -> bytes | None:
    """The content that ``keep`` wrote; None where there is none, or it is damaged and removed."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    parts = [content for _, _, content in unseal(data)]
    if len(parts) == 1 and parts[0] is not None:
        return parts[0]
    log.warning("%s: damaged, removed; what it held is made again", path)
    path.unlink()
    return None
