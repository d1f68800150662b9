"""Opening a raster to be read by window: a file of a known format, or one on the web by range.

Only the driver of the format that the content has is asked. Files beside the raster (``.aux.xml``)
are not believed. Of a virtual raster GDAL sees what ``virtual_raster.py`` takes over, and of the
web only what the user names is opened, as GeoTIFF.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning, RasterioError

from samrs.core.errors import ImageError, ImageSizeError, SourceError
from samrs.core.records import Opening
from samrs.reading.image_format import KINDS, MAP_KINDS, VIRTUAL, Kind, image_kind
from samrs.reading.virtual_raster import clean_virtual_raster

LARGEST_PX = 2**30
"""Most px an image may have: 32,768 x 32,768; DOTA's largest scene has 0.8e9."""

LARGEST_BLOCK = 2**28
"""Most bytes that GDAL may have to decode at once: a TIFF of one compressed strip has one block."""

_GDAL = {
    "GDAL_CACHEMAX": 384 * 2**20,  # the lines under a row of tiles; rasterio counts bytes
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "YES",  # damaged data is no image
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": "NO",  # its own decoder makes up the rows that are missing
    "GDAL_PAM_ENABLED": "NO",  # write nothing beside the file, believe nothing there
}
_WEB = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # ask for nothing but the file
    "GDAL_HTTP_CONNECTTIMEOUT": "20",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "64",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",
    "GDAL_HTTP_MAX_RETRY": "4",
    "GDAL_HTTP_NETRC": "NO",
    "CPL_VSIL_CURL_USE_HEAD": "NO",  # many servers refuse it
}


@contextmanager
def opened(path: Path, where: str, opening: Opening | None) -> Iterator[tuple[Any, Kind]]:
    """rasterio's dataset of a raster, and the format that its content has.

    Args:
        path: of its file, where it is one.
        where: what to name in errors.
        opening: of a raster on a map; None of any image.

    Raises:
        ImageError: the file is no whole raster; or one of its subclasses.
        SourceError: it lies on the web and does not open.
    """
    url = None if opening is None else opening.url
    shown: Path | str = url or path
    if url is not None:
        kind = KINDS[0]
    else:
        kind = image_kind(path, where, KINDS if opening is None else MAP_KINDS)
        if kind.driver == VIRTUAL:
            shown = clean_virtual_raster(path, where, opening.within if opening else ())
    with rasterio.Env(**_GDAL, **(_WEB if url else {})), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            dataset = rasterio.open(shown, driver=kind.driver)
        except RasterioError as error:
            if url is not None:
                raise unreachable(where, str(error)) from error
            raise ImageError(
                f"{where}: image does not decode, got {error}; a whole {kind.driver} is allowed; "
                "replace the file"
            ) from error
        with dataset:
            _refuse_bomb(dataset, where, (opening and opening.most_px) or LARGEST_PX)
            yield dataset, kind


def unreachable(where: str, got: str) -> SourceError:
    """The error for a raster on the web that cannot be read, which says nothing about the data.

    Args:
        where: its address.
        got: what GDAL says.
    """
    return SourceError(
        f"{where}: cannot be read, got {got}; a GeoTIFF on a server that sends ranges is needed; "
        "look whether it is there, and try again"
    )


def _refuse_bomb(dataset: Any, where: str, most_px: int) -> None:
    width, height = dataset.width, dataset.height
    if width * height > most_px:
        raise ImageSizeError(
            f"{where}: image is too large, got {width} x {height} px; {most_px} px are allowed; "
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
