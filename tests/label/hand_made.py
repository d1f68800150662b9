"""A normalized product with true masks, written by hand: turned bright boxes on dark noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import clip_hbb, polygon_to_hbb, rotated_box_to_polygon
from samrs.core.images import encode_rgb
from samrs.core.records import INSTANCES, TILES, TRUTH
from samrs.core.rle import polygons_to_rle, rle_to_mask
from samrs.core.shards import read_manifest, read_table, write_manifest, write_table

SIZE_HW = (120, 160)
CATEGORIES = ("ship", "plane")
SHAPES = {  # tile: centre x, y, width, height, angle of each instance
    "a__0_0": [(40, 40, 50, 14, 0.4), (110, 80, 24, 10, 1.2), (158, 60, 20, 20, 0.0)],
    "b__0_0": [],
    "c__0_0": [(80, 60, 90, 60, 0.0), (20, 100, 8, 5, 0.7)],
}


def write_product(product: Path, *, with_truth: bool = True) -> Path:
    """Tiles a, b (no boxes) and c; the last instance of a has no rotated box."""
    tables: dict[str, list[dict[str, Any]]] = {"tiles": [], "instances": [], "truth": []}
    for tile, shapes in SHAPES.items():
        image = np.random.default_rng(len(shapes)).integers(20, 60, (*SIZE_HW, 3), dtype=np.uint8)
        for k, shape in enumerate(shapes):
            obb = rotated_box_to_polygon(*shape)
            rle = polygons_to_rle([obb], SIZE_HW)
            image[rle_to_mask(rle)] += np.uint8(100 + 20 * k)
            hbb = polygon_to_hbb(obb)
            tables["instances"].append(
                {
                    "instance_id": f"{tile[0]}-{k}",
                    "tile_id": tile,
                    "category_id": k % 2,
                    "category": CATEGORIES[k % 2],
                    "hbb": clip_hbb(hbb, SIZE_HW[::-1]).tolist(),
                    "hbb_annotated": hbb.tolist(),
                    "obb": None if (tile[0], k) == ("a", 2) else obb.ravel().tolist(),
                    "difficult": False,
                    "visible": 1.0,
                    "source_file": f"{tile[0]}.txt",
                    "source_line": k + 1,
                }
            )
            tables["truth"].append({"instance_id": f"{tile[0]}-{k}", "tile_id": tile, "rle": rle})
        tables["tiles"].append(
            {
                "tile_id": tile,
                "scene_id": tile[0],
                "split": "all",
                "x0": 0,
                "y0": 0,
                "width": SIZE_HW[1],
                "height": SIZE_HW[0],
                "gsd": None,
                "image": {"bytes": encode_rgb(image), "path": f"{tile}.png"},
            }
        )
    write_table(product, "tiles", TILES, tables["tiles"])
    write_table(product, "instances", INSTANCES, tables["instances"])
    if with_truth:
        write_table(product, "truth", TRUTH, tables["truth"])
    about = {"product": "normalize", "dataset": "hand", "format": "hand", "subset": None}
    own = {"categories": list(CATEGORIES), "origin": "own", "terms": "free", "parameters": {}}
    write_manifest(product, {**about, **own})
    return product


def many_tiles(at: Path, hand: Path, count: int) -> Path:
    """A product of ``count`` tiles, each the first of the product ``hand`` under another name."""
    tiles = read_table(hand, "tiles").to_pylist()
    instances = read_table(hand, "instances").to_pylist()
    own = [row for row in instances if row["tile_id"] == tiles[0]["tile_id"]]
    names = [f"t{n:02d}" for n in range(count)]
    write_table(at, "tiles", TILES, [{**tiles[0], "tile_id": n} for n in names])
    write_table(at, "instances", INSTANCES, [{**row, "tile_id": n} for n in names for row in own])
    write_manifest(at, {k: v for k, v in read_manifest(hand).items() if k != "files"})
    return at
