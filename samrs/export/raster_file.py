"""Label maps as Cloud Optimized GeoTIFFs, written by GDAL (rasterio) window by window.

A first file takes the windows and their overviews; GDAL's COG driver then puts it in the order that
readers over the network want. Overviews are made before 255 is called nodata: GDAL leaves nodata
out of the vote, and every lone px of an object would grow over its neighbours from one overview to
the next.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import rasterio
import rasterio.shutil
from rasterio.enums import Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning
from rasterio.windows import Window

from samrs.core.errors import ProductError, SamrsError
from samrs.core.records import IGNORE, Georeference
from samrs.export.files import check_room, write_file
from samrs.export.scene_maps import Painted

BLOCK = 512
"""Px of a block's side. An overview is made for each halving down to one block."""

AROUND = 4
"""Bytes that a Cloud Optimized GeoTIFF has behind each block."""

CACHE = 32 * 2**20
"""Bytes of blocks that GDAL holds."""

PACKED = {"compress": "deflate", "bigtiff": "if_safer"}
FILE = {
    "driver": "GTiff",
    "count": 1,
    "dtype": "uint8",
    "photometric": "palette",
    "tiled": True,
    "blockxsize": BLOCK,
    "blockysize": BLOCK,
    **PACKED,
}
COG = {"driver": "COG", "blocksize": BLOCK, **PACKED}


def write_label_map(
    path: Path,
    size_hw: tuple[int, int],
    windows: Iterable[Painted],
    *,
    place: Georeference | None,
    palette: Sequence[tuple[int, int, int]],
    tags: Mapping[str, str],
) -> None:
    """Write a map of labels.

    Args:
        path: of the file, in a folder that is made.
        size_hw: of the map, px.
        windows: its parts, each once; corners are multiples of BLOCK.
        place: where it lies; None: nowhere.
        palette: RGB of each label.
        tags: what is told of the map in the file.

    Raises:
        ProductError: a GeoTIFF cannot hold its coordinate system.
        OSError: there is no room.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    first = path.with_name(f"{path.name}.windows")
    write_file(first, b"")  # the system's own error, where nothing can be written
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            _write_windows(first, size_hw, windows, place, palette)
            with rasterio.open(first, "r+") as file:
                file.build_overviews(_halvings(size_hw), Resampling.mode)
            with rasterio.open(first, "r+") as file:
                file.nodata = IGNORE
                file.update_tags(**tags)
            rasterio.shutil.copy(first, path, **COG)
            _check_whole(path)
            _check_place(path, place)
        except Exception as error:  # GDAL's own are of no class that rasterio names
            if not isinstance(error, SamrsError):
                check_room(path, first.stat().st_size)
            raise
        finally:
            first.unlink(missing_ok=True)


def _write_windows(
    path: Path,
    size_hw: tuple[int, int],
    windows: Iterable[Painted],
    place: Georeference | None,
    palette: Sequence[tuple[int, int, int]],
) -> None:
    on_map = {} if place is None else {"crs": _system(place), "transform": _affine(place)}
    height, width = size_hw
    with rasterio.open(path, "w", height=height, width=width, **FILE, **on_map) as file:
        colours = {label: (*rgb, 255) for label, rgb in enumerate(palette)}
        file.write_colormap(1, {**colours, IGNORE: (255, 255, 255, 0)})
        for x0, y0, labels in windows:
            file.write(labels, 1, window=Window(x0, y0, labels.shape[1], labels.shape[0]))


def _system(place: Georeference) -> rasterio.CRS:
    try:
        return rasterio.CRS.from_wkt(place.crs)
    except CRSError as error:
        raise ProductError(
            f"map: no coordinate system, got {place.crs[:80]!r}; WKT2 is allowed; make the release "
            "again"
        ) from error


def _affine(place: Georeference) -> rasterio.Affine:
    return rasterio.Affine(*place.transform)


def _halvings(size_hw: tuple[int, int]) -> list[int]:
    """By what an overview is smaller, for each, the last of them one block."""
    found = [2]
    while max(size_hw) > BLOCK * found[-1]:
        found.append(2 * found[-1])
    return found if max(size_hw) > BLOCK else []


def _check_whole(path: Path) -> None:
    """Refuse a file whose end is not there: where the disk is full, GDAL leaves it out in silence.

    Raises:
        OSError: the last block, which is the file's end, reaches beyond it.
    """
    with rasterio.open(path) as file:
        last = "_".join(str((side - 1) // BLOCK) for side in (file.width, file.height))
        place, size = (
            int(file.get_tag_item(f"BLOCK_{what}_{last}", "TIFF", bidx=1) or 0)
            for what in ("OFFSET", "SIZE")
        )
    if not place or place + size + AROUND > path.stat().st_size:
        raise OSError(errno.EIO, "not written to its end", str(path))


def _check_place(path: Path, place: Georeference | None) -> None:
    """Refuse to lose where a map lies.

    Raises:
        ProductError: the file tells another place, or none.
    """
    with rasterio.open(path) as file:
        if place is None or (file.crs == _system(place)
                             and file.transform.almost_equals(_affine(place), 1e-9)):  # fmt: skip
            return
        raise ProductError(
            f"{path}: a GeoTIFF cannot hold where it lies, got {place.name}, read back as "
            f"{file.crs}; a coordinate system that GeoTIFF's keys can tell is allowed; "
            "reproject the dataset's images, or take gpkg"
        )
