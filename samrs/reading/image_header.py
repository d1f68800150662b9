"""What the headers of PNG and JPEG say: size, kind, Exif, and whether all of the file is there.

No pixel is decoded.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from typing import NamedTuple

from samrs.reading.completeness import scans_are_complete

Bytes = bytes | mmap.mmap

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"

_PNG_CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


class Picture(NamedTuple):
    """What a whole PNG or JPEG is.

    Attributes:
        suffix: ".png" or ".jpg".
        size_hw: height and width in px, each 1 or more.
        is_plain: whether all readers show it alike: 8-bit RGB, no Exif, by which some turn it, and
            no parts that only some know.
        exif: the Exif data, with the mark that JPEG puts before it; empty without.
    """

    suffix: str
    size_hw: tuple[int, int]
    is_plain: bool
    exif: bytes


def picture(data: Bytes) -> Picture | None:
    """Size and kind of a PNG or JPEG; None for other bytes and for one that is cut off.

    Args:
        data: the whole file.
    """
    found = None
    if data[:3] == JPEG:
        header = jpeg_header(data)
        if _all_scans(data, header):
            height, width = struct.unpack_from(">HH", data, header.frame + 5)
            plain = header.rgb and not header.exif
            found = Picture(".jpg", (height, width), plain, header.exif)
    elif data[:8] == PNG and data[12:16] == b"IHDR" and is_whole_png(data):
        width, height = struct.unpack_from(">II", data, 16)
        plain = data[24:26] == b"\x08\x02" and _png_is_common(data)
        found = Picture(".png", (height, width), plain, png_exif(data))
    return found if found and min(found.size_hw) > 0 else None


def is_whole_jpeg(data: Bytes) -> bool:
    """Whether all scans of a JPEG are there, and the end's marker after them."""
    return _all_scans(data, jpeg_header(data))


def _all_scans(data: Bytes, header: JpegHeader) -> bool:
    whole = 0 < header.scan < int(data.rfind(b"\xff\xd9"))
    return whole and (header.one_scan or scans_are_complete(data, header.frame, header.scan))


def is_whole_png(data: Bytes) -> bool:
    """Whether the chunks go on to the last: GDAL reads px of a PNG that is cut off as zeros."""
    return png_chunk(data, b"IEND") is not None


def _png_chunks(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of what each chunk holds, as far as they are whole."""
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if at + 12 + length <= len(data):
            yield name, at + 8, at + 8 + length
        at += 12 + length


def png_chunk(data: Bytes, wanted: bytes) -> bytes | None:
    """What the first chunk of a name holds; None where the chunks, one after another, have none.

    Args:
        wanted: the chunk's four letters.
    """
    places = (data[start:end] for name, start, end in _png_chunks(data) if name == wanted)
    found = next(places, None)
    return None if found is None else bytes(found)


def png_exif(data: Bytes) -> bytes:
    """The Exif data of a PNG, with the mark that JPEG puts before it; empty without."""
    found = png_chunk(data, b"eXIf")
    return b"Exif\0\0" + found if found else b""


def _png_is_common(data: Bytes) -> bool:
    """Whether a PNG has no Exif and no critical chunk but those that every reader knows."""
    names = {name for name, _, _ in _png_chunks(data)}
    return b"eXIf" not in names and {n for n in names if n[:1].isupper()} <= _PNG_CRITICAL


class JpegHeader(NamedTuple):
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


def jpeg_header(data: Bytes) -> JpegHeader:
    """The markers of a JPEG up to its first scan."""
    at, frame, rgb, exif = 2, 0, True, b""
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xDA and frame:
            progressive = data[frame + 1] in (0xC2, 0xCA)
            one_scan = not progressive and data[at + 4] == data[frame + 9]
            return JpegHeader(at, frame, one_scan, rgb, exif)
        if marker == 0xE1 and data[at + 4 : at + 8] == b"Exif":
            exif = exif or bytes(data[at + 4 : at + 2 + length])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            rgb = rgb and data[at + 4 : at + 5] + data[at + 9 : at + 10] == b"\x08\x03"
            frame = at
        at += 2 + length
    return JpegHeader(0, frame, one_scan=False, rgb=False, exif=exif)
