"""Whole tiles with the outlines of their masks and boxes over them, in colours that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import hbb_to_polygon
from samrs.drawing.html import jpeg_uri
from samrs.drawing.marks import mark
from samrs.drawing.overlay import Tile, fit, load_tiles
from samrs.drawing.tables import number
from samrs.export.outlines import path_of
from samrs.gallery.cards import outline
from samrs.gallery.gallery import named

SIDE, JPEG = 720, 80
"""Longest side of a picture, px, and quality of its JPEG."""


def marks(counts: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """A ``colour`` and a line (``dash``) for each class that has instances.

    Args:
        counts: instances of each class; the most frequent ones differ in colour.
    """
    order = sorted((name for name in counts if counts[name]), key=lambda n: (-counts[n], n))
    return {
        name: dict(zip(("colour", "dash"), mark(place), strict=True))
        for place, name in enumerate(order)
    }


def tiles(
    name: str, release: Path, tile_ids: Sequence[str], marked: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """What a page shows of some tiles, in their order.

    Args:
        name: of the release in the page.
        release: the release product.
        tile_ids: which tiles.
        marked: as ``marks`` gives it, of all classes of these tiles.

    Returns:
        Of each ``id``, ``link``, ``tile_id``, ``picture`` (a data URI), its ``width`` and
        ``height``, ``instances``, and ``classes``, the most frequent first: ``name``, ``count``,
        ``colour``, ``dash``, ``largest`` (px), and paths of the ``masks``, the largest first, and
        of the ``boxes``.
    """
    return [_tile(name, tile, marked) for tile in load_tiles(release, tile_ids)]


def _tile(name: str, tile: Tile, marked: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    picture = fit(tile.image, SIDE)
    scale = picture.shape[1] / tile.image.shape[1]
    rows = sorted(tile.rows, key=lambda row: (-row["area"], row["instance_id"]))
    classes: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        classes.setdefault(row["category"], []).append(row)
    return {
        **named(f"tile/{name}/{tile.tile_id}"),
        "tile_id": tile.tile_id,
        "picture": jpeg_uri(picture, JPEG),
        "width": picture.shape[1],
        "height": picture.shape[0],
        "instances": number(len(rows)),
        "classes": [
            {
                "name": category,
                "count": number(len(of)),
                **marked[category],
                "largest": of[0]["area"],
                "masks": [path_of(outline(row, np.zeros(2), scale)) for row in of if row["area"]],
                "boxes": path_of(hbb_to_polygon(row["hbb"]) * scale for row in of),
            }
            for category, of in sorted(classes.items(), key=lambda item: (-len(item[1]), item[0]))
        ],
    }
