"""Instances as features on a map: polygons in map coordinates with attributes, in batches.

What the formats for maps share. A coordinate system is a layer: formats write each as a file or a
table of its own, since one file holds one system. At the level ``scene`` every instance stands once
(table joined), at the level ``tile`` once for each tile that shows it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely  # of the extra geo, as is scipy, which polygons.py imports
from numpy.typing import NDArray

from samrs.core.errors import ParameterError, ProductError
from samrs.core.names import safe_name
from samrs.core.records import MADE, Georeference, crs_name
from samrs.core.runs import decode_runs, text_buffers
from samrs.core.shards import read_table
from samrs.corrections.records import MADE_BY
from samrs.export.polygons import mask_polygons
from samrs.export.subset import Subset
from samrs.release.cleaning import Columns
from samrs.verify.refusal import sound_tables

BATCH_ROWS = 1024
"""Four times as many take 65 MiB more, and a tenth less time."""

GEOMETRY = "geometry"
TABLES = {"scene": ("joined", "scene_id"), "tile": ("instances", "tile_id")}
"""Where the rows of a level stand, and the column that says what they lie on."""

KEPT = ("instance_id", "category_id", "category", "rle", "difficult", "recipe", *MADE,
        "source_file", "source_line", "area")  # fmt: skip
JOINED_ONLY = {"way": pa.string(), "tiles": pa.int32(), "agreement": pa.float64()}


@dataclass(frozen=True)
class Layer:
    """The features of one coordinate system.

    Args:
        name: safe name of its file or table.
        crs: WKT2.
        places: by scene or tile id, its split and where it lies.
    """

    name: str
    crs: str
    places: dict[str, tuple[str, str, Georeference]]


@dataclass
class Lost:
    """What simplification costs, over the features that were written.

    Args:
        features: their number.
        points: corners of them, first ones not repeated.
        ious: of each with its mask.
    """

    features: int = 0
    points: int = 0
    ious: list[NDArray[np.float64]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Numbers of features and points; ``iou`` with the masks, mean and least."""
        found: dict[str, Any] = {"features": self.features, "points": self.points}
        if self.features:
            ious = np.concatenate(self.ious)
            found["iou"] = {
                "mean": round(float(ious.mean()), 6), "least": round(float(ious.min()), 6)
            }  # fmt: skip
        return found


def check_simplify(simplify: float) -> None:
    """Refuse what is no tolerance.

    Args:
        simplify: px that an outline may move.

    Raises:
        ParameterError: it is no number from 0.
    """
    if not (isinstance(simplify, int | float) and 0 <= simplify < math.inf):
        raise ParameterError(
            f"export: simplify is no distance, got {simplify!r}; a number of px from 0 is "
            "allowed; correct it"
        )


def layers(subset: Subset, format: str) -> tuple[list[Layer], int]:
    """The layers of an export, and how many scenes lie on no map and are left out.

    Args:
        format: what to name in the error.

    Raises:
        ProductError: no scene lies on a map, or the release is not sound.
    """
    scenes = {row["scene_id"]: row for row in subset.scenes() if row["split"] in subset.splits}
    placed = {
        name: Georeference(row["crs"], tuple(row["transform"]))
        for name, row in scenes.items()
        if row["crs"] is not None
    }
    if not placed:
        raise ProductError(
            f"{subset.release}: no scene lies on a map, got {len(scenes)} scenes without a "
            f"coordinate system; {format} holds features with map coordinates; make the dataset "
            "of georeferenced images (GeoTIFF), or choose another format"
        )
    systems = sorted({place.crs for place in placed.values()})
    names = _names(subset.stem, systems)
    found = {crs: Layer(names[crs], crs, {}) for crs in systems}
    for key, scene, x0, y0 in _on(subset):
        if scene in placed:
            place = placed[scene].of_part(x0, y0)
            found[place.crs].places[key] = (scene, scenes[scene]["split"], place)
    ordered = sorted(found.values(), key=lambda layer: layer.name)
    return ordered, len(scenes) - len(placed)


def _on(subset: Subset) -> Iterator[tuple[str, str, int, int]]:
    """Id, scene and corner of what features lie on."""
    if subset.level == "scene":
        yield from ((row["scene_id"], row["scene_id"], 0, 0) for row in subset.scenes())
        return
    names = ["tile_id", "scene_id", "x0", "y0"]
    for row in read_table(subset.release, "tiles", names).to_pylist():
        yield tuple(row[name] for name in names)


def _names(stem: str, systems: list[str]) -> dict[str, str]:
    """A safe name for each coordinate system's layer; the subset's own where there is one only."""
    if len(systems) == 1:
        return {systems[0]: stem}
    words = [re.sub(r"[^a-z0-9]+", "-", crs_name(crs).lower()).strip("-")[:40] for crs in systems]
    counts = Counter(words)
    return {
        crs: safe_name(f"{stem}-{word}" + (f"-{i}" if counts[word] > 1 else ""))
        for i, (crs, word) in enumerate(zip(systems, words, strict=True))
    }


