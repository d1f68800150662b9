"""What an image file is, by its content and not its name, and whether all of it is there.

Decoders forgive: OpenCV paints the missing part of a truncated JPEG grey, and GDAL opens whatever
one of its two hundred drivers takes a file for. So the format is read off the first bytes, must be
one of four and that of the name, and the end of the file must be the format's end.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from samrs.core.errors import ImageError, ImageFileError, ImageNameError
from samrs.reading.completeness import scans_are_complete
from samrs.reading.files import printable, why_unreadable

KEEP_BYTES = 16 * 2**20
"""Largest file whose bytes are handed on as they are."""

_PNG_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}

ORIENTATION = 274
"""Exif's tag, also TIFF's: how the stored picture must be turned to be seen as it was taken."""


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


def _not_utf8(path: Path) -> str | None:
    name = str(path)
    return None if printable(name) == name else "a name that is not UTF-8, which GDAL cannot open"


def _is_whole(data: mmap.mmap, driver: str) -> bool:
    """Whether the format's end is there; a TIFF's parts may stand anywhere: reading tells."""
    if driver == "JPEG":
        header = _jpeg_header(data)
        whole = 0 < header.scan < int(data.rfind(b"\xff\xd9"))
        return whole and (header.one_scan or scans_are_complete(data, header.frame, header.scan))
    if driver == "PNG":
        return _png_chunk(data, b"IEND") is not None
    if driver == "BMP":
        declared = int.from_bytes(data[2:6], "little")
        return len(data) >= max(14, declared)
    return True


def _png_chunks(data: bytes | mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what each chunk holds, as far as they are whole."""
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length <= len(data):
            yield name, at + 8, at + 8 + length
        at += 12 + length


def _png_chunk(data: bytes | mmap.mmap, wanted: bytes) -> bytes | None:
    """What the first chunk of a name holds; None where the chunks, one after another, have none.

    GDAL reads the pixels of a PNG that is cut off as zeros: the last chunk, IEND, must be there.
    """
    places = (data[start:end] for name, start, end in _png_chunks(data) if name == wanted)
    found = next(places, None)
    return None if found is None else bytes(found)


def _png_is_common(data: bytes) -> bool:
    """Whether a PNG has no Exif and no critical chunk but those that every reader knows."""
    names = {name for name, _, _ in _png_chunks(data)}
    return b"eXIf" not in names and {n for n in names if n[:1].isupper()} <= _PNG_CRITICAL


def orientation(path: Path, kind: Kind) -> int:
    """How a picture must be turned to be seen as it was taken: Exif's number, 1 (as it is) to 8.

    Viewers, OpenCV, Ultralytics and supervision turn it, and so boxes are drawn on the turned one.
    A tag that does not parse counts as none, as it does for them.

    Args:
        kind: the format that the content has.
    """
    exif = Image.Exif()
    with path.open("rb") as file:
        try:
            if kind.driver == "GTiff":
                exif.load_from_fp(file)
            else:
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    exif.load(_exif(data, kind.driver))
            found = int(exif.get(ORIENTATION, 1))
        except (ValueError, TypeError, KeyError, SyntaxError, OSError, struct.error):
            return 1
    return found if 1 <= found <= 8 else 1


def _exif(data: mmap.mmap, driver: str) -> bytes:
    """The Exif data of a JPEG or PNG, with the mark that JPEG puts before it; empty without."""
    if driver == "JPEG":
        return _jpeg_header(data).exif
    found = _png_chunk(data, b"eXIf") if driver == "PNG" else None
    return b"Exif\0\0" + found if found else b""


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
    if kind.driver == "PNG":
        plain = data[24:26] == b"\x08\x02" and _png_is_common(data)
        return (data, ".png") if plain else None
    header = _jpeg_header(data)
    return (data, ".jpg") if header.rgb and not header.exif else None


class _JpegHeader(NamedTuple):
    """What stands before a JPEG's first scan.

    Attributes:
        scan: where that begins; 0: nowhere.
        frame: where the description of the components begins.
        one_scan: whether the first scan brings all that there is.
        rgb: whether there are three 8-bit components.
        exif: the Exif data, empty without.
    """

    scan: int
    frame: int
    one_scan: bool
    rgb: bool
    exif: bytes


def _jpeg_header(data: bytes | mmap.mmap) -> _JpegHeader:
    at, frame, rgb, exif = 2, 0, True, b""
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA and frame:
            progressive = data[frame + 1] in (0xC2, 0xCA)
            one_scan = not progressive and data[at + 4] == data[frame + 9]
            return _JpegHeader(at, frame, one_scan, rgb, exif)
        if marker == 0xE1 and data[at + 4 : at + 8] == b"Exif":
            exif = exif or bytes(data[at + 4 : at + 2 + length])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            rgb = rgb and data[at + 4 : at + 5] + data[at + 9 : at + 10] == b"\x08\x03"
            frame = at
        at += 2 + length
    return _JpegHeader(0, frame, one_scan=False, rgb=False, exif=exif)
