"""Small products by hand: discs of a colour for each class on noisy ground."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from samrs.core.images import encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import IGNORE, SEMANTIC, TILES
from samrs.core.shards import write_manifest, write_table

COLOURS = ((200, 40, 40), (40, 200, 40), (40, 40, 220), (220, 220, 40))


def write(
    product: Path, categories: list[str], splits: list[str], *, side: int = 64, ground: int = IGNORE
) -> Path:
    """Write a product, one tile for each of ``splits``; ``ground`` is the label around discs."""
    tiles, semantic = [], []
    for number, split in enumerate(splits):
        rng = np.random.default_rng(number)
        image = rng.integers(90, 130, (side, side, 3), dtype=np.uint8)
        labels = np.full((side, side), ground, np.uint8)
        for category in range(len(categories)):
            if categories[category] != "background":
                centre = tuple(int(v) for v in rng.integers(8, side - 8, 2))
                colour = COLOURS[category % len(COLOURS)]
                cv2.circle(image, centre, side // 8, colour, cv2.FILLED)
                cv2.circle(labels, centre, side // 8, category, cv2.FILLED)
        tiles.append(_tile(f"s{number:02d}__0_0", split, side, encode_rgb(image)))
        label_map = {"bytes": encode_labels(labels), "path": f"s{number:02d}.png"}
        semantic.append({"tile_id": f"s{number:02d}__0_0", "split": split, "label_map": label_map})
    write_table(product, "tiles", TILES, tiles)
    write_table(product, "semantic", SEMANTIC, semantic)
    write_manifest(product, {"dataset": product.name, "categories": categories})
    return product


def _tile(tile_id: str, split: str, side: int, image: bytes) -> dict[str, Any]:
    return {
        "tile_id": tile_id,
        "scene_id": tile_id.split("__")[0],
        "split": split,
        "x0": 0,
        "y0": 0,
        "width": side,
        "height": side,
        "gsd": None,
        "image": {"bytes": image, "path": f"{tile_id}.png"},
    }
