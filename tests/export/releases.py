"""A release written by hand: masks that are hard to carry over, on tiles that are not square."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS

from samrs.core.images import encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import GEOREFERENCE, JOINED, RELEASED, SCENES, SEMANTIC, TILES
from samrs.core.rle import mask_to_rle, rle_area, rle_to_hbb
from samrs.core.shards import read_manifest, read_table, write_manifest, write_table
from samrs.corrections.counts import COUNTS
from samrs.drawing.palette import palette
from samrs.release.scenes import write_scenes
from samrs.release.thresholds import DROP_REASONS
from tests.products_by_hand import OPEN
from tests.release.one_by_one import paint

UTM = CRS.from_epsg(32633).to_wkt(version="WKT2_2019")
CATEGORIES = ["plane", "ship", "harbor"]
RULE = "smaller_on_top"
WIDTH, HEIGHT = 50, 40
Mask = NDArray[np.bool_]


def blank() -> Mask:
    return np.zeros((HEIGHT, WIDTH), dtype=bool)


def masks() -> dict[str, Mask]:
    """By name: what goes wrong when a mask becomes a polygon."""
    found = {name: blank() for name in ("box", "pixel", "hole", "parts", "corner", "edge", "noise")}
    found["box"][4:10, 3:13] = True
    found["pixel"][20, 30] = True
    found["hole"][10:30, 10:40] = True
    found["hole"][15:20, 20:25] = False
    found["parts"][2:8, 40:48] = True
    found["parts"][30:38, 2:20] = True
    found["corner"][12:16, 12:16] = True
    found["corner"][16:20, 16:20] = True
    found["edge"][:, 45:] = True
    found["edge"][35:, :] = True
    found["noise"][20:36, 5:25] = np.random.default_rng(0).random((16, 20)) < 0.5
    return {**found, "whole": ~blank()}


def instance(name: str, tile: str, label: int, mask: Mask, **changes: Any) -> dict[str, Any]:
    rle = mask_to_rle(mask)
    box = rle_to_hbb(rle).tolist()
    x0, y0, x1, y1 = box
    return {
        "instance_id": f"{tile.split('__')[0]}#{name}",
        "tile_id": tile,
        "category_id": label,
        "category": CATEGORIES[label],
        "hbb": box,
        "hbb_annotated": box,
        "obb": [x0, y0, x1, y0, x1, y1, x0, y1],
        "difficult": False,
        "visible": 1.0,
        "source_file": "labels/a.txt",
        "source_line": 1,
        "rle": rle,
        "area": rle_area(rle),
        "mask_hbb": box,
        "predicted_iou": 0.9,
        "stability_score": None,
        "box_iou": 1.0,
        "obb_iou": 0.75,
        "outside": 0.0,
        "components": 1,
        "recipe": "hbox",
        "fallback": False,
        "made_by": "machine",
        "accepted": False,
        **changes,
    }


def instances() -> list[dict[str, Any]]:
    """Of four tiles: ``a`` and ``c`` have some, ``b.1`` none, ``d`` one."""
    kinds = masks()
    first = ("box", "hole", "corner", "parts")
    rows = [instance(n, "a__0_0", i % 3, kinds[n]) for i, n in enumerate(first)]
    rows[1].update(difficult=True, obb=None, obb_iou=None, visible=0.8)
    second = ("whole", "pixel", "edge", "noise")
    rows += [instance(n, "c__0_0", i % 3, kinds[n]) for i, n in enumerate(second)]
    rows += [instance("box", "d__0_0", 1, kinds["box"])]
    return rows


TILE_IDS = ("a__0_0", "b.1__0_0", "c__0_0", "d__0_0")
SPLITS = ("train", "train", "val", "train")


def tile(name: str, split: str, suffix: str = ".png") -> dict[str, Any]:
    pixels = np.random.default_rng(len(name)).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return {
        "tile_id": name,
        "scene_id": name.split("__")[0],
        "split": split,
        "x0": 0,
        "y0": 0,
        "width": WIDTH,
        "height": HEIGHT,
        "gsd": None,
        "image": {"bytes": encode_rgb(pixels, suffix), "path": f"{name}{suffix}"},
    }


def write_release(
    release: Path,
    *,
    tiles: list[dict[str, Any]] | None = None,
    rows: list[dict[str, Any]] | None = None,
    quality: bool = False,
    crs: str | None = UTM,
    **manifest: Any,
) -> Path:
    """Write a release; ``quality`` fills the column of that name, scenes lie in ``crs``.

    Rows that do not follow their tiles are joined on no scene.
    """
    if tiles is None:
        suffixes = (".png", ".png", ".jpg", ".png")
        tiles = [tile(*three) for three in zip(TILE_IDS, SPLITS, suffixes, strict=True)]
    rows = instances() if rows is None else rows
    names = manifest.get("categories", CATEGORIES)
    rows = [{**row, "category": names[row["category_id"]]} for row in rows]
    if quality:
        rows = [{**row, "quality": 0.75} for row in rows]
    write_table(release, "tiles", TILES, tiles)
    write_table(release, "instances", RELEASED, rows)
    write_table(release, "semantic", SEMANTIC, [_map(t, rows) for t in tiles])
    names_of_tiles = [t["tile_id"] for t in tiles]
    places = [names_of_tiles.index(r["tile_id"]) for r in rows]
    if places == sorted(places):
        scenes = _write_scenes(release, tiles, crs)
    else:
        scenes = {"scenes": 0, "on_a_map": 0, "crs": {}, "instances": 0, "ways": {}}
        for table, schema in (("scenes", SCENES), ("joined", JOINED)):
            write_table(release, table, schema, [])
    pixels = HEIGHT * WIDTH * len(tiles)
    counts = {
        "tiles": len(tiles),
        "tiles_empty": len(tiles) - len({row["tile_id"] for row in rows}),
        "instances": len(rows) + 2,
        "kept": len(rows),
        "pixels": pixels,
        "labelled_pixels": pixels // 4,
        "background_pixels": 0,
        "overpainted_pixels": 7,
        "contested_pixels": 5,
        "dropped": {**dict.fromkeys(DROP_REASONS, 0), "empty_mask": 2},
        "cleaned": {"instances": 0, "removed_pixels": 0, "added_pixels": 0},
        "corrections": {**dict.fromkeys(COUNTS, 0), "conflicts": {}},
        "quality": {"mean": 0.75, "below_half": 0.0},
        "scenes": scenes,
    }
    about = {
        "product": "release",
        "subset": "SOTA",
        "dataset": "dota",
        "terms": "academic use only",
        "categories": CATEGORIES,
        "labels": names,
        "palette": palette(len(names)),
        "parameters": {**OPEN, "overlap": RULE, "background": "none"},
        "recipe": "hbox",
        "segmenter": "sam",
        "model": "nano",
        "model_sha256": "00ff",
        "counts": counts,
        "label_pixels": [0] * len(names),
    }
    write_manifest(release, {**about, **manifest})
    return release


def _write_scenes(release: Path, tiles: list[dict[str, Any]], crs: str | None) -> dict[str, Any]:
    """Scenes side by side, 100 px apart, each of them half a metre a px."""
    with tempfile.TemporaryDirectory() as folder:
        names = dict.fromkeys(t["scene_id"] for t in tiles)
        rows = [
            {"scene_id": name, "crs": crs, "transform": [0.5, 0, 500000 + 50 * i, 0, -0.5, 5000000]}
            for i, name in enumerate(names)
        ]
        if crs is not None:
            write_table(Path(folder), "georeference", GEOREFERENCE, rows)
        write_table(Path(folder), "tiles", TILES, tiles)
        return write_scenes(Path(folder), release)


def _map(tile: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    mine = [row for row in rows if row["tile_id"] == tile["tile_id"]]
    labels = [row["category_id"] for row in mine]
    size = mine[0]["rle"]["size"] if mine else (tile["height"], tile["width"])
    painted, _, _ = paint([row["rle"] for row in mine], labels, tuple(size), RULE)
    image = {"bytes": encode_labels(painted), "path": f"{tile['tile_id']}.png"}
    return {"tile_id": tile["tile_id"], "split": tile["split"], "label_map": image}


def stored(release: Path, table: str = "instances") -> list[dict[str, Any]]:
    """Rows of a table of a release."""
    rows: list[dict[str, Any]] = read_table(release, table).to_pylist()
    return rows


def categories(release: Path) -> list[str]:
    names: list[str] = read_manifest(release)["categories"]
    return names
