"""What an image file is, by its content and not its name, and whether all of it is there.

Decoders forgive: OpenCV paints the missing part of a truncated JPEG grey, and GDAL opens whatever
one of its two hundred drivers takes a file for. So the format is read off the first bytes, must be
one of four and that of the name, and the end of the file must be the format's end.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

from samrs.core.errors import ImageError, ImageNameError

KEEP_BYTES = 16 * 2**20
"""Largest file whose bytes are handed on as they are."""


class Kind(NamedTuple):
    """A format: GDAL's driver, the (lower-case) suffixes of its files, how they may begin."""

    driver: str
    suffixes: tuple[str, ...]
    beginnings: tuple[bytes, ...]


KINDS = (
    Kind("GTiff", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    Kind("PNG", (".png",), (b"\x89PNG\r\n\x1a\n",)),
    Kind("JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",)),
    Kind("BMP", (".bmp",), (b"BM",)),
)


def image_kind(path: Path, where: str) -> Kind:
    """The format of an image file, which is whole as far as its last bytes tell.

    Args:
        where: what to name in errors.

    Raises:
        ImageError: it is none of ``KINDS``, or it is cut off.
        ImageNameError: its suffix is that of another format.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        kind = next((k for k in KINDS if head.startswith(k.beginnings)), None)
        if kind is None:
            raise ImageError(
                f"{where}: image does not decode, got {size} bytes that begin {head!r}; a TIFF, "
                "PNG, JPEG or BMP is allowed; replace the file"
            )
        if path.suffix.lower() not in kind.suffixes:
            raise ImageNameError(
                f"{where}: image is not what its name says, got {kind.driver} data; a name that "
                f"ends in {' or '.join(kind.suffixes)} is allowed; rename the file"
            )
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            whole = _is_whole(data, kind.driver)
    if not whole:
        raise ImageError(
            f"{where}: image is cut off, got {size} bytes without the format's end; a whole "
            "file is allowed; replace the file"
        )
    return kind


def _is_whole(data: mmap.mmap, driver: str) -> bool:
    """Whether the format's end is there; a TIFF's parts may stand anywhere: reading tells."""
    if driver == "JPEG":
        scan, _ = _jpeg_header(data)
        return 0 < scan < int(data.rfind(b"\xff\xd9"))
    if driver == "PNG":
        return _png_ends(data)
    if driver == "BMP":
        declared = int.from_bytes(data[2:6], "little")
        return len(data) >= max(14, declared)
    return True


def _png_ends(data: mmap.mmap) -> bool:
    """Whether a PNG's chunks follow one another up to the last; GDAL reads what is cut as zeros."""
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if name == b"IEND":
            return bool(at <= len(data))
    return False


def plain_file(path: Path, kind: Kind) -> tuple[bytes, str] | None:
    """Bytes and suffix (".png", ".jpg") of a file that any reader shows alike.

    That is an 8-bit RGB PNG or JPEG of at most ``KEEP_BYTES`` without orientation tag; None for
    all others.
    """
    if kind.driver not in ("PNG", "JPEG") or path.stat().st_size > KEEP_BYTES:
        return None
    data = path.read_bytes()
    if kind.driver == "PNG":
        return (data, ".png") if data[24:26] == b"\x08\x02" else None
    return (data, ".jpg") if _jpeg_header(data)[1] else None


def _jpeg_header(data: bytes | mmap.mmap) -> tuple[int, bool]:
    """Where a JPEG's first scan begins (0: nowhere), and whether the file is plain.

    Plain is three 8-bit components and no Exif, by which readers might turn the image.
    """
    at, plain = 2, True
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA:
            return at, plain
        if marker == 0xE1 and data[at + 4 : at + 8] == b"Exif":
            plain = False
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            plain = plain and data[at + 4 : at + 5] + data[at + 9 : at + 10] == b"\x08\x03"
        at += 2 + length
    return 0, False
