"""Image bytes to arrays and back (OpenCV for decoding and resampling only).

OpenCV is imported when first needed: checking a product or writing run lengths decodes no image.
"""

from __future__ import annotations

from contextlib import suppress

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
    import cv2

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
    # not a turned view copied: OpenCV lets other threads run meanwhile
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def encode_rgb(image: NDArray[np.uint8], suffix: str = ".png", quality: int = 95) -> bytes:
    """Encode (H, W, 3) uint8 RGB; ``.png`` is lossless, ``.jpg`` takes ``quality`` 1-100.

    Args:
        suffix: the format, ``.png`` or ``.jpg``.
    """
    import cv2

    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, np.ascontiguousarray(image[:, :, ::-1]), options)
    if not done:
        raise ImageError(
            f"image: cannot encode, got shape {image.shape}; (H, W, 3) with at least one px is "
            "allowed; make such an array of it"
        )
    return data.tobytes()


def decode_labels(data: bytes, where: str) -> NDArray[np.uint8]:
    """Decode a label map written by ``samrs.core.label_png.encode_labels`` to (H, W) uint8.

    Raises:
        ImageError: the bytes are not a whole 8-bit grey image.
    """
    import cv2

    labels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if data else None
    if labels is None or labels.ndim != 2 or labels.dtype != np.uint8:
        raise ImageError(
            f"{where}: label map does not decode, got {len(data)} bytes; an 8-bit grey PNG is "
            "allowed; make the product again"
        )
    return np.asarray(labels)
