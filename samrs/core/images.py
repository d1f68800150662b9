"""Image bytes to arrays and back (OpenCV for decoding and resampling only)."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ImageError


def decode_rgb(data: bytes, where: str) -> NDArray[np.uint8]:
    """Decode an encoded image to (H, W, 3) uint8 RGB.

    Args:
        where: what to name in the error.

    Raises:
        ImageError: the bytes are not a whole image.
    """
    image = None
    if data:
        with suppress(cv2.error):
            image = cv2.imdecode(
                np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
            )
    if image is None:
        raise ImageError(
            f"{where}: image does not decode, got {len(data)} bytes; a whole PNG, JPEG or TIFF is "
            "allowed; replace the file"
        )
    return np.ascontiguousarray(image[:, :, ::-1])


def encode_rgb(image: NDArray[np.uint8], suffix: str = ".png", quality: int = 95) -> bytes:
    """Encode (H, W, 3) uint8 RGB; ``.png`` is lossless, ``.jpg`` takes ``quality`` 1-100."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]), options)
    if not done:
        raise ImageError(f"image: cannot encode, got shape {image.shape}; (H, W, 3) is allowed")
    return data.tobytes()


def encode_labels(labels: NDArray[np.uint8]) -> bytes:
    """Encode a (H, W) uint8 map of label ids as 8-bit grey PNG, losslessly.

    The bytes are OpenCV's; where Python's zlib gives the same, it does so in half the time.
    """
    if labels.size > SMALL_PNG and _zlib_is_opencvs():
        return _png(labels)
    return cv2.imencode(".png", labels)[1].tobytes()


SMALL_PNG = 32 * 1024
"""Px up to which libpng may choose a smaller window for its compression."""

IDAT_BYTES = 8192
"""libpng's."""


def _png(labels: NDArray[np.uint8]) -> bytes:
    """8-bit grey PNG as OpenCV has libpng write it: filter Sub, run-length matches, level 1."""
    height, width = labels.shape
    rows = np.empty((height, width + 1), dtype=np.uint8)
    rows[:, 0] = 1
    rows[:, 1] = labels[:, 0]
    np.subtract(labels[:, 1:], labels[:, :-1], out=rows[:, 2:])
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 8, zlib.Z_RLE)
    data = packer.compress(rows.data) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [data[i : i + IDAT_BYTES] for i in range(0, len(data), IDAT_BYTES)]
    chunks = [(b"IHDR", header), *((b"IDAT", part) for part in parts), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


@cache
def _zlib_is_opencvs() -> bool:
    """Whether Python's zlib compresses as OpenCV's: a Python may be built with zlib-ng."""
    y, x = np.mgrid[:300, :300]
    maps = [
        np.full((300, 300), 255),
        x * x // 99 + y // 50,
        x * y * y % 251,
        (x // 9 + y // 7) % 40,
    ]
    tried = [labels.astype(np.uint8) for labels in maps]
    return all(_png(labels) == cv2.imencode(".png", labels)[1].tobytes() for labels in tried)


def decode_labels(data: bytes, where: str) -> NDArray[np.uint8]:
    """Decode a label map written by ``encode_labels`` to (H, W) uint8.

    Raises:
        ImageError: the bytes are not a whole 8-bit grey image.
    """
    labels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
        raise ImageError(
            f"{where}: label map does not decode, got {len(data)} bytes; an 8-bit grey PNG is "
            "allowed; make the product again"
        )
    return np.asarray(labels)
