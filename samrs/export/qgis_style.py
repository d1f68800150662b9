"""Styles for QGIS: a category with a colour for each class, as QML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

from samrs.core.records import BACKGROUND

FILL = 110
"""Opacity of a polygon's inside, of 255: the picture below shows."""


def qml(categories: Sequence[str], palette: Sequence[tuple[int, int, int]]) -> str:
    """The style of a layer whose column ``class`` holds the categories.

    Args:
        categories: names.
        palette: RGB of each.
    """
    named = "\n".join(
        f'   <category render="true" symbol="{i}" value={quoteattr(name)} label={quoteattr(name)}'
        ' type="string"/>'
        for i, name in enumerate(categories)
    )
    symbols = "\n".join(_symbol(i, *rgb) for i, rgb in enumerate(palette))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology">\n'
        ' <renderer-v2 type="categorizedSymbol" attr="class" enableorderby="0" '
        'symbollevels="0" forceraster="0">\n'
        f"  <categories>\n{named}\n  </categories>\n  <symbols>\n{symbols}\n  </symbols>\n"
        " </renderer-v2>\n</qgis>\n"
    )


def _symbol(number: int, red: int, green: int, blue: int) -> str:
    values = {
        "color": f"{red},{green},{blue},{FILL}",
        "style": "solid",
        "outline_color": f"{red},{green},{blue},255",
        "outline_style": "solid",
        "outline_width": "0.4",
        "outline_width_unit": "MM",
    }
    options = "".join(
        f'\n     <Option name="{key}" type="QString" value="{value}"/>'
        for key, value in values.items()
    )
    return (
        f'   <symbol name="{number}" type="fill" alpha="1" clip_to_extent="1">\n'
        f'    <layer class="SimpleFill" enabled="1" locked="0" pass="0">\n'
        f'     <Option type="Map">{options}\n     </Option>\n    </layer>\n   </symbol>'
    )


def raster_qml(categories: Sequence[str], palette: Sequence[tuple[int, int, int]]) -> str:
    """The style of a label map: band 1 holds label ids.

    Args:
        categories: names, by label; the background is not shown.
        palette: RGB of each.
    """
    entries = "\n".join(
        f'    <paletteEntry value="{label}" color="#{red:02x}{green:02x}{blue:02x}" '
        f'alpha="{0 if name == BACKGROUND else 255}" label='
        f"{quoteattr(name)}/>"
        for label, (name, (red, green, blue)) in enumerate(zip(categories, palette, strict=True))
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology">\n <pipe>\n'
        '  <rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" '
        'nodataColor="">\n'
        f"   <colorPalette>\n{entries}\n   </colorPalette>\n  </rasterrenderer>\n"
        " </pipe>\n</qgis>\n"
    )
