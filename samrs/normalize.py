"""Normalize a dataset: its official files to one schema of tiles and instances.

Scenes are read by the dataset's reader (``samrs/datasets``), cut into windows (``core/tiling``)
and written to sharded Parquet (``core/records``, ``core/shards``), a few at a time on threads, in
the reader's order. A scene's encoded tiles wait in a temporary file until all of it is known to be
good, so memory is bounded by the shards and not by the scenes.

An instance belongs to a tile if at least ``min_visible`` of its horizontal box lies in it, or if
no other tile of the scene sees more of it: every box of a scene is in one tile at least. SAMRS
only translated boxes; here what a tile prompts with (``hbb``) is clipped to the tile unless
``clip`` is false, and how much was cut is kept (``visible``, ``hbb_annotated``). Images without
boxes stay, as negatives.

Whatever is bad is set aside, listed in the ``quarantine`` table with its reason, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from samrs.core.axis import load
from samrs.core.boundaries import Boundaries
from samrs.core.errors import ImageError, MissingInputError, ParameterError, QuarantineError
from samrs.core.geometry import clip_hbb
from samrs.core.images import encode_labels, encode_rgb
from samrs.core.parallel import in_order, limited_to, num_workers
from samrs.core.progress import progress
from samrs.core.reading import set_scene_aside, sound_annotations
from samrs.core.records import (
    GEOREFERENCE,
    IGNORE,
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
from samrs.core.rle import Rle, crop_rle, crop_to_rle, rle_to_mask
from samrs.core.scene_image import SceneImage, open_scene
from samrs.core.shards import ShardWriter, fresh_product, write_manifest, write_table
from samrs.core.tiling import Window, memberships, visible_shares, windows

SCHEMAS = {
    "tiles": TILES,
    "instances": INSTANCES,
    "truth": TRUTH,
    "semantic": SEMANTIC,
    "georeference": GEOREFERENCE,
}
ALWAYS = ("tiles", "instances")
COUNTS = (
    "scenes",
    "tiles",
    "tiles_empty",
    "instances",
    "instance_rows",
    "with_obb",
    "with_truth",
    "difficult_left_out",
)
PADDING = (104, 116, 124)
"""Colour of px beyond the scene, RGB: BboxToolkit's, and so SAMRS's."""

SPOOL_BYTES = 64 * 2**20
"""Encoded tiles of a scene held in memory; more of them go to a temporary file."""

LARGEST_SHARD = 2**28
"""Bytes at which a shard ends even within a scene."""

Rows = dict[str, list[dict[str, Any]]]


class _Cut(NamedTuple):
    """How scenes are cut, and the names their boxes may have; see ``normalize``."""

    tile: int | None
    overlap: int
    min_visible: float
    clip: bool
    pad: bool
    keep_difficult: bool
    stretch: float
    categories: Sequence[str]


@dataclass
class _Scene:
    """All rows of one scene, made on a thread: none when its image or label map is bad.

    Args:
        tiles: the encoded tiles, in the order of the rows of that table.
        left_out: difficult annotations that the parameters leave out.
    """

    record: SceneRecord
    rows: Rows
    tiles: _Spool
    quarantine: Quarantine
    left_out: int = 0


def normalize(
    dataset: str,
    source: Path,
    out: Path,
    *,
    tile: int | None,
    overlap: int,
    min_visible: float,
    clip: bool,
    pad: bool,
    keep_difficult: bool,
    stretch: float,
    max_quarantined: float,
    workers: int | None = None,
) -> dict[str, Any]:
    """Write the product ``normalize/<dataset>`` and return its metrics.

    Args:
        dataset: a file of ``samrs/datasets``.
        source: the dataset's folder in its official layout.
        out: folder of the product; what stood there before is removed.
        tile: side of a tile in px; None keeps scenes whole.
        overlap: px shared by neighbouring tiles.
        min_visible: share [0, 1] of a box that a tile must see to list it.
        clip: whether boxes to prompt with are cut to the tile (and the image); SAMRS did not.
        pad: whether scenes smaller than a tile are filled up to it, right and below, with
            ``PADDING`` (255 in label maps), as in SAMRS; boxes stay in the scene.
        keep_difficult: whether annotations marked difficult are listed; else they are counted.
        stretch: percent [0, 50) cut at either end of each band where px have more than 8 bits.
        max_quarantined: share [0, 1] of images and annotations that may be bad.
        workers: threads and processes, None for as many as cores; changes no byte.

    Raises:
        MissingInputError: the dataset is not in ``source``.
        QuarantineError: more than ``max_quarantined`` of the input is bad.
    """
    _check("min_visible", min_visible)
    _check("max_quarantined", max_quarantined)
    if not 0 <= stretch < 50:
        raise ParameterError(
            f"normalize: stretch cuts too much, got {stretch}; 0 to 50 percent at either end is "
            "allowed; correct params.yaml"
        )
    windows(1, 1, tile=tile, overlap=overlap)  # refuses an overlap that does not fit
    module = load("samrs.datasets", dataset)
    if not source.is_dir():
        raise MissingInputError(
            f"{source}: no {dataset} dataset, got no such folder; the official layout (see "
            f"samrs/datasets/{dataset}.py) is needed there; run the stage download@{dataset}"
        )
    own = getattr(module, "categories", None)
    categories: tuple[str, ...] = module.CATEGORIES if own is None else own(source)
    cut = _Cut(tile, overlap, min_visible, clip, pad, keep_difficult, stretch, categories)
    quarantine, totals = Quarantine(), _Totals()
    fresh_product(out)
    with limited_to(workers), ExitStack() as stack:
        threads = num_workers()
        scenes_pool, tiles_pool = (
            stack.enter_context(ThreadPoolExecutor(threads)) for _ in range(2)
        )
        tables = stack.enter_context(_Tables(out))
        records = progress(
            module.read_scenes(source, quarantine), desc=f"normalize {dataset}", unit="scene"
        )
        make = partial(_make_scene, source=source, folder=out, cut=cut, pool=tiles_pool)
        distinct = _without_twins(records, source, quarantine)
        for scene in in_order(make, distinct, scenes_pool, ahead=threads):
            quarantine.rows += scene.quarantine.rows
            if scene.rows:
                totals.add(scene)
                tables.write(scene)
    quarantine.rows.sort(key=_place)
    write_table(out, "quarantine", QUARANTINE, quarantine.rows)
    _check_quarantine(quarantine, totals.counts, max_quarantined, out)
    parameters = {
        "tile": tile,
        "overlap": overlap,
        "min_visible": min_visible,
        "clip": clip,
        "pad": pad,
        "keep_difficult": keep_difficult,
        "stretch": stretch,
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


def _place(row: dict[str, object]) -> tuple[str, int, str]:
    line = row["source_line"]
    return str(row["source_file"]), line if isinstance(line, int) else 0, str(row["detail"])


def _without_twins(
    records: Iterable[SceneRecord], source: Path, quarantine: Quarantine
) -> Iterator[SceneRecord]:
    seen: set[str] = set()
    for record in records:
        if record.scene_id in seen:
            _set_twin_aside(record, source, quarantine)
            continue
        seen.add(record.scene_id)
        yield record


class _Spool:
    """Byte strings kept in order, in memory while they are few, else in a temporary file."""

    def __init__(self, folder: Path) -> None:
        self._file = SpooledTemporaryFile(SPOOL_BYTES, dir=folder)  # noqa: SIM115
        self._sizes: list[int] = []

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._sizes.append(len(data))

    def num_bytes(self) -> int:
        return sum(self._sizes)

    def take(self) -> Iterator[bytes]:
        """Each string in turn; the file is gone after the last."""
        self._file.seek(0)
        for size in self._sizes:
            yield self._file.read(size)
        self.close()

    def close(self) -> None:
        self._file.close()


def _make_scene(
    record: SceneRecord, *, source: Path, folder: Path, cut: _Cut, pool: Executor
) -> _Scene:
    where = record.image.relative_to(source).as_posix()
    scene = _Scene(record, {table: [] for table in SCHEMAS}, _Spool(folder), Quarantine())
    rows = scene.rows
    try:
        with open_scene(record.image, where, cut.stretch) as image:
            size_wh = image.size_wh
            places = windows(*size_wh, tile=cut.tile, overlap=cut.overlap)
            encoded = in_order(_encode, _parts(image, places, cut), pool, ahead=2 * num_workers())
            for place, (data, suffix) in zip(places, encoded, strict=True):
                rows["tiles"].append(_tile_row(record, image, place, cut, suffix))
                scene.tiles.add(data)
            if image.georeference is not None:
                rows["georeference"].append(
                    {"scene_id": record.scene_id, **image.georeference._asdict()}
                )
        rows["semantic"] = _semantic_rows(record, places, size_wh, where, cut)
    except ImageError as error:
        scene.tiles.close()
        set_scene_aside(record, where, error.reason, str(error), scene.quarantine)
        scene.rows = {}
        return scene
    annotations = sound_annotations(record.annotations, size_wh, scene.quarantine)
    if not cut.keep_difficult:
        scene.left_out = sum(a.difficult for a in annotations)
        annotations = [a for a in annotations if not a.difficult]
    shares = visible_shares([a.hbb for a in annotations], places)
    belongs = memberships(shares, cut.min_visible)
    for t, place in enumerate(places):
        for i in np.flatnonzero(belongs[t]):
            annotation = annotations[i]
            row = _instance_row(record, annotation, place, float(shares[t, i]), cut)
            rows["instances"].append(row)
            if annotation.truth is not None:
                truth = {**row, "rle": _crop_truth(annotation.truth, place, cut)}
                rows["truth"].append({name: truth[name] for name in TRUTH.names})
    return scene


_Part = NDArray[np.uint8] | tuple[bytes, str]


def _parts(image: SceneImage, places: Sequence[Window], cut: _Cut) -> Iterator[_Part]:
    """What each tile holds: its px, or the file's own bytes where they will do."""
    for place in places:
        pixels = image.read(place)  # of a file that is handed on, too: reading is what tests it
        size_wh = _padded_wh(place, cut)
        if image.plain is not None and size_wh == image.size_wh:
            yield image.plain
        else:
            yield _filled(pixels, size_wh, PADDING)


