"""Procedural scenes with boxes such as annotators draw, as a normalized product with true masks.

What the estimate of a mask's quality is fitted on (``fit_quality.py``) and first measured on
(``benchmarks/quality.py``). Images are magnified, recoloured, blurred and compressed as nano's
training crops are, half of them; boxes are tight, loose, careless, or hulls of rotated boxes; four
scenes of ten have no rotated boxes. Rare scenes show more of what is large, hollow or seldom, and
of each kind about as much. All follows from the scenes' seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samrs.core.geometry import Array, clip_hbb, polygon_to_hbb
from samrs.core.images import encode_rgb
from samrs.core.parallel import map_stream
from samrs.core.records import INSTANCES, TILES, TRUTH, obb_rows, tile_id
from samrs.core.rle import mask_to_rle
from samrs.core.shards import ShardWriter, fresh_product, write_manifest
from samrs.nano.items import distort_colours
from samrs.scenes.render import render_scene
from samrs.scenes.scene import KINDS, SceneObject

SIDES = (512, 640, 768, 1024)
"""Sides of the images, px."""
PROCESSES = 16
"""From so many scenes on each core draws some."""
MOST = 20
"""Instances a scene."""
LEAST_AREA = 12
DENSITY = (0.6, 2.0)

Row = dict[str, Any]
Rng = np.random.Generator


@dataclass(frozen=True)
class Style:
    """How scenes are drawn.

    Args:
        gsd: metres per px, least and most, of half the scenes.
        zoom: half the scenes are magnified by up to this.
        themes: of ``samrs.scenes.render``, for ``themed`` of the scenes; the others' are left open.
        evenly: whether of each kind about as many instances are taken.
    """

    gsd: tuple[float, float] = (0.12, 1.0)
    zoom: float = 2.3
    themes: tuple[str, ...] = ()
    themed: float = 0.0
    evenly: bool = False


USUAL = Style()
RARE = Style(
    gsd=(0.15, 1.2),
    zoom=3.0,
    themes=("airport", "airport", "sports", "sports", "marina", "river", "collage"),
    themed=0.6,
    evenly=True,
)


def write_scenes(out: Path, seeds: Iterable[int], style: Style = USUAL) -> Path:
    """Write the tables tiles, instances and truth of one scene a seed; returns ``out``.

    Args:
        seeds: one a scene.
    """
    fresh_product(out)
    with (
        ShardWriter(out, "tiles", TILES) as tiles,
        ShardWriter(out, "instances", INSTANCES) as instances,
        ShardWriter(out, "truth", TRUTH) as truth,
    ):
        many = list(seeds)
        drawn = map_stream(partial(draw, style=style), many, processes=len(many) >= PROCESSES)
        for tile, rows, masks in drawn:
            tiles.write(tile)
            for row, mask in zip(rows, masks, strict=True):
                instances.write(row)
                names = {name: row[name] for name in ("instance_id", "tile_id")}
                truth.write({**names, "rle": mask_to_rle(mask)})
    about = {"dataset": "scenes", "subset": None, "categories": list(KINDS), "terms": "none"}
    write_manifest(out, {"product": "normalize", **about, "parameters": {}})
    return out


def draw(seed: int, style: Style = USUAL) -> tuple[Row, list[Row], list[NDArray[np.bool_]]]:
    """One scene: its tile, at most ``MOST`` instances, and their true masks (H, W)."""
    rng = np.random.default_rng((seed, 1))
    side = int(rng.choice(SIDES))
    zoom = float(np.exp(rng.uniform(0, np.log(style.zoom)))) if rng.random() < 0.5 else 1.0
    drawn = int(np.ceil(side / zoom))
    gsd = float(np.exp(rng.uniform(*np.log(style.gsd)))) if rng.random() < 0.5 else None
    density = float(rng.uniform(*DENSITY))
    themed = style.themes and rng.random() < style.themed
    theme = str(rng.choice(style.themes)) if themed else None
    scene = render_scene(seed, size_hw=(drawn, drawn), gsd=gsd, density=density, theme=theme)
    image = np.asarray(cv2.resize(scene.image, (side, side)), np.uint8)
    name = f"scene_{seed}"
    tile = {
        "tile_id": tile_id(name, 0, 0), "scene_id": name, "split": "all", "x0": 0, "y0": 0,
        "width": side, "height": side, "gsd": scene.gsd * drawn / side,
        "image": {"bytes": encode_rgb(distort_colours(rng, image)), "path": f"{name}.png"},
    }  # fmt: skip
    things = list(_chosen(rng, scene.objects, drawn, side, style.evenly))
    boxes = BOXES[rng.choice(list(BOXES), p=[0.4, 0.25, 0.15, 0.2])]
    with_obb = rng.random() < 0.6
    rows = []
    for number, (thing, mask) in enumerate(things):
        obb = thing.obb * (side / drawn)
        box = boxes(rng, _tight(mask), obb)
        clipped = clip_hbb(box, (side, side))
        rows.append(
            {
                "instance_id": f"{name}_{number}",
                "tile_id": tile["tile_id"],
                "category_id": KINDS.index(thing.kind),
                "category": thing.kind,
                "hbb": clipped.tolist(),
                "hbb_annotated": box.tolist(),
                "obb": obb_rows([obb])[0] if with_obb else None,
                "difficult": False,
                "visible": 1.0,
                "source_file": name,
                "source_line": None,
            }
        )
    return tile, rows, [mask for _, mask in things]


def _chosen(
    rng: Rng, objects: Iterable[SceneObject], drawn: int, side: int, evenly: bool
) -> Iterator[tuple[SceneObject, NDArray[np.bool_]]]:
    """Some of the objects with their masks (side, side), rare sizes (powers of two) first.

    Args:
        evenly: whether rare kinds come first, too.
    """
    seen = [thing for thing in objects if thing.mask.sum() >= LEAST_AREA]
    if not seen:
        return
    bins = np.log2([thing.mask.sum() for thing in seen]).astype(int)
    weight = 1 / np.sqrt(np.bincount(bins)[bins])
    if evenly:
        kinds = np.array([KINDS.index(thing.kind) for thing in seen])
        weight = weight / np.bincount(kinds)[kinds]
    count = min(MOST, len(seen))
    picked = rng.choice(len(seen), count, replace=False, p=weight / weight.sum())
    for index in np.sort(picked):
        thing = seen[index]
        whole = np.zeros((drawn, drawn), np.uint8)
        x0, y0, x1, y1 = thing.box
        whole[y0:y1, x0:x1] = thing.mask
        mask = cv2.resize(whole, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
        yield thing, np.asarray(mask, np.bool_)


def _tight(mask: NDArray[np.bool_]) -> Array:
    y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([x[0], y[0], x[-1] + 1, y[-1] + 1], np.float64)


def _exact(_: Rng, tight: Array, __: Array) -> Array:
    return tight


def _loose(rng: Rng, tight: Array, _: Array) -> Array:
    """Every side outwards, by up to a tenth of the box and 2 px."""
    return tight + np.array([-1, -1, 1, 1]) * (rng.uniform(0, 0.1, 4) * _sizes(tight)
                                               + rng.uniform(0, 2, 4))  # fmt: skip


def _careless(rng: Rng, tight: Array, _: Array) -> Array:
    """Every side in or out by some hundredths of the box and about 1 px; never turned over."""
    box = tight + rng.normal(0, 0.05, 4) * _sizes(tight) + rng.normal(0, 0.8, 4)
    middle = (tight[:2] + tight[2:]) / 2
    return np.concatenate([np.minimum(box[:2], middle - 1), np.maximum(box[2:], middle + 1)])


def _hull(_: Rng, tight: Array, obb: Array) -> Array:
    """The hull of the rotated box, hidden parts included, where that is not far from the mask."""
    hull = polygon_to_hbb(obb)
    return np.concatenate([np.minimum(hull[:2], tight[:2]), np.maximum(hull[2:], tight[2:])])


def _sizes(box: Array) -> Array:
    return np.tile(box[2:] - box[:2], 2)


BOXES = {"exact": _exact, "loose": _loose, "careless": _careless, "hull": _hull}
