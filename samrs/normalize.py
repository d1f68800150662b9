"""Normalize a dataset: its official files to one schema of tiles and instances.

Scenes go through one at a time: read by the dataset's reader (``samrs/datasets``), cut into windows
(``core/tiling``), written to sharded Parquet (``core/records``, ``core/shards``).

An instance belongs to a tile if at least ``min_visible`` of its horizontal box lies in it, or if
no other tile of the scene sees more of it: every box of a scene is in one tile at least. SAMRS
only translated boxes; here what a tile prompts with (``hbb``) is clipped to the tile, and how much
was cut is kept (``visible``, ``hbb_annotated``). Images without boxes stay, as negatives.

Whatever is bad is set aside, listed in the ``quarantine`` table with its reason, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from samrs.core.axis import load
from samrs.core.errors import ImageError, MissingInputError, ParameterError, QuarantineError
from samrs.core.geometry import clip_hbb
from samrs.core.images import encode_labels, encode_rgb
from samrs.core.progress import progress
from samrs.core.reading import set_scene_aside, sound_annotations
from samrs.core.records import (
    INSTANCES,
    QUARANTINE,
    SEMANTIC,
    TILES,
    TRUTH,
    Annotation,
    Quarantine,
    SceneRecord,
    obb_rows,
    tile_id,
)
from samrs.core.rle import crop_rle
from samrs.core.scene_image import SceneImage, open_scene
from samrs.core.shards import ShardWriter, fresh_product, write_manifest, write_table
from samrs.core.tiling import Window, memberships, visible_shares, windows

SCHEMAS = {"tiles": TILES, "instances": INSTANCES, "truth": TRUTH, "semantic": SEMANTIC}
ALWAYS = ("tiles", "instances")
COUNTS = (
    "scenes",
    "tiles",
    "tiles_empty",
    "instances",
    "instance_rows",
    "with_obb",
    "with_truth",
)

Rows = dict[str, list[dict[str, Any]]]


class _Cut(NamedTuple):
    """How scenes are cut, and the names their boxes may have."""

    tile: int | None
    overlap: int
    min_visible: float
    categories: Sequence[str]


def normalize(
    dataset: str,
    source: Path,
    out: Path,
    *,
    tile: int | None,
    overlap: int,
    min_visible: float,
    max_quarantined: float,
) -> dict[str, Any]:
    """Write the product ``normalize/<dataset>`` and return its metrics.

    Args:
        dataset: a file of ``samrs/datasets``.
        source: the dataset's folder in its official layout.
        out: folder of the product; what stood there before is removed.
        tile: side of a tile in px; None keeps scenes whole.
        overlap: px shared by neighbouring tiles.
        min_visible: share [0, 1] of a box that a tile must see to list it.
        max_quarantined: share [0, 1] of images and annotations that may be bad.

    Raises:
        MissingInputError: the dataset is not in ``source``.
        QuarantineError: more than ``max_quarantined`` of the input is bad.
    """
    _check("min_visible", min_visible)
    _check("max_quarantined", max_quarantined)
    module = load("samrs.datasets", dataset)
    if not source.is_dir():
        raise MissingInputError(
            f"{source}: no {dataset} dataset, got no such folder; the official layout (see "
            f"samrs/datasets/{dataset}.py) is needed there; run the stage download@{dataset}"
        )
    own = getattr(module, "categories", None)
    categories: tuple[str, ...] = module.CATEGORIES if own is None else own(source)
    cut = _Cut(tile, overlap, min_visible, categories)
    quarantine, totals = Quarantine(), _Totals()
    seen: set[str] = set()
    fresh_product(out)
    with _Tables(out) as tables:
        records = module.read_scenes(source, quarantine)
        for record in progress(records, desc=f"normalize {dataset}", unit="scene"):
            if record.scene_id in seen:
                _set_twin_aside(record, source, quarantine)
                continue
            seen.add(record.scene_id)
            rows = _scene_rows(record, source, cut, quarantine)
            if rows:
                tables.write(rows)
                totals.add(record.split, rows)
    write_table(out, "quarantine", QUARANTINE, quarantine.rows)
    _check_quarantine(quarantine, totals.counts, max_quarantined, out)
    parameters = {
        "tile": tile,
        "overlap": overlap,
        "min_visible": min_visible,
        "max_quarantined": max_quarantined,
    }
    write_manifest(
        out,
        {
            "product": "normalize",
            "dataset": dataset,
            "subset": module.SUBSET,
            "categories": list(categories),
            "terms": module.TERMS,
            "parameters": parameters,
        },
    )
    return totals.metrics(quarantine)


def _check(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ParameterError(
            f"normalize: {name} is not a share, got {share}; 0 to 1 is allowed; correct params.yaml"
        )


def _scene_rows(record: SceneRecord, source: Path, cut: _Cut, quarantine: Quarantine) -> Rows:
    """All rows of a scene; none when its image (or label map) is bad: then it is quarantined."""
    where = record.image.relative_to(source).as_posix()
    rows: Rows = {table: [] for table in SCHEMAS}
    try:
        with open_scene(record.image, where) as image:
            size_wh = image.size_wh
            places = windows(*size_wh, tile=cut.tile, overlap=cut.overlap)
            rows["tiles"] = [_tile_row(record, image, place) for place in places]
        rows["semantic"] = _semantic_rows(record, places, size_wh, where)
    except ImageError as error:
        set_scene_aside(record, where, "image does not decode", str(error), quarantine)
        return {}
    annotations = sound_annotations(record.annotations, size_wh, quarantine)
    shares = visible_shares([a.hbb for a in annotations], places)
    belongs = memberships(shares, cut.min_visible)
    for t, place in enumerate(places):
        for i in np.flatnonzero(belongs[t]):
            annotation = annotations[i]
            row = _instance_row(record, annotation, place, float(shares[t, i]), cut.categories)
            rows["instances"].append(row)
            if annotation.truth is not None:
                truth = {**row, "rle": crop_rle(annotation.truth, *place)}
                rows["truth"].append({name: truth[name] for name in TRUTH.names})
    return rows


def _tile_row(record: SceneRecord, image: SceneImage, place: Window) -> dict[str, Any]:
    name = tile_id(record.scene_id, place.x0, place.y0)
    if image.plain is not None and (place.width, place.height) == image.size_wh:
        data, suffix = image.plain
    else:
        data, suffix = encode_rgb(image.read(place)), ".png"
    return {
        "tile_id": name,
        "scene_id": record.scene_id,
        "split": record.split,
        **place._asdict(),
        "gsd": image.gsd if record.gsd is None else record.gsd,
        "image": {"bytes": data, "path": name + suffix},
    }


def _semantic_rows(
    record: SceneRecord, places: Sequence[Window], size_wh: tuple[int, int], where: str
) -> list[dict[str, Any]]:
    if record.semantic is None:
        return []
    labels = record.semantic()
    if labels.shape != size_wh[::-1]:
        raise ImageError(
            f"{where}: label map does not fit, got {labels.shape[::-1]} px for an image of "
            f"{size_wh} px; equal sizes are allowed; replace either file"
        )
    rows = []
    for x0, y0, width, height in places:
        name = tile_id(record.scene_id, x0, y0)
        data = encode_labels(labels[y0 : y0 + height, x0 : x0 + width])
        label_map = {"bytes": data, "path": f"{name}.png"}
        rows.append({"tile_id": name, "split": record.split, "label_map": label_map})
    return rows


def _instance_row(
    record: SceneRecord,
    annotation: Annotation,
    place: Window,
    share: float,
    categories: Sequence[str],
) -> dict[str, Any]:
    moved = annotation.hbb - [place.x0, place.y0, place.x0, place.y0]
    obb = None if annotation.obb is None else annotation.obb - [place.x0, place.y0]
    return {
        "instance_id": f"{record.scene_id}#{annotation.ordinal}",
        "tile_id": tile_id(record.scene_id, place.x0, place.y0),
        "category_id": categories.index(annotation.category),
        "category": annotation.category,
        "hbb": clip_hbb(moved, (place.width, place.height)).tolist(),
        "hbb_annotated": moved.tolist(),
        "obb": obb_rows([obb])[0],
        "difficult": annotation.difficult,
        "visible": share,
        "source_file": annotation.source_file,
        "source_line": annotation.source_line,
    }


def _set_twin_aside(record: SceneRecord, source: Path, quarantine: Quarantine) -> None:
    where = record.image.relative_to(source).as_posix()
    detail = (
        f"{where}: scene id is used twice, got {record.scene_id}; ids unique in the dataset are "
        "allowed; rename one of the images and its annotations"
    )
    set_scene_aside(record, where, "scene id used twice", detail, quarantine)


class _Tables:
    """The product's tables; those a dataset does not have are not written."""

    def __init__(self, out: Path) -> None:
        self._out, self._stack = out, ExitStack()
        self._writers: dict[str, ShardWriter] = {}

    def __enter__(self) -> Self:
        for table in ALWAYS:
            self._writer(table)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _writer(self, table: str) -> ShardWriter:
        if table not in self._writers:
            writer = ShardWriter(self._out, table, SCHEMAS[table])
            self._writers[table] = self._stack.enter_context(writer)
        return self._writers[table]

    def write(self, rows: Rows) -> None:
        for table, scene_rows in rows.items():
            for row in scene_rows:
                self._writer(table).write(row)


