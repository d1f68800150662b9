"""Products of SAMRS's size without images: what the table-reading steps are timed on.

Tiles, sizes and classes of the three subsets are the paper's, instances per subset read off its
bars and scaled to its total; mask sizes are log-normal with the modes of its figure 4
(arXiv 2305.02034). A mask is an ellipse; its text is put together from one of a few hundred shapes
and its place, which is as good as encoding it and takes microseconds. Every fifth has a stray part
outside its box and every seventh a hole: a third needs cleaning, as nano's masks of NWPU do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from samrs.core.records import INSTANCES, MASKS, TILES, tile_id
from samrs.core.rle import crop_to_rle
from samrs.core.runs import rle_runs
from samrs.core.shards import ShardWriter, fresh_product, write_manifest

SEED = 2023
SHAPES = 400
STRAY, HOLE = 5, 7
"""Every so-many-th shape has a stray part, or a hole."""
PIECE = 16_384
"""Rows made at once."""


@dataclass(frozen=True, kw_only=True)
class Subset:
    """One subset of SAMRS; ``mode`` (px) and ``sigma`` are of the log-normal mask sizes."""

    dataset: str
    tiles: int
    side: int
    classes: int
    instances: int
    mode: float
    sigma: float


SUBSETS = {
    "sota": Subset(
        dataset="dota", tiles=17_480, side=1024, classes=18, instances=613_000, mode=75, sigma=1.0
    ),
    "sior": Subset(
        dataset="dior", tiles=23_463, side=800, classes=20, instances=191_241, mode=75, sigma=1.1
    ),
    "fast": Subset(
        dataset="fair1m", tiles=64_147, side=600, classes=37, instances=864_000, mode=175, sigma=0.6
    ),
}
"""105,090 tiles and 1,668,241 instances."""


@dataclass(frozen=True)
class _Shape:
    """An ellipse in a tile, with its scores and its encoding but for the place.

    Args:
        width: px of the mask's box, a stray part included, and
        height: so too.
        box_wh: px of the ellipse's box, which begins where the mask's does.
        outside: share of the px outside that.
    """

    width: int
    height: int
    box_wh: tuple[int, int]
    area: int
    parts: int
    outside: float
    lead: int
    middle: str
    covered: int
    before_last: int


def write_trio(folder: Path, share: float) -> dict[str, int]:
    """Write ``normalize/<dataset>`` and ``sam_label/<dataset>`` of every subset below a folder.

    Args:
        share: of the tiles and instances of SAMRS, 0-1.

    Returns:
        Numbers of tiles and instances.
    """
    counts = {"tiles": 0, "instances": 0}
    for name in SUBSETS:
        found = write_subset(folder, name, share)
        counts = {key: counts[key] + found[key] for key in counts}
    return counts


def write_subset(folder: Path, name: str, share: float) -> dict[str, int]:
    """Write ``normalize/<dataset>`` and ``sam_label/<dataset>`` of one subset below a folder.

    Args:
        name: of ``SUBSETS``.
        share: of its tiles and instances, 0-1.

    Returns:
        Numbers of tiles and instances.
    """
    subset = SUBSETS[name]
    rng = np.random.default_rng([SEED, list(SUBSETS).index(name)])
    tiles, instances = round(subset.tiles * share), round(subset.instances * share)
    categories = [f"class-{i}" for i in range(subset.classes)]
    about = {"dataset": subset.dataset, "categories": categories, "terms": "synthetic"}
    own = {"format": subset.dataset, "origin": "demo", "subset": name.upper()}
    normalized, labelled = (folder / p / subset.dataset for p in ("normalize", "sam_label"))
    fresh_product(normalized), fresh_product(labelled)
    with ShardWriter(normalized, "tiles", TILES) as writer:
        writer.write_table(_tiles(subset, tiles))
    with (
        ShardWriter(normalized, "instances", INSTANCES) as instance_rows,
        ShardWriter(labelled, "masks", MASKS) as mask_rows,
    ):
        for columns in _instances(subset, tiles, instances, rng):
            instance_rows.write_table(_table(columns, INSTANCES))
            mask_rows.write_table(_table(columns, MASKS))
    write_manifest(normalized, {"product": "normalize", "parameters": {}, **own, **about})
    made_by = {"recipe": "hbox", "segmenter": "sam", "model": "nano", "model_sha256": "0" * 64}
    write_manifest(labelled, {"product": "sam_label", **about, **made_by})
    return {"tiles": tiles, "instances": instances}


def _table(columns: dict[str, pa.Array], schema: pa.Schema) -> pa.Table:
    """The columns of a schema; those that are not made here are null."""
    size = len(columns["instance_id"])
    return pa.table([columns.get(f.name, pa.nulls(size, f.type)) for f in schema], schema=schema)


def _scene(tile: int) -> str:
    return f"P{tile:06d}"


def _tiles(subset: Subset, tiles: int) -> pa.Table:
    names = [tile_id(_scene(i), 0, 0) for i in range(tiles)]
    columns = {
        "tile_id": names,
        "scene_id": [_scene(i) for i in range(tiles)],
        "split": ["train" if i % 4 else "val" for i in range(tiles)],
        "x0": [0] * tiles,
        "y0": [0] * tiles,
        "width": [subset.side] * tiles,
        "height": [subset.side] * tiles,
        "gsd": [None] * tiles,
        "image": [{"bytes": b"", "path": f"{name}.png"} for name in names],
    }
    return pa.table(columns, schema=TILES)


def _instances(
    subset: Subset, tiles: int, instances: int, rng: np.random.Generator
) -> Iterator[dict[str, pa.Array]]:
    """Columns of INSTANCES and MASKS, some rows at a time, in the order of the tiles.

    Instances gather in few tiles, as they do in cities and harbours.
    """
    shapes = _shapes(subset, rng)
    weights = rng.gamma(0.6, size=tiles)
    of_tile = np.repeat(np.arange(tiles), rng.multinomial(instances, weights / weights.sum()))
    ordinals = np.arange(instances) - np.searchsorted(of_tile, of_tile)
    for begin in range(0, instances, PIECE):
        own = of_tile[begin : begin + PIECE]
        chosen = [shapes[i] for i in rng.integers(len(shapes), size=len(own))]
        free = np.array([[subset.side - s.width, subset.side - s.height] for s in chosen])
        places = rng.integers(free + 1)
        yield _columns(subset, own, ordinals[begin : begin + PIECE], chosen, places, rng)


def _columns(
    subset: Subset,
    tiles: NDArray[np.int64],
    ordinals: NDArray[np.int64],
    shapes: list[_Shape],
    places: NDArray[np.int64],
    rng: np.random.Generator,
) -> dict[str, pa.Array]:
    count = len(tiles)
    ends = places + np.array([[s.width, s.height] for s in shapes])
    own = places + np.array([s.box_wh for s in shapes])
    boxes, around = (np.concatenate([places, v], axis=1).astype(np.float64) for v in (own, ends))
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]]
    categories = np.minimum(rng.geometric(0.25, count) - 1, subset.classes - 1).astype(np.int32)
    texts = [_text(s, subset.side, x, y) for s, (x, y) in zip(shapes, places.tolist(), strict=True)]
    scores = {
        name: pa.array(np.round(1 - rng.beta(1, 9, count), 6))
        for name in ("predicted_iou", "stability_score", "obb_iou")
    }
    sizes = pa.array(np.full(2 * count, subset.side, dtype=np.int32))
    hbb, mask_hbb, obb, sizes = (
        pa.FixedSizeListArray.from_arrays(values, width)
        for values, width in (
            (boxes.ravel(), 4), (around.ravel(), 4), (corners.ravel(), 8), (sizes, 2)
        )
    )  # fmt: skip
    return {
        "instance_id": pa.array(
            [f"{_scene(t)}#{o}" for t, o in zip(tiles.tolist(), ordinals.tolist(), strict=True)]
        ),
        "tile_id": pa.array([tile_id(_scene(t), 0, 0) for t in tiles.tolist()]),
        "category_id": pa.array(categories),
        "category": pa.array([f"class-{i}" for i in categories.tolist()]),
        "hbb": hbb,
        "hbb_annotated": hbb,
        "obb": obb,
        "difficult": pa.array(rng.random(count) < 0.05),
        "visible": pa.array(np.ones(count)),
        "source_file": pa.array([f"labels/{_scene(t)}.txt" for t in tiles.tolist()]),
        "source_line": pa.array((ordinals + 1).astype(np.int32)),
        "rle": pa.StructArray.from_arrays([sizes, pa.array(texts)], ["size", "counts"]),
        "area": pa.array(np.array([s.area for s in shapes])),
        "mask_hbb": mask_hbb,
        **scores,
        "box_iou": pa.array([_share(s) for s in shapes]),
        "outside": pa.array([s.outside for s in shapes]),
        "components": pa.array(np.array([s.parts for s in shapes], dtype=np.int32)),
        "recipe": pa.array(["hbox"] * count),
        "fallback": pa.array(np.zeros(count, dtype=bool)),
    }


def _share(shape: _Shape) -> float:
    """IoU of the ellipse's box with the mask's, in which it lies."""
    return round(shape.box_wh[0] * shape.box_wh[1] / (shape.width * shape.height), 6)


def _shapes(subset: Subset, rng: np.random.Generator) -> list[_Shape]:
    mean = np.log(subset.mode) + subset.sigma**2
    areas = np.exp(rng.normal(mean, subset.sigma, SHAPES))
    stretch = np.exp(rng.uniform(-0.6, 0.6, SHAPES))
    return [
        _shape(subset.side, a, s, stray=i % STRAY == 0, hole=i % HOLE == 1)
        for i, (a, s) in enumerate(zip(areas.tolist(), stretch.tolist(), strict=True))
    ]


def _shape(side: int, area: float, stretch: float, *, stray: bool, hole: bool) -> _Shape:
    radius = np.sqrt(area / np.pi)
    half = np.clip([radius * stretch, radius / stretch], 1.0, side / 3)
    width, height = (int(v) for v in np.ceil(2 * half))
    y, x = np.mgrid[:height, :width] + 0.5
    mask = ((x - width / 2) / half[0]) ** 2 + ((y - height / 2) / half[1]) ** 2 <= 1
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = mask.shape
    inside = int(mask.sum())
    if hole and min(mask.shape) > 4:
        mask[height // 2, width // 2] = False
        inside -= 1
    beside = min(width // 2 + 2, side - width) if stray else 0
    if beside > 1:
        mask = np.pad(mask, ((0, 0), (0, beside)))
        mask[-1, -1] = True
    rle = crop_to_rle(mask, 0, 0, (side, side))
    runs = rle_runs([rle]).lengths.tolist()
    inner = runs[1:-1]
    # From the fourth count on the text holds differences to the count two before.
    written = [v - (inner[i - 2] if i >= 2 else 0) for i, v in enumerate(inner)]
    return _Shape(
        width=mask.shape[1],
        height=mask.shape[0],
        box_wh=(width, height),
        area=int(mask.sum()),
        parts=1 + (beside > 1),
        outside=round(1 - inside / int(mask.sum()), 6),
        lead=runs[0],
        middle="".join(map(_count, written)),
        covered=sum(inner),
        before_last=inner[-2] if len(inner) >= 2 else 0,
    )


def _text(shape: _Shape, side: int, x: int, y: int) -> str:
    """The encoding of a shape whose canvas begins at column x, row y."""
    first = x * side + y + shape.lead
    last = side * side - first - shape.covered
    return f"{_count(first)}{shape.middle}{_count(last - shape.before_last)}"


def _count(value: int) -> str:
    """One count as COCO writes it (maskApi.c, rleToString)."""
    text = ""
    while True:
        digit, value = value & 31, value >> 5
        if value == (-1 if digit & 16 else 0):
            return text + chr(48 + digit)
        text += chr(48 + (digit | 32))
