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
            not known, once for each reason.
        places: the tiles' windows. What of a tile lies beyond its window is padding.
    """
    rows = []
    told = _told_once(uncertain)
    nowhere = np.array([outline is None for _, outline in told], dtype=bool)
    hulls = [np.zeros((1, 2)) if outline is None else outline for _, outline in told]
    low = np.array([hull.min(axis=0) for hull in hulls]).reshape(-1, 2)
    high = np.array([hull.max(axis=0) for hull in hulls]).reshape(-1, 2)
    for tile, (x0, y0, width, height) in zip(tiles, places, strict=True):
        whole = (tile["width"], tile["height"])
        met = ((low - [x0, y0] < [width, height]) & (high - [x0, y0] > 0)).all(axis=1)
        for number in np.flatnonzero(met | nowhere).tolist():
            reason, outline = told[number]
            shown = hbb_to_polygon([0, 0, *whole]) if outline is None else outline - [x0, y0]
            rows.append(_row(tile, reason, shown))
        beyond = ([width, 0, *whole], [0, height, *whole])
        rows += [
            _row(tile, PADDING, hbb_to_polygon(box))
            for box in beyond
            if box[2] > box[0] and box[3] > box[1]
        ]
    return rows


def _told_once(uncertain: Sequence[tuple[str, Outline]]) -> list[tuple[str, Outline]]:
    """Without further ones of a reason whose place is not known: they say no more."""
    found: list[tuple[str, Outline]] = []
    reasons: set[str] = set()
    for reason, outline in uncertain:
        if outline is not None or reason not in reasons:
            found.append((reason, outline))
        if outline is None:
            reasons.add(reason)
    return found


def _row(tile: dict[str, Any], reason: str, outline: Any) -> dict[str, Any]:
    corners = [float(v) for v in np.ravel(outline)]
    return {"tile_id": tile["tile_id"], "reason": reason, "outline": corners}