@dataclass
class _Totals:
    """Counts over scenes; instances are counted once however many tiles list them."""

    counts: Counter[str] = field(default_factory=Counter)
    splits: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, split: str, rows: Rows) -> None:
        instances, tiles = rows["instances"], rows["tiles"]
        unique = {row["instance_id"]: row for row in instances}
        here = {
            "scenes": 1,
            "tiles": len(tiles),
            "tiles_empty": len(tiles) - len({row["tile_id"] for row in instances}),
            "instances": len(unique),
            "instance_rows": len(instances),
            "with_obb": sum(row["obb"] is not None for row in unique.values()),
            "with_truth": len({row["instance_id"] for row in rows["truth"]}),
        }
        self.counts.update(here)
        self.splits.setdefault(split, Counter()).update(here)

    def metrics(self, quarantine: Quarantine) -> dict[str, Any]:
        return {
            **{name: self.counts[name] for name in COUNTS},
            "splits": {
                split: {name: counts[name] for name in ("scenes", "tiles", "instances")}
                for split, counts in sorted(self.splits.items())
            },
            "quarantined": {"total": len(quarantine.rows), "by_reason": quarantine.counts()},
        }


def _check_quarantine(
    quarantine: Quarantine, counts: Counter[str], allowed: float, out: Path
) -> None:
    bad = len(quarantine.rows)
    total = bad + counts["scenes"] + counts["instances"]
    if bad == 0 or bad <= allowed * total:
        return
    by_reason = sorted(quarantine.counts().items(), key=lambda item: (-item[1], item[0]))
    reasons = ", ".join(f"{count} x {reason}" for reason, count in by_reason[:3])
    raise QuarantineError(
        f"normalize: too much of the input is bad, got {bad} of {total} images and annotations "
        f"({reasons}; first {quarantine.rows[0]['detail']}); max_quarantined "
        f"{allowed} is allowed; correct the files or raise max_quarantined (all are listed in "
        f"{out}/quarantine-*.parquet)"
    )
