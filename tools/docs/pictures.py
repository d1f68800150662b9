"""Draw the docs' pictures from the last run.

    python -m tools.docs.pictures

``boxes_to_masks.jpg``: two tiles of demo SOTA with their boxes and with their masks;
``best_median_worst.jpg``: masks of demo HRSC2016 by the best recipe of the ablation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from samrs.audit.contact_sheet import sheet_lines, write_sheet
from samrs.core.images import encode_rgb
from samrs.drawing.overlay import Image, Tile, load_tiles, resize, with_boxes, with_masks

PICTURES = Path("docs/pictures")
TILES = ("P0000__0_0", "P0001__0_0")
WIDTH, GAP = 600, 8
"""px of a picture and of the white between two."""


def boxes_to_masks(tiles: Sequence[Tile]) -> Image:
    """A row a tile: its boxes on the left, its masks on the right."""
    rows = []
    for tile in tiles:
        height, width = tile.image.shape[:2]
        size_wh = WIDTH, round(WIDTH * height / width)
        rows.append(beside([resize(f(tile), size_wh) for f in (with_boxes, with_masks)], axis=1))
    return beside(rows, axis=0)


def beside(pictures: Sequence[Image], axis: int) -> Image:
    """Pictures of one height beside (axis 1) or of one width below each other (axis 0)."""
    gap = [GAP if a == axis else pictures[0].shape[a] for a in (0, 1)]
    white = np.full((*gap, 3), 255, dtype=np.uint8)
    parts = [part for picture in pictures for part in (white, picture)]
    return np.concatenate(parts[1:], axis=axis)


def main() -> None:
    """Write both pictures."""
    picture = boxes_to_masks(load_tiles(Path("data/release/sota"), TILES))
    (PICTURES / "boxes_to_masks.jpg").write_bytes(encode_rgb(picture, ".jpg", quality=85))
    summary = json.loads(Path("metrics/compare_prompts/summary.json").read_text("utf-8"))
    frame = pd.read_parquet("data/prompt_ablation/instances.parquet")
    best = frame[(frame["kind"] == "recipe") & (frame["recipe"] == summary["best"])]
    lines = sheet_lines(Path("data/normalize/hrsc2016"), best)
    write_sheet(lines, PICTURES / "best_median_worst.jpg")


if __name__ == "__main__":
    main()
