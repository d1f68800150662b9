"""Small products by hand: discs of a colour for each class on noisy ground."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.images import encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import IGNORE, SEMANTIC, TILES
from samrs.core.shards import write_manifest, write_table

Image = NDArray[np.uint8]

COLOURS = {
    "red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 220), "yellow": (220, 220, 40)
}  # fmt: skip


def write(
    product: Path, categories: list[str], splits: list[str], *, side: int = 64, ground: int = IGNORE
) -> Path:
    """Write a product, one tile for each of ``splits``; ``ground`` is the label around discs."""
    return write_tiles(
        product,
        categories,
        [(split, *_discs(n, categories, side, ground)) for n, split in enumerate(splits)],
    )


def write_tiles(
    product: Path,
    categories: list[str],
    tiles: list[tuple[str, Image, Image]],
    places: Sequence[tuple[str, int, int]] = (),
) -> Path:
    """Write a product of tiles, each its split, image (H, W, 3) and label map (H, W).

    Args:
        places: scene, left and top of each; without them each tile is a scene.
    """
    rows, semantic = [], []
    for number, (split, image, labels) in enumerate(tiles):
        scene, x0, y0 = places[number] if places else (f"s{number:02d}", 0, 0)
        tile_id = f"{scene}__{x0}_{y0}"
        at = {"scene_id": scene, "x0": x0, "y0": y0}
        rows.append({**_tile(tile_id, split, labels.shape, encode_rgb(image)), **at})
        label_map = {"bytes": encode_labels(labels), "path": f"s{number:02d}.png"}
        semantic.append({"tile_id": tile_id, "split": split, "label_map": label_map})
    write_table(product, "tiles", TILES, rows)
    write_table(product, "semantic", SEMANTIC, semantic)
    write_manifest(product, {"dataset": product.name, "categories": categories})
    return product


def _discs(number: int, categories: list[str], side: int, ground: int) -> tuple[Image, Image]:
    rng = np.random.default_rng(number)
    image = rng.integers(90, 130, (side, side, 3), dtype=np.uint8)
    labels = np.full((side, side), ground, np.uint8)
    for category, name in enumerate(categories):
        if name != "background":
            centre = tuple(int(v) for v in rng.integers(8, side - 8, 2))
            colour = COLOURS[name] if name in COLOURS else COLOURS["red"]
            cv2.circle(image, centre, side // 8, colour, cv2.FILLED)
            cv2.circle(labels, centre, side // 8, category, cv2.FILLED)
    return image, labels


def _tile(tile_id: str, split: str, size_hw: tuple[int, ...], image: bytes) -> dict[str, Any]:
    return {
        "tile_id": tile_id,
        "scene_id": tile_id.split("__")[0],
        "split": split,
        "x0": 0,
        "y0": 0,
        "width": size_hw[1],
        "height": size_hw[0],
        "gsd": None,
        "image": {"bytes": image, "path": f"{tile_id}.png"},
    }