def _encode(part: _Part) -> tuple[bytes, str]:
    return part if isinstance(part, tuple) else (encode_rgb(part), ".png")


def _padded_wh(place: Window, cut: _Cut) -> tuple[int, int]:
    """Width and height of the tile that shows a window."""
    least = cut.tile if cut.pad and cut.tile is not None else 0
    return max(place.width, least), max(place.height, least)


def _filled(
    pixels: NDArray[np.uint8], size_wh: tuple[int, int], value: int | Sequence[int]
) -> NDArray[np.uint8]:
    """Pixels (h, w, ...) in the top-left corner of a tile that is else of one value."""
    height, width = pixels.shape[:2]
    if (width, height) == size_wh:
        return pixels
    tile = np.empty((*size_wh[::-1], *pixels.shape[2:]), dtype=np.uint8)
    tile[:] = value
    tile[:height, :width] = pixels
    return tile


def _crop_truth(truth: Rle, place: Window, cut: _Cut) -> Rle:
    part = crop_rle(truth, *place)
    width, height = _padded_wh(place, cut)
    if (width, height) == (place.width, place.height):
        return part
    return crop_to_rle(rle_to_mask(part), 0, 0, (height, width))


def _tile_row(
    record: SceneRecord, image: SceneImage, place: Window, cut: _Cut, suffix: str
) -> dict[str, Any]:
    """A tile's row without the bytes of its image."""
    name = tile_id(record.scene_id, place.x0, place.y0)
    width, height = _padded_wh(place, cut)
    return {
        "tile_id": name,
        "scene_id": record.scene_id,
        "split": record.split,
        "x0": place.x0,
        "y0": place.y0,
        "width": width,
        "height": height,
        "gsd": image.gsd if record.gsd is None else record.gsd,
        "image": {"path": name + suffix},
    }


