"""Reading a scene's image by window, always as 8-bit RGB, and only if the file is whole.

GDAL (through rasterio) decodes every format a window at a time, so that memory does not grow with
the scene. Grey is repeated, palettes are looked up, CMYK is converted, a fourth channel is left
out; of more than three bands those that say they are red, green and blue are taken, else the first
three. More than 8 bits are stretched between percentiles of the whole scene, so that its tiles
agree. A picture is turned as its orientation tag says, unless it lies on a map.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterWindow

from samrs.core.errors import ImageBandError, ImageError, SamrsError
from samrs.core.records import Opening
from samrs.core.tiling import Window
from samrs.reading.completeness import damage_told, missing_block
from samrs.reading.ground import georeference, ground_sample_distance
from samrs.reading.image_format import Kind, header_size, orientation, plain_file
from samrs.reading.raster_file import opened, unreachable
from samrs.reading.stretch import percentile_range, stretch_bands
from samrs.reading.turning import AS_STORED, Turn

HEADER_SIDE = 2**13
"""Sides from which on an image is opened to tell whether it is too large."""

SAMPLE_SIDE = 1024
"""Percentiles are those of the scene thinned out to this side."""

_RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
_CMYK = (ColorInterp.cyan, ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black)
_AS_IT_IS = Opening()


class SceneImage:
    """An open image; made by ``open_scene``.

    Args:
        dataset: rasterio's.
        path: of the file.
        kind: the format that its content has.
        where: the file, for errors.
        stretch: percent cut at either end of more than 8 bits; None refuses these.
        opening: which bands are shown and how; None as the file says.

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
        opening: Opening | None = None,
    ) -> None:
        self.stored_wh: tuple[int, int] = (dataset.width, dataset.height)
        self.ground = ground_sample_distance(dataset)
        self.georeference = georeference(dataset)
        self._dataset, self._path, self._kind, self._where = dataset, path, kind, where
        self._stretch, self._opening = stretch, opening or _AS_IT_IS
        on_map = self.georeference is not None
        self._turn = AS_STORED if on_map else Turn.of(orientation(path, kind))
        self.size_wh = self._turn.size(self.stored_wh)
        self._bands, self._palette = _bands(dataset, self._opening.bands, where)
        _check_ranges(self._opening.ranges, len(self._bands), where)
        kinds = [dataset.dtypes[band - 1] for band in self._bands]
        self._as_stored = set(kinds) == {"uint8"} and self._opening.ranges is None
        self._eight_bit = set(kinds) == {"uint8"}
        self._inverted = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
        refused = not self._as_stored and stretch is None and self._opening.ranges is None
        if refused or any(np.dtype(kind).kind == "c" for kind in kinds):
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

    def read_measured(self, window: Window) -> NDArray[np.uint8] | None:
        """As ``read``; None where the image lies on a map and no px there is a measurement.

        Args:
            window: inside the scene.

        Raises:
            ImageError: that part of the file does not decode.
        """
        if self.georeference is None or not self._may_lack:
            return self.read(window)
        pixels = self._read(window)
        valid = self._valid(pixels, window)
        return self._shown(pixels, valid) if valid.any() else None

    def _rgb(self, window: Window) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of a window of the image as it is stored."""
        pixels = self._read(window)
        return self._shown(pixels, None if self._as_stored else self._valid(pixels, window))

    def _shown(self, pixels: NDArray[Any], valid: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """Values (B, h, w) of the file as RGB (h, w, 3); ``valid`` is not asked of 8 bits."""
        pixels = self._upright_scale(pixels)
        if self._palette is not None:
            return np.ascontiguousarray(self._palette[pixels[0]])
        if not self._as_stored:
            assert valid is not None
            pixels = stretch_bands(pixels, self._ranges, valid)
        elif self._levels < 255:
            pixels = pixels * np.uint8(255 // self._levels)
        if len(pixels) == 4:
            light, black = 255 - pixels[:3].astype(np.uint16), 255 - pixels[3:].astype(np.uint16)
            pixels = (light * black // 255).astype(np.uint8)
        rgb = np.broadcast_to(pixels, (3, *pixels.shape[1:]))
        return np.ascontiguousarray(np.moveaxis(rgb, 0, 2))

    @cached_property
    def _ranges(self) -> NDArray[np.float64]:
        if self._opening.ranges is not None:
            told = np.array(self._opening.ranges, dtype=np.float64)
            return np.ascontiguousarray(np.broadcast_to(told, (len(self._bands), 2)))
        width, height = self.stored_wh
        step = max(1, -(-max(width, height) // SAMPLE_SIDE))
        thin_hw = (max(1, height // step), max(1, width // step))
        whole = Window(0, 0, width, height)
        sample = self._read(whole, thin_hw)
        valid = self._valid(sample, whole, thin_hw)
        return percentile_range(self._upright_scale(sample), self._stretch or 0.0, valid)

    @cached_property
    def _masked(self) -> bool:
        """Whether the file has a mask or an alpha band beside its values."""
        flags = self._dataset.mask_flag_enums
        return any(MaskFlags.per_dataset in flags[band - 1] for band in self._bands)

    @cached_property
    def _may_lack(self) -> bool:
        """Whether some px may be no measurement."""
        nodata = [self._dataset.nodatavals[band - 1] for band in self._bands]
        told = self._opening.nodata is not None or any(value is not None for value in nodata)
        kinds = {np.dtype(self._dataset.dtypes[band - 1]).kind for band in self._bands}
        return told or self._masked or "f" in kinds

    def _valid(
        self, pixels: NDArray[Any], window: Window, out_hw: tuple[int, int] | None = None
    ) -> NDArray[np.bool_]:
        """Which values (B, h, w) are measurements: finite, no nodata value, not masked."""
        valid = np.isfinite(pixels)
        for number, band in enumerate(self._bands):
            for nodata in (self._dataset.nodatavals[band - 1], self._opening.nodata):
                if nodata is not None:
                    valid[number] &= pixels[number] != nodata
        if self._masked:
            shape = None if out_hw is None else (len(self._bands), *out_hw)
            with self._decoding(window):
                valid &= (
                    self._dataset.read_masks(
                        self._bands, window=RasterWindow(*window), out_shape=shape
                    )
                    > 0
                )
        return np.asarray(valid)

    @cached_property
    def _levels(self) -> int:
        """Largest value of a px: 255 but for 1-, 2- and 4-bit files."""
        bits = self._dataset.tags(self._bands[0], ns="IMAGE_STRUCTURE").get("NBITS", "8")
        return int((1 << int(bits)) - 1)

    def as_stored(self) -> None:
        """Do not turn the image: its annotations are of the picture as it is stored."""
        self._turn, self.size_wh = AS_STORED, self.stored_wh

    def _read(self, window: Window, out_hw: tuple[int, int] | None = None) -> NDArray[Any]:
        """Values (B, h, w) as the file has them."""
        shape = None if out_hw is None else (len(self._bands), *out_hw)
        lacking = None
        if self._kind.driver == "GTiff" and self._opening.nodata != 0:  # a missing block reads as 0
            lacking = missing_block(self._dataset, self._bands, window)
        if lacking is not None:
            raise self._damaged(window, f"no data of the block at x {lacking[0]}, y {lacking[1]}")
        with self._decoding(window):
            return np.asarray(
                self._dataset.read(self._bands, window=RasterWindow(*window), out_shape=shape)
            )

    @contextmanager
    def _decoding(self, window: Window) -> Iterator[None]:
        try:
            with damage_told() as told:
                yield
        except RasterioError as error:
            raise self._damaged(window, f"{error.__cause__ or error}") from error
        if told:
            raise self._damaged(window, told[0])

    def _upright_scale(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """The values, turned round where the file says that its least is white."""
        if not self._inverted or pixels.dtype.kind != "u":
            return pixels
        largest = self._levels if self._eight_bit else np.iinfo(pixels.dtype).max
        return np.asarray(pixels.dtype.type(largest) - pixels)

    def _damaged(self, window: Window, got: str) -> SamrsError:
        if self._opening.url is not None:
            return unreachable(self._where, got)
        return ImageError(
            f"{self._where}: image does not decode at x {window.x0}, y {window.y0}, got {got}; a "
            f"whole {self._kind.driver} is allowed; replace the file"
        )


@contextmanager
def open_scene(
    path: Path, where: str, stretch: float | None = None, opening: Opening | None = None
) -> Iterator[SceneImage]:
    """Open an image file of any format for reading by window.

    Args:
        where: what to name in errors.
        stretch: percent [0, 50) cut at either end where px have more than 8 bits; None refuses
            such files.
        opening: of a raster on a map: more formats, and how it is shown. None: an image.

    Raises:
        ImageError: the file is not a whole image, which may show only when it is read; or one of
            its subclasses: the name is of another format, the size beyond all bounds.
        SourceError: it lies on the web and cannot be read.
    """
    with opened(path, where, opening) as (dataset, kind):
        yield SceneImage(dataset, path, kind, where, stretch, opening)


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


def _check_ranges(ranges: Sequence[tuple[float, float]] | None, bands: int, where: str) -> None:
    """Refuse ranges of another number of bands than those that are shown."""
    if ranges is not None and len(ranges) not in (1, bands):
        raise ImageBandError(
            f"{where}: ranges are of other bands, got {len(ranges)} ranges for {bands} bands; one "
            "for all, or one for each, is allowed; choose bands, or other ranges"
        )


def _bands(
    dataset: Any, chosen: Sequence[int] | None, where: str
) -> tuple[list[int], NDArray[np.uint8] | None]:
    """Numbers of the bands to read, from 1: one, three or (CMYK) four; and the palette (256, 3)."""
    if chosen is not None:
        if max(chosen) > dataset.count:
            raise ImageBandError(
                f"{where}: band is not there, got band {max(chosen)} of {dataset.count}; bands of "
                "the file are allowed; choose others"
            )
        return list(chosen), None
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
