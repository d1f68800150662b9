"""What of a release a person should see: telling tiles."""

from __future__ import annotations

import math
from pathlib import Path

from samrs.core.shards import read_table


def example_tiles(release: Path, at_most: int) -> list[str]:
    """Tiles that show the most, the most telling first: classes not yet shown, many instances.

    One tile a scene, since tiles of a scene overlap. Ties go to the smaller tile_id; tiles
    without instances are not examples.

    Args:
        at_most: number of tiles; fewer where a release has fewer.
    """
    scenes = read_table(release, "tiles", ["tile_id", "scene_id"]).to_pandas()
    rows = read_table(release, "instances", ["tile_id", "category_id"]).to_pandas()
    scene_of = dict(zip(scenes["tile_id"], scenes["scene_id"], strict=True))
    classes = {tile: set(group) for tile, group in rows.groupby("tile_id")["category_id"]}
    sizes = rows.groupby("tile_id").size().to_dict()
    chosen: list[str] = []
    unseen = set(rows["category_id"])

    def shows(tile: str) -> float:
        return (1 + len(classes[tile] & unseen)) * math.log2(1 + sizes[tile])

    while classes and len(chosen) < at_most:
        best = min(classes, key=lambda tile: (-shows(tile), tile))
        chosen.append(best)
        unseen -= classes[best]
        classes = {t: c for t, c in classes.items() if scene_of[t] != scene_of[best]}
    return chosen
