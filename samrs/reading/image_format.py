"""What an image file is, by its content and not its name, and whether all of it is there.

Decoders forgive: OpenCV paints the missing part of a truncated JPEG grey, and GDAL opens whatever
one of its two hundred drivers takes a file for. So the format is read off the first bytes, must be
one of four and that of the name, and the end of the file must be the format's end.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

from samrs.core.errors import ImageError, ImageFileError, ImageNameError
from samrs.reading.files import AT_ONCE, printable, why_unreadable
from samrs.reading.image_header import (
    JPEG,
    PNG,
    is_whole_jpeg,
    is_whole_png,
    jpeg_header,
    picture,
    png_exif,
)
from samrs.reading.turning import Turn

KEEP_BYTES = 16 * 2**20
"""Largest file whose bytes are handed on as they are."""

ORIENTATION = 274
"""Exif's tag, also TIFF's: how the stored picture must be turned to be seen as it was taken."""


_QUICK = {"jpg": ".jpg", "jpeg": ".jpg", "png": ".png"}
_SMALL = 2**16


class Kind(NamedTuple):
    """A format: GDAL's driver, the (lower-case) suffixes of its files, how they may begin."""

    driver: str
    suffixes: tuple[str, ...]
    beginnings: tuple[bytes, ...]


KINDS = (
    Kind("GTiff", (".tif", ".tiff"), (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    Kind("PNG", (".png",), (PNG,)),
    Kind("JPEG", (".jpg", ".jpeg"), (JPEG,)),
    Kind("BMP", (".bmp",), (b"BM",)),
)

VIRTUAL = "VRT"
MAP_KINDS = (
    *KINDS,
    Kind(VIRTUAL, (".vrt",), (b"<VRTData",)),
    Kind("JP2OpenJPEG", (".jp2",), (b"\0\0\0\x0cjP  ",)),
    Kind("HFA", (".img",), (b"EHFA_HEA",)),
)
"""Those of rasters on maps, with the driver of each."""


def image_kind(path: Path, where: str, kinds: Sequence[Kind] = KINDS) -> Kind:
    """The format of an image file, which is whole as far as its last bytes tell.

    Args:
        where: what to name in errors.
        kinds: the formats that are allowed.

    Raises:
        ImageError: it is none of these, or it is cut off.
        ImageFileError: there is no file that GDAL could read.
        ImageNameError: its suffix is that of another format.
    """
    if (why := _not_utf8(path) or why_unreadable(path)) is not None:
        raise ImageFileError(
            f"{where}: image cannot be read, got {why}; a file is needed; put it there"
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8)
        kind = next((k for k in kinds if head.startswith(k.beginnings)), None)
        if kind is None:
            raise ImageError(
                f"{where}: image does not decode, got {size} bytes that begin {head!r}; a "
                f"{_listed(kinds)} is allowed; replace the file"
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


def _listed(kinds: Sequence[Kind]) -> str:
    names = [kind.suffixes[-1].lstrip(".").upper() for kind in kinds]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _not_utf8(path: Path) -> str | None:
    name = str(path)
    return None if printable(name) == name else "a name that is not UTF-8, which GDAL cannot open"


def _is_whole(data: mmap.mmap, driver: str) -> bool:
    """Whether the format's end is there; a TIFF's parts may stand anywhere: reading tells."""
    if driver == "JPEG":
        return is_whole_jpeg(data)
    if driver == "PNG":
        return is_whole_png(data)
    if driver == "BMP":
        declared = int.from_bytes(data[2:6], "little")
        return len(data) >= max(14, declared)
    return True


def orientation(path: Path, kind: Kind) -> int:
    """How a picture must be turned to be seen as it was taken: Exif's number, 1 (as it is) to 8.

    Viewers, OpenCV, Ultralytics and supervision turn it, and so boxes are drawn on the turned one.
    A tag that does not parse counts as none, as it does for them.

    Args:
        kind: the format that the content has.
    """
    if kind.driver == "GTiff":
        with path.open("rb") as file:
            return _number_in(file)
    if kind.driver not in ("PNG", "JPEG"):
        return 1
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _number_in(jpeg_header(data).exif if kind.driver == "JPEG" else png_exif(data))


def _number_in(exif: bytes | BinaryIO) -> int:
    """Exif's number for the orientation, 1 without; a TIFF's tags stand in its file."""
    if exif == b"":
        return 1
    tags = Image.Exif()
    try:
        tags.load(exif) if isinstance(exif, bytes) else tags.load_from_fp(exif)
        found = int(tags.get(ORIENTATION, 1))
    except (ValueError, TypeError, KeyError, SyntaxError, OSError, struct.error):
        return 1
    return found if 1 <= found <= 8 else 1


def header_size(path: str) -> tuple[int, int] | None:
    """Width and height, as it is seen, of a whole PNG or JPEG, px, out of its headers alone.

    None of a file that is not one, or not named so, and of other formats, whose files may lie on
    the map: to open it tells. That costs fifty times as much.
    """
    suffix = _QUICK.get(path.rpartition(".")[2].lower())
    if suffix is None or not path.isascii():
        return None
    try:
        file = os.open(path, AT_ONCE)
    except OSError:
        return None
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            return None
        if status.st_size <= _SMALL:  # quicker than a map of it
            found = picture(os.read(file, _SMALL))
        else:
            with mmap.mmap(file, 0, access=mmap.ACCESS_READ) as data:
                found = picture(data)
    finally:
        os.close(file)
    if found is None or found.suffix != suffix:
        return None
    return Turn.of(_number_in(found.exif)).size(found.size_hw[::-1])


def plain_file(path: Path, kind: Kind) -> tuple[bytes, str] | None:
    """Bytes and suffix (".png", ".jpg") of a file that any reader shows alike.

    That is an 8-bit RGB PNG or JPEG of at most ``KEEP_BYTES`` without Exif, by which readers might
    turn the image, and without parts that only some know; None for all others.

    Args:
        kind: the format that the content has.
    """
    if kind.driver not in ("PNG", "JPEG") or path.stat().st_size > KEEP_BYTES:
        return None
    data = path.read_bytes()
    found = picture(data)
    return (data, found.suffix) if found and found.is_plain else None
