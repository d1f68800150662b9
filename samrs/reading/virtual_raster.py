"""Virtual rasters (GDAL's VRT): what of other files one shows, and that it can do nothing else.

A VRT is XML that names files, addresses and code for GDAL to open and run: it could show any file
of the machine, ask a server, or run Python. So GDAL never sees the file. It is read here, elements
and attributes that place windows of other rasters are taken over, any other is refused, and what
it shows must lie in folders that the user knows of and be a raster of a known format by content.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from samrs.core.errors import ImageError, VirtualRasterError
from samrs.reading.image_format import MAP_KINDS, VIRTUAL, image_kind

LARGEST = 2**26
"""Bytes of a virtual raster: a mosaic of some ten thousand rasters has as many."""

DEEPEST = 8
"""Levels of elements in one another."""

_WINDOW = ("xOff", "yOff", "xSize", "ySize")
_KNOWN: dict[str, tuple[str, ...]] = {
    "VRTDataset": ("rasterXSize", "rasterYSize"),
    "SRS": ("dataAxisToSRSAxisMapping", "coordinateEpoch"),
    "GeoTransform": (),
    "VRTRasterBand": ("dataType", "band", "blockXSize", "blockYSize"),
    "ColorInterp": (),
    "ColorTable": (),
    "Entry": ("c1", "c2", "c3", "c4"),
    "NoDataValue": (),
    "HideNoDataValue": (),
    "MaskBand": (),
    "SimpleSource": ("resampling",),
    "ComplexSource": ("resampling",),
    "SourceFilename": ("relativeToVRT", "shared"),
    "SourceBand": (),
    "SourceProperties": ("RasterXSize", "RasterYSize", "DataType", "BlockXSize", "BlockYSize"),
    "SrcRect": _WINDOW,
    "DstRect": _WINDOW,
    "NODATA": (),
    "ScaleOffset": (),
    "ScaleRatio": (),
    "UseMaskBand": (),
}
"""Elements that are taken over, with their attributes. GDAL takes an attribute for an element of
its name, so none may be unknown."""

_LEFT_OUT = frozenset(["Metadata", "Histograms", "Description", "CategoryNames", "UnitType"])
"""Elements that say nothing of which px are shown."""

_SRS = re.compile(r"[A-Z_]+\[.*\]|EPSG:\d{1,6}", re.DOTALL)
"""A coordinate system in words of its own: GDAL would open files and addresses, too."""


def clean_virtual_raster(path: Path, where: str, within: Sequence[Path]) -> str:
    """A virtual raster as XML that is a mosaic of known files and nothing else, for GDAL to open.

    Args:
        path: of the file.
        where: what to name in errors.
        within: folders that the files it shows may lie in.

    Raises:
        VirtualRasterError: it is more than that, or shows other files.
        ImageError: a file that it shows is of no known format, cut off, or not there.
    """
    clean = _clean(path, where, within)
    for source in sorted(_sources(clean)):
        image_kind(source, f"{where}, in it {source.name}", _SHOWN)
    return tostring(clean, encoding="unicode")


def shown_files(path: Path, where: str, within: Sequence[Path]) -> set[Path]:
    """The files that a virtual raster shows, resolved.

    Args:
        path: of the file.
        where: what to name in errors.
        within: folders that they may lie in.

    Raises:
        ImageError: it is refused, or does not parse.
    """
    return _sources(_clean(path, where, within))


def _sources(clean: Element) -> set[Path]:
    return {Path(element.text or "") for element in clean.iter("SourceFilename")}


def _clean(path: Path, where: str, within: Sequence[Path]) -> Element:
    """A virtual raster, of which only what is known is left, with absolute paths."""
    size = path.stat().st_size
    if size > LARGEST:
        raise _refused(where, f"{size} bytes", f"{LARGEST} are")
    try:
        told: Element = fromstring(path.read_bytes())
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise ImageError(
            f"{where}: image does not decode, got XML that does not parse, {error}; a virtual "
            "raster as gdalbuildvrt writes it is allowed; replace the file"
        ) from error
    if told.tag != "VRTDataset":
        raise _refused(where, f"the element {told.tag!r}", "VRTDataset is")
    clean = Element("VRTDataset")
    _take_over(told, clean, where, 1)
    for element in clean.iter("SourceFilename"):
        element.text = str(_source(path, element, where, within))
        element.set("relativeToVRT", "0")
    return clean


_SHOWN = tuple(kind for kind in MAP_KINDS if kind.driver != VIRTUAL)


def _take_over(told: Element, clean: Element, where: str, level: int) -> None:
    """Copy what is known of an element; refuse all else but what is left out."""
    if level > DEEPEST:
        raise _refused(where, f"more than {DEEPEST} levels", "fewer are")
    for name, value in told.attrib.items():
        if name not in _KNOWN[told.tag]:
            raise _refused(where, f"{told.tag} with {name}={value!r}", "plain mosaics are")
        clean.set(name, value)
    clean.text = told.text
    if told.tag == "SRS" and not _SRS.fullmatch((told.text or "").strip()):
        got = f"the coordinate system {(told.text or '')[:80]!r}"
        raise _refused(where, got, "WKT and EPSG numbers are")
    for element in told:
        if element.tag in _LEFT_OUT:
            continue
        if element.tag not in _KNOWN:
            raise _refused(where, f"the element {element.tag!r}", "plain mosaics are")
        _take_over(element, SubElement(clean, element.tag), where, level + 1)


def _source(path: Path, element: Element, where: str, within: Sequence[Path]) -> Path:
    """The file that an element names, where that lies in one of the folders."""
    told = element.text or ""
    relative = element.get("relativeToVRT") == "1"
    odd = len(element) > 0 or told != told.strip() or not told or "\0" in told
    if odd or ":" in told or told.startswith("/vsi") or not (relative or told.startswith("/")):
        raise _refused(where, f"the source {told[:200]!r}", "paths of files are")
    source = (path.parent / told if relative else Path(told)).resolve()
    if not any(source.is_relative_to(folder.resolve()) for folder in within):
        raise _refused(
            where,
            f"the source {told[:200]!r} elsewhere",
            "files in the data's folder, or in those of the option vrt_folders, are",
        )
    return source


def _refused(where: str, got: str, allowed: str) -> VirtualRasterError:
    return VirtualRasterError(
        f"{where}: virtual raster is refused, got {got}; {allowed} allowed; write it again "
        "(gdalbuildvrt), or as a GeoTIFF (gdal_translate)"
    )
