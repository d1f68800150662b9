"""Reading a scene's image by window, always as 8-bit RGB, and only if the file is whole.

GDAL (through rasterio) decodes every format a window at a time, so that memory does not grow with
the scene. Grey is repeated, palettes are looked up, CMYK is converted, a fourth channel is left
out; of more than three bands those that say they are red, green and blue are taken, else the first
three. More than 8 bits are stretched between percentiles of the whole scene, so that its tiles
agree. A picture is turned as its orientation tag says, unless it lies on a map.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow

from samrs.core.errors import ImageError, ImageSizeError
from samrs.core.tiling import Window
from samrs.reading.completeness import damage_told, missing_block
from samrs.reading.ground import georeference, ground_sample_distance
from samrs.reading.image_format import Kind, header_size, image_kind, orientation, plain_file
from samrs.reading.stretch import percentile_range, stretch_bands
from samrs.reading.turning import AS_STORED, Turn

LARGEST_PX = 2**30
"""Most px an image may have: 32,768 x 32,768; DOTA's largest scene has 0.8e9."""

HEADER_SIDE = 2**13
"""Sides from which on an image is opened to tell whether it is too large."""

LARGEST_BLOCK = 2**28
"""Most bytes that GDAL may have to decode at once: a TIFF of one compressed strip has one block."""

SAMPLE_SIDE = 1024
"""Percentiles are those of the scene thinned out to this side."""

_GDAL = {
    "GDAL_CACHEMAX": 384 * 2**20,  # the lines under a row of tiles; rasterio counts bytes
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # damaged data is no image
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",  # its own decoder makes up the rows that are missing
    "GDAL_PAM_ENABLED": "NO",  # write nothing beside the file, believe nothing there
}
_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_CMYK = (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black)


