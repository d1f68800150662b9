"""What decoders fill in without a word where a file lacks it: scans of a JPEG, blocks of a TIFF.

libjpeg shows a progressive JPEG with what scans there are, GDAL reads a block that a TIFF does not
have as zeros, and libtiff paints what a damaged JPEG or fax block lacks and warns. None of them is
an error there; here each is.
"""

from __future__ import annotations

import logging
import mmap
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from samrs.core.tiling import Window

_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker in a JPEG's data: no stuffed byte, no restart, no filling."""

_SCAN, _END = 0xDA, 0xD9
_COEFFICIENTS = 64

_DAMAGE = re.compile(
    r"JPEGLib:\s*(Premature|Corrupt|Inconsistent)|Fax\w+:\s*(Premature|Line length|Bad code)"
)
"""libtiff's warnings that mean px it made up."""

_WARNINGS = logging.getLogger("rasterio._err")
"""Where rasterio puts GDAL's warnings, in the thread that reads."""


def scans_are_complete(data: bytes | mmap.mmap, frame: int, scan: int) -> bool:
    """Whether the scans of a JPEG bring each coefficient of each component, to its last bit.

    Args:
        data: the file.
        frame: where the marker of its frame (SOF) is.
        scan: where that of its first scan (SOS) is.
    """
    num_components = data[frame + 9]
    components = [data[frame + 10 + 3 * i] for i in range(num_components)]
    left = {c: [True] * _COEFFICIENTS for c in components}  # what no scan has ended yet
    at = scan
    while at + 4 <= len(data) and data[at + 1] != _END:
        after = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == _SCAN:
            count = data[at + 4]
            first, last, approximation = data[at + 5 + 2 * count : at + 8 + 2 * count]
            for i in range(count):
                bands = left.get(data[at + 5 + 2 * i], [])
                span = len(bands[first : last + 1])
                bands[first : last + 1] = [approximation & 15 > 0] * span
        found = _MARKER.search(data, after)
        if found is None:
            break
        at = found.start()
    return not any(any(bands) for bands in left.values())


def missing_block(dataset: Any, bands: list[int], window: Window) -> tuple[int, int] | None:
    """The x and y, in px, of a block that a TIFF does not have and a window needs; else None.

    A file that names a nodata value may leave out blocks: they hold no measurement.

    Args:
        dataset: rasterio's, of a TIFF.
        bands: numbers of the bands that are read, from 1.
        window: what is read of it.
    """
    if dataset.nodata is not None:
        return None
    x0, y0, width, height = window
    for band in bands[:1] if dataset.interleaving.name == "pixel" else bands:
        high, wide = dataset.block_shapes[band - 1]
        for row in range(y0 // high, -(-(y0 + height) // high)):
            for column in range(x0 // wide, -(-(x0 + width) // wide)):
                name = f"BLOCK_OFFSET_{column}_{row}"
                offset = dataset.get_tag_item(name, "TIFF", bidx=band)
                if not int(offset or 0):
                    return column * wide, row * high
    return None


class _Hearer(logging.Handler):
    """Keeps the warnings that mean damage, of each thread for itself."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._heard = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        told = record.getMessage()
        heard = getattr(self._heard, "told", None)
        if heard is not None and _DAMAGE.search(told):
            heard.append(told.partition(":")[2].strip())

    @contextmanager
    def listening(self) -> Iterator[list[str]]:
        self._heard.told = []
        try:
            yield self._heard.told
        finally:
            self._heard.told = None


_HEARER = _Hearer()


@contextmanager
def damage_told() -> Iterator[list[str]]:
    """A list that gets what GDAL says within of px that it made up, in this thread."""
    if _HEARER not in _WARNINGS.handlers:
        _WARNINGS.addHandler(_HEARER)
    if not _WARNINGS.isEnabledFor(logging.WARNING):
        _WARNINGS.setLevel(logging.WARNING)
    with _HEARER.listening() as told:
        yield told