def schema(subset: Subset) -> pa.Schema:
    """The columns of features; ``geometry`` is WKB."""
    on = {"tile_id": pa.string()} if subset.level == "tile" else {}
    return pa.schema(
        {
            "instance_id": pa.string(),
            "scene_id": pa.string(),
            **on,
            "split": pa.string(),
            "class": pa.string(),
            "label": pa.int32(),
            "area_px": pa.int64(),
            **{name: pa.float64() for name in subset.scores},
            **(JOINED_ONLY if subset.level == "scene" else {}),
            "difficult": pa.bool_(),
            "recipe": pa.string(),
            "made_by": pa.string(),
            "accepted": pa.bool_(),
            "model": pa.string(),
            "source_file": pa.string(),
            "source_line": pa.int32(),
            GEOMETRY: pa.binary(),
        }
    )


def batches(subset: Subset, layer: Layer, simplify: float, lost: Lost) -> Iterator[pa.RecordBatch]:
    """The features of a layer, some at a time, with the columns of ``schema``.

    Args:
        layer: one of ``layers``.
        simplify: px that an outline may move; 0: it follows the edges of pixels.
        lost: takes what simplification costs.

    Raises:
        ProductError: ``samrs verify`` would find fault with what is read.
    """
    table, key = TABLES[subset.level]
    wanted = schema(subset)
    columns = [*KEPT, key, *subset.scores, *(n for n in JOINED_ONLY if n in wanted.names)]
    ids = pa.array(list(layer.places), pa.string())
    labels = pa.array(list(subset.labels), pa.int32())
    names = subset.manifest["categories"]
    for rows in sound_tables(subset.release, table, names, columns, BATCH_ROWS):
        chosen = pc.and_(pc.is_in(rows[key], value_set=ids),
                         pc.is_in(rows["category_id"], value_set=labels))  # fmt: skip
        chosen = pc.and_(chosen, pc.greater(rows["area"], 0))
        rows = rows.filter(chosen).combine_chunks()
        if len(rows):
            yield _batch(subset, layer, rows, key, wanted, simplify, lost)


def _batch(
    subset: Subset,
    layer: Layer,
    rows: pa.Table,
    key: str,
    wanted: pa.Schema,
    simplify: float,
    lost: Lost,
) -> pa.RecordBatch:
    on = [layer.places[name] for name in rows[key].to_pylist()]
    label = [subset.labels[i] for i in rows["category_id"].to_pylist()]
    model = subset.manifest.get("model")  # a mask that a person made is none of its
    by_machine = pc.equal(rows["made_by"], MADE_BY[0])
    found = {
        "scene_id": pa.array([scene for scene, _, _ in on]),
        "split": pa.array([split for _, split, _ in on]),
        "class": pa.array([subset.categories[i] for i in label]),
        "label": pa.array(label, pa.int32()),
        "area_px": rows["area"],
        "model": pc.if_else(by_machine, pa.scalar(model, pa.string()), None),
        GEOMETRY: _wkb(rows, np.array([p.transform for _, _, p in on]), simplify, lost),
    }
    columns = [found[n] if n in found else rows[n] for n in wanted.names]
    table = pa.table(columns, schema=wanted).combine_chunks()
    batch: pa.RecordBatch = table.to_batches()[0]
    return batch


def _wkb(rows: pa.Table, transforms: NDArray[np.float64], simplify: float, lost: Lost) -> pa.Array:
    """Multipolygons of the rows' masks in map coordinates, as WKB.

    Args:
        transforms: (N, 6) a b c d e f of each row.
    """
    rle = rows["rle"].combine_chunks()
    runs = decode_runs(*text_buffers(pc.struct_field(rle, "counts")))
    heights = pc.list_element(pc.struct_field(rle, "size"), 0).to_numpy().astype(np.int64)
    found = mask_polygons(Columns.of(runs, heights))
    kind = shapely.GeometryType.MULTIPOLYGON
    shapes = shapely.from_ragged_array(kind, found.xy, (found.rings, found.polygons, found.masks))
    ious = np.ones(len(shapes))
    if simplify:
        exact, areas = shapes, shapely.area(shapes)
        simple = shapely.simplify(exact, simplify, preserve_topology=True)
        good = shapely.is_valid(simple) & ~shapely.is_empty(simple)
        shapes = np.where(good, simple, exact)
        single = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
        shapes[single] = shapely.multipolygons(shapes[single], indices=np.arange(single.sum()))
        shared = shapely.area(shapely.intersection(exact, shapes))
        ious = shared / (areas + shapely.area(shapes) - shared)
    lost.features += len(shapes)
    parts = shapely.get_parts(shapes)
    rings = len(parts) + int(shapely.get_num_interior_rings(parts).sum())
    lost.points += int(shapely.get_num_coordinates(shapes).sum()) - rings
    lost.ious.append(ious)
    xy, of = shapely.get_coordinates(shapes, return_index=True)
    a, b, c, d, e, f = transforms[of].T
    x, y = xy.T
    moved = np.stack([a * x + b * y + c, d * x + e * y + f], axis=1)
    shapes = shapely.set_coordinates(shapes, moved)
    mirrored = transforms[:, 0] * transforms[:, 4] - transforms[:, 1] * transforms[:, 3] > 0
    if mirrored.any():
        shapes[mirrored] = shapely.orient_polygons(shapes[mirrored], exterior_cw=False)
    return pa.array(shapely.to_wkb(shapes, byte_order=1), pa.binary())
