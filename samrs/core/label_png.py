"""Which labels a label map holds, without unpacking its pixels.

Maps that ``encode_labels`` wrote hold differences to the pixel on the left, nearly all 0: the
places of the others are the ends of runs of one label. Maps written otherwise are decoded.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ImageError
from samrs.core.images import decode_labels

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY = (8, 0, 0, 0, 0)
"""Bit depth, colour type, compression, filter method, interlace: 8-bit grey."""

SUB = 1
"""The filter of PNG that stores differences to the left."""

MOST_PIXELS = 2**31
"""Of a map that is unpacked at all."""


SMALL = 64 * 1024
"""Packed bytes that are unpacked in one go, which is sooner: at most 1,032 times as many result."""


class LabelCounts(NamedTuple):
    """Height and width in px, and the px of each label (256,)."""

    size_hw: tuple[int, int]
    counts: NDArray[np.int64]


def label_counts(data: bytes, where: str) -> LabelCounts:
    """Count the px of each label of an encoded map.

    Args:
        where: what to name in the error.

    Raises:
        ImageError: the bytes are not a whole 8-bit grey image.
    """
    size_hw, kind, packed = _chunks(data, where)
    if 0 < size_hw[0] * size_hw[1] < MOST_PIXELS and kind == GREY:
        rows = _inflated(packed, size_hw, where)
        if (rows[:, 0] == SUB).all():
            return LabelCounts(size_hw, _counts(rows))
    labels = decode_labels(data, where)
    return LabelCounts(labels.shape[:2], np.bincount(labels.ravel(), minlength=256))


def _chunks(data: bytes, where: str) -> tuple[tuple[int, int], tuple[int, ...], bytes]:
    """Size, kind and packed rows of a PNG."""
    begin, header, packed = len(SIGNATURE), b"", []
    ended = False
    while data.startswith(SIGNATURE) and begin + 12 <= len(data) and not ended:
        (length,) = struct.unpack_from(">I", data, begin)
        kind, body = data[begin + 4 : begin + 8], data[begin + 8 : begin + 8 + length]
        written = data[begin + 8 + length : begin + 12 + length]
        if written != struct.pack(">I", zlib.crc32(kind + body)):
            raise _broken(data, where, "a chunk's checksum is wrong")
        header = body if kind == b"IHDR" else header
        packed += [body] if kind == b"IDAT" else []
        ended = kind == b"IEND"
        begin += 12 + length
    if not ended or len(header) != 13:
        raise _broken(data, where, "it is no whole PNG")
    width, height, *kinds = struct.unpack(">IIBBBBB", header)
    return (height, width), tuple(kinds), b"".join(packed)


def _inflated(packed: bytes, size_hw: tuple[int, int], where: str) -> NDArray[np.uint8]:
    """(H, W + 1) rows of a PNG, each after the number of its filter."""
    height, width = size_hw
    size = height * (width + 1)
    try:
        if len(packed) <= SMALL:
            rows = zlib.decompress(packed, bufsize=size)
            whole = True
        else:
            unpacker = zlib.decompressobj()
            rows = unpacker.decompress(packed, size)
            whole = unpacker.eof or not unpacker.decompress(unpacker.unconsumed_tail, 1)
    except zlib.error as error:
        raise _broken(packed, where, f"it does not unpack ({error})") from error
    if len(rows) != size or not whole:
        raise _broken(packed, where, f"it does not unpack to {width} x {height} px")
    return np.frombuffer(rows, np.uint8).reshape(height, width + 1)


def _counts(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Px of each label of rows of differences."""
    flat = rows.ravel()
    places = (flat != 0).nonzero()[0]  # the filter's number, 1, begins every row
    begins = places % rows.shape[1] == 0
    deltas = flat[places]
    deltas[begins] = 0
    sums = np.cumsum(deltas, dtype=np.uint8)  # modulo 256, as PNG adds
    at_row = begins.nonzero()[0]
    ends = np.empty(len(places) + 1, dtype=np.int64)
    ends[:-1], ends[-1] = places, flat.size
    lengths = ends[1:] - ends[:-1] - begins
    rows_of = np.cumsum(begins) - 1
    values = sums - sums[at_row][rows_of]
    return np.bincount(values, weights=lengths, minlength=256).astype(np.int64)


def _broken(data: bytes, where: str, why: str) -> ImageError:
    return ImageError(
        f"{where}: label map does not decode, {why}, got {len(data)} bytes; an 8-bit grey PNG is "
        "allowed; make the product again"
    )