def _semantic_rows(
    record: SceneRecord,
    places: Sequence[Window],
    size_wh: tuple[int, int],
    where: str,
    cut: _Cut,
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
    for place in places:
        x0, y0, width, height = place
        name = tile_id(record.scene_id, x0, y0)
        part = labels[y0 : y0 + height, x0 : x0 + width]
        data = encode_labels(_filled(part, _padded_wh(place, cut), IGNORE))
        label_map = {"bytes": data, "path": f"{name}.png"}
        rows.append({"tile_id": name, "split": record.split, "label_map": label_map})
    return rows


def _instance_row(
    record: SceneRecord,
    annotation: Annotation,
    place: Window,
    share: float,
    cut: _Cut,
) -> dict[str, Any]:
    moved = annotation.hbb - [place.x0, place.y0, place.x0, place.y0]
    obb = None if annotation.obb is None else annotation.obb - [place.x0, place.y0]
    return {
        "instance_id": f"{record.scene_id}#{annotation.ordinal}",
        "tile_id": tile_id(record.scene_id, place.x0, place.y0),
        "category_id": cut.categories.index(annotation.category),
        "category": annotation.category,
        "hbb": (clip_hbb(moved, (place.width, place.height)) if cut.clip else moved).tolist(),
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
        self._boundaries = Boundaries()

    def __enter__(self) -> Self:
        for table in ALWAYS:
            self._writer(table)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _writer(self, table: str) -> ShardWriter:
        if table not in self._writers:
            writer = ShardWriter(self._out, table, SCHEMAS[table], LARGEST_SHARD)
            self._writers[table] = self._stack.enter_context(writer)
        return self._writers[table]

    def write(self, scene: _Scene) -> None:
        """Add a scene; where a shard ends after it, that of every table does."""
        for row, data in zip(scene.rows["tiles"], scene.tiles.take(), strict=True):
            self._writer("tiles").write({**row, "image": {**row["image"], "bytes": data}})
        for table, scene_rows in scene.rows.items():
            if table != "tiles":
                for row in scene_rows:
                    self._writer(table).write(row)
        if self._boundaries.ends_after(scene.record.scene_id, scene.tiles.num_bytes()):
            for writer in self._writers.values():
                writer.end_shard()


@dataclass
class _Totals:
    """Counts over scenes; instances are counted once however many tiles list them."""

    counts: Counter[str] = field(default_factory=Counter)
    splits: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, scene: _Scene) -> None:
        split, rows = scene.record.split, scene.rows
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
            "difficult_left_out": scene.left_out,
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
