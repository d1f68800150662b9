"""Places of a scene where objects may be that have no row in instances, by tile and in tile px.

Release leaves them out of the background (``release/background.py``). A dataset without any has no
such table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from samrs.core.geometry import hbb_to_polygon
from samrs.core.records import Outline
from samrs.core.tiling import Window

PADDING = "padding"


def uncertain_rows(
    tiles: Sequence[dict[str, Any]],
    uncertain: Sequence[tuple[str, Outline]],
    places: Sequence[Window],
) -> list[dict[str, Any]]:
    """Rows of the table uncertain of one scene: each place in every tile that it meets.

    Args:
        tiles: rows of the scene's tiles.
        uncertain: reasons and outlines, scene px; a tile is uncertain as a whole where the place is
            not known.
        places: the tiles' windows. What of a tile lies beyond its window is padding.
    """
    rows = []
    for tile, (x0, y0, width, height) in zip(tiles, places, strict=True):
        whole = (tile["width"], tile["height"])
        for reason, outline in uncertain:
            if outline is None:
                rows.append(_row(tile, reason, hbb_to_polygon([0, 0, *whole])))
                continue
            moved = outline - [x0, y0]
            if (moved.min(axis=0) < [width, height]).all() and (moved.max(axis=0) > 0).all():
                rows.append(_row(tile, reason, moved))
        beyond = ([width, 0, *whole], [0, height, *whole])
        rows += [
            _row(tile, PADDING, hbb_to_polygon(box))
            for box in beyond
            if box[2] > box[0] and box[3] > box[1]
        ]
    return rows


def _row(tile: dict[str, Any], reason: str, outline: Any) -> dict[str, Any]:
    corners = [float(v) for v in np.ravel(outline)]
    return {"tile_id": tile["tile_id"], "reason": reason, "outline": corners}
