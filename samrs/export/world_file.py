"""Where a picture lies, in files beside it: a world file, and GDAL's ``.aux.xml`` with the system.

A world file (ESRI's) holds six lines: a, d, b, e of the transform, and x and y of the centre of the
upper left px. GIS read it by its name: ``.pgw`` beside ``.png``, ``.jgw`` beside ``.jpg``, ``.tfw``
beside ``.tif``. It has no coordinate system; GDAL and QGIS read that in ``a.png.aux.xml``.
"""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

from samrs.core.records import Georeference
from samrs.export.files import write_file


def write_place(picture: Path, place: Georeference) -> None:
    """Write both files beside a picture.

    Args:
        picture: its path; the suffix decides the world file's.
        place: where its upper left corner lies, and how.
    """
    suffix = picture.suffix
    world = picture.with_suffix(f".{suffix[1]}{suffix[-1]}w")
    write_file(world, world_text(place))
    write_file(picture.with_name(f"{picture.name}.aux.xml"), aux_text(place))


def world_text(place: Georeference) -> str:
    """The six lines of a world file.

    Args:
        place: of the picture.
    """
    a, b, c, d, e, f = place.transform
    values = a, d, b, e, c + (a + b) / 2, f + (d + e) / 2
    return "".join(f"{float(value)!r}\n" for value in values)


def aux_text(place: Georeference) -> str:
    """GDAL's metadata of a picture: its system as WKT2, and the transform in GDAL's order.

    Args:
        place: of the picture.
    """
    a, b, c, d, e, f = place.transform
    numbers = ", ".join(repr(float(value)) for value in (c, a, b, f, d, e))
    # without a mapping of axes GDAL takes x first, as the transform has it
    return (
        "<PAMDataset>\n"
        f"  <SRS>{escape(place.crs)}</SRS>\n"
        f"  <GeoTransform>{numbers}</GeoTransform>\n"
        "</PAMDataset>\n"
    )