class SceneImage:
    """An open image; made by ``open_scene``.

    Args:
        dataset: rasterio's.
        path: of the file.
        kind: the format that its content has.
        where: the file, for errors.
        stretch: percent cut at either end of more than 8 bits; None refuses these.

    Attributes:
        size_wh: width and height in px, of the turned image.
        stored_wh: width and height of the image as its file stores it.
        ground: metres per px where the file is georeferenced, else None.
        georeference: where it lies, else None.
    """

    def __init__(
        self,
        dataset: Any,
        path: Path,
        kind: Kind,
        where: str,
        stretch: float | None,
    ) -> None:
        self.stored_wh: tuple[int, int] = (dataset.width, dataset.height)
        self.ground = ground_sample_distance(dataset)
        self.georeference = georeference(dataset)
        self._dataset, self._path, self._kind, self._where = dataset, path, kind, where
        self._stretch = stretch
        on_map = self.georeference is not None
        self._turn = AS_STORED if on_map else Turn.of(orientation(path, kind))
        self.size_wh = self._turn.size(self.stored_wh)
        self._bands, self._palette = _bands(dataset)
        self._eight_bit = set(dataset.dtypes) == {"uint8"}
        self._inverted = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
        if not self._eight_bit and (stretch is None or np.dtype(dataset.dtypes[0]).kind == "c"):
            raise ImageError(
                f"{where}: not an 8-bit image, got bands {dataset.dtypes}; 8 bits are allowed "
                "here; convert the file"
            )

    @cached_property
    def plain(self) -> tuple[bytes, str] | None:
        """The file's own bytes and suffix, where any reader shows them alike (``plain_file``)."""
        if self._turn != AS_STORED:
            return None
        return plain_file(self._path, self._kind)

    def read(self, window: Window | None = None) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) uint8 RGB of a window inside the scene, or of the whole scene.

        Raises:
            ImageError: that part of the file does not decode.
        """
        window = self._turn.stored(window or Window(0, 0, *self.size_wh), self.size_wh)
        return self._turn.turned(self._rgb(window))

    def _rgb(self, window: Window) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of a window of the image as it is stored."""
        pixels = self._read(window)
        if self._palette is not None:
            return np.ascontiguousarray(self._palette[pixels[0]])
        if not self._eight_bit:
            pixels = stretch_bands(pixels, self._ranges, self._dataset.nodata)
        elif self._levels < 255:
            pixels = pixels * np.uint8(255 // self._levels)
        if len(pixels) == 4:
            light, black = 255 - pixels[:3].astype(np.uint16), 255 - pixels[3:].astype(np.uint16)
            pixels = (light * black // 255).astype(np.uint8)
        rgb = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
        return np.ascontiguousarray(np.moveaxis(rgb, 0, 2))

    @cached_property
    def _ranges(self) -> NDArray[np.float64]:
        width, height = self.stored_wh
        step = max(1, -(-max(width, height) // SAMPLE_SIDE))
        thin_hw = (max(1, height // step), max(1, width // step))
        sample = self._read(Window(0, 0, width, height), thin_hw)
        return percentile_range(sample, self._stretch or 0.0, self._dataset.nodata)

    @cached_property
    def _levels(self) -> int:
        """Largest value of a px: 255 but for 1-, 2- and 4-bit files."""
        bits = self._dataset.tags(self._bands[0], ns="IMAGE_STRUCTURE").get("NBITS", "8")
        return int((1 << int(bits)) - 1)

    def as_stored(self) -> None:
        """Do not turn the image: its annotations are of the picture as it is stored."""
        self._turn, self.size_wh = AS_STORED, self.stored_wh

    def _read(self, window: Window, out_hw: tuple[int, int] | None = None) -> NDArray[Any]:
        shape = None if out_hw is None else (len(self._bands), *out_hw)
        lacking = None
        if self._kind.driver == "GTiff":
            lacking = missing_block(self._dataset, self._bands, window)
        if lacking is not None:
            raise self._damaged(window, f"no data of the block at x {lacking[0]}, y {lacking[1]}")
        try:
            with damage_told() as told:
                pixels = self._dataset.read(
                    self._bands, window=RasterWindow(*window), out_shape=shape
                )
        except RasterioError as error:
            raise self._damaged(window, f"{error.__cause__ or error}") from error
        if told:
            raise self._damaged(window, told[0])
        if self._inverted and pixels.dtype.kind == "u":  # the file says that its least is white
            largest = self._levels if self._eight_bit else np.iinfo(pixels.dtype).max
            pixels = pixels.dtype.type(largest) - pixels
        return np.asarray(pixels)

    def _damaged(self, window: Window, got: str) -> ImageError:
        return ImageError(
            f"{self._where}: image does not decode at x {window.x0}, y {window.y0}, got {got}; a "
            f"whole {self._kind.driver} is allowed; replace the file"
        )


@contextmanager
def open_scene(path: Path, where: str, stretch: float | None = None) -> Iterator[SceneImage]:
    """Open an image file of any format for reading by window.

    Args:
        where: what to name in errors.
        stretch: percent [0, 50) cut at either end where px have more than 8 bits; None refuses
            such files.

    Raises:
        ImageError: the file is not a whole image, which may show only when it is read; or one of
            its subclasses: the name is of another format, the size beyond all bounds.
    """
    kind = image_kind(path, where)
    with rasterio.Env(**_GDAL), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(path, driver=kind.driver)
        except RasterioError as error:
            raise ImageError(
                f"{where}: image does not decode, got {error}; a whole {kind.driver} is allowed; "
                "replace the file"
            ) from error
        with dataset:
            _refuse_bomb(dataset, where)
            yield SceneImage(dataset, path, kind, where, stretch)


def size_of(path: Path | str) -> tuple[int, int] | None:
    """Width and height of an image as it is seen, px; None where it does not open."""
    size_wh = header_size(os.fspath(path))
    if size_wh is not None and max(size_wh) < HEADER_SIDE:
        return size_wh
    path = Path(path)
    try:
        with open_scene(path, path.name, stretch=0.0) as scene:
            return scene.size_wh
    except ImageError:
        return None


def _refuse_bomb(dataset: Any, where: str) -> None:
    width, height = dataset.width, dataset.height
    if width * height > LARGEST_PX:
        raise ImageSizeError(
            f"{where}: image is too large, got {width} x {height} px; {LARGEST_PX} px are allowed; "
            "cut it into parts"
        )
    for (rows, columns), kind in zip(dataset.block_shapes, dataset.dtypes, strict=True):
        num_bytes = rows * columns * np.dtype(kind).itemsize
        if num_bytes > LARGEST_BLOCK:
            raise ImageSizeError(
                f"{where}: image cannot be read in parts, got blocks of {columns} x {rows} px; "
                f"{LARGEST_BLOCK} bytes a block are allowed; write it as a tiled TIFF "
                "(gdal_translate -co TILED=YES)"
            )


def _bands(dataset: Any) -> tuple[list[int], NDArray[np.uint8] | None]:
    """Numbers of the bands to read, from 1: one, three or (CMYK) four; and the palette (256, 3)."""
    meaning = list(dataset.colorinterp)
    if meaning[0] == ColorInterp.palette:
        palette = np.zeros((256, 3), dtype=np.uint8)
        for value, colour in dataset.colormap(1).items():
            if value < len(palette):
                palette[value] = colour[:3]
        return [1], palette
    for wanted in (_CMYK, _RGB):
        if all(colour in meaning for colour in wanted):
            return [meaning.index(colour) + 1 for colour in wanted], None
    return ([1, 2, 3] if dataset.count >= 3 else [1]), None
