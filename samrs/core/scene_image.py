"""Reading a scene's image: whole or by window, always as RGB, and only if the file is whole.

TIFF is read by window through rasterio, so that a scene of any size fits; other formats are
decoded by OpenCV. Decoders forgive truncated JPEGs by painting the rest grey, so the end of the
file is checked as well.
"""

from __future__ import annotations

import struct
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from samrs.core.errors import ImageError
from samrs.core.images import decode_rgb
from samrs.core.tiling import Window

KEEP_BYTES = 16 * 2**20
"""Largest file whose bytes are kept as they are for a whole scene."""

_PNG = b"\x89PNG\r\n\x1a\n"


class SceneImage(ABC):
    """An open image: its size, its pixels, and its own bytes where they can be handed on.

    Args:
        size_wh: width and height in px.
        plain: the file's bytes and suffix (".png", ".jpg"), where it is an 8-bit RGB PNG or JPEG
            of at most ``KEEP_BYTES`` without orientation tag; else None.
        gsd: metres per px where the file is georeferenced in a metric projection; else None.
    """

    def __init__(
        self,
        size_wh: tuple[int, int],
        plain: tuple[bytes, str] | None = None,
        gsd: float | None = None,
    ) -> None:
        self.size_wh = size_wh
        self.plain = plain
        self.gsd = gsd

    @abstractmethod
    def read(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) uint8 RGB of a window, or of the whole scene."""


class _Decoded(SceneImage):
    def __init__(self, path: Path, where: str) -> None:
        data = path.read_bytes()
        _refuse_truncated(data, where)
        self._image = decode_rgb(data, where)
        height, width = self._image.shape[:2]
        super().__init__((width, height), _plain(data))

    def read(self, window: Window | None = None) -> NDArray[np.uint8]:
        x0, y0, width, height = window or Window(0, 0, *self.size_wh)
        return self._image[y0 : y0 + height, x0 : x0 + width]


class _Raster(SceneImage):
    def __init__(self, dataset: rasterio.DatasetReader, where: str) -> None:
        metric = dataset.crs is not None and dataset.crs.linear_units == "metre"
        gsd = float(dataset.res[0]) if metric else None
        super().__init__((dataset.width, dataset.height), gsd=gsd)
        self._dataset, self._where = dataset, where
        kinds = set(dataset.dtypes)
        if kinds != {"uint8"} or ColorInterp.palette in dataset.colorinterp:
            raise ImageError(
                f"{where}: not an 8-bit RGB or grey TIFF, got bands {dataset.dtypes} as "
                f"{[c.name for c in dataset.colorinterp]}; convert the file"
            )

    def read(self, window: Window | None = None) -> NDArray[np.uint8]:
        x0, y0, width, height = window or Window(0, 0, *self.size_wh)
        bands = [1, 2, 3] if self._dataset.count >= 3 else [1, 1, 1]
        try:
            pixels = self._dataset.read(bands, window=RasterWindow(x0, y0, width, height))
        except RasterioError as error:
            raise ImageError(
                f"{self._where}: image does not decode at x {x0}, y {y0}, got {error}; a whole "
                "TIFF is allowed; replace the file"
            ) from error
        return np.ascontiguousarray(np.moveaxis(pixels, 0, 2))


@contextmanager
def open_scene(path: Path, where: str) -> Iterator[SceneImage]:
    """Open an image file of any format for reading by window.

    Args:
        where: what to name in errors.

    Raises:
        ImageError: the file is not a whole 8-bit image; for TIFF possibly only when it is read.
    """
    if path.suffix.lower() not in (".tif", ".tiff"):
        yield _Decoded(path, where)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(path)
        except RasterioError as error:
            raise ImageError(
                f"{where}: image does not decode, got {error}; a whole TIFF is allowed; "
                "replace the file"
            ) from error
    with dataset:
        yield _Raster(dataset, where)


def _refuse_truncated(data: bytes, where: str) -> None:
    if data.startswith(b"\xff\xd8"):
        scan, _ = _jpeg_header(data)
        whole = 0 < scan < data.rfind(b"\xff\xd9")
    elif data.startswith(_PNG):
        whole = data.rfind(b"IEND") > 0
    elif data.startswith(b"BM") and len(data) >= 14:
        declared: int = struct.unpack_from("<I", data, 2)[0]
        whole = len(data) >= declared
    else:
        return
    if not whole:
        raise ImageError(
            f"{where}: image is cut off, got {len(data)} bytes without the format's end; a whole "
            "file is allowed; replace the file"
        )


def _plain(data: bytes) -> tuple[bytes, str] | None:
    if len(data) > KEEP_BYTES:
        return None
    if data.startswith(_PNG) and data[24:26] == b"\x08\x02":
        return data, ".png"
    if data.startswith(b"\xff\xd8") and _jpeg_header(data)[1]:
        return data, ".jpg"
    return None


def _jpeg_header(data: bytes) -> tuple[int, bool]:
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
