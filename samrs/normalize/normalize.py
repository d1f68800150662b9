"""Normalize a dataset: its official files to one schema of tiles and instances.

Scenes are read by the dataset's reader (``samrs/datasets``), cut into windows (``core/tiling``)
and written to sharded Parquet (``core/records``, ``core/shards``), a few at a time on threads, in
the reader's order. A scene's encoded tiles wait in a temporary file until all of it is known to be
good, so memory is bounded by the shards and not by the scenes. Finished shards are kept in a work
folder with what decides their scenes (``kept_scenes.py``): a killed run goes on where it was, and a
dataset that grew has only its new scenes cut.

An instance belongs to a tile if at least ``min_visible`` of its horizontal box lies in it, or if
no other tile of the scene sees more of it: every box of a scene is in one tile at least. SAMRS
only translated boxes; here what a tile prompts with (``hbb``) is clipped to the tile unless
``clip`` is false, and how much was cut is kept (``visible``, ``hbb_annotated``). Images without
boxes stay, as negatives.

Whatever is bad is set aside, listed in the ``quarantine`` table with its reason, and counted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from samrs.core.axis import load
from samrs.core.errors import AnnotationError, MissingInputError, ParameterError, QuarantineError
from samrs.core.names import (
    CLASS_NAME,
    CLASS_NAME_SAID,
    one_word,
    plain_text,
    safe_name,
)
from samrs.core.parallel import limited_to, map_ahead, num_workers
from samrs.core.progress import progress
from samrs.core.records import IGNORE, QUARANTINE, Quarantine, SceneRecord
from samrs.core.shards import fresh_product, write_manifest, write_table
from samrs.core.tiling import windows
from samrs.normalize.kept_scenes import KeptScenes, Summary, kept_scenes
from samrs.normalize.scene_key import Beside
from samrs.normalize.scene_rows import Cut, make_scene
from samrs.normalize.tables import Tables, found_or_made
from samrs.reading.annotations import image_name, set_lost_links_aside, set_scene_aside
from samrs.reading.files import printable
from samrs.reading.options import keywords

log = logging.getLogger("samrs")
DATASETS = "samrs.datasets"
OWN_TERMS = "as the owner of the data says"
LONGEST_TERMS = 10_000
ORIGINS = ("demo", "official")
"""What ``download`` notes."""
COUNTS = (
    "scenes",
    "tiles",
    "tiles_empty",
    "tiles_without_data",
    "instances",
    "instance_rows",
    "with_obb",
    "with_truth",
    "difficult_left_out",
)


def normalize(
    dataset: str,
    source: Path,
    out: Path,
    *,
    format: str | None = None,
    tile: int | None,
    overlap: int,
    min_visible: float,
    clip: bool,
    pad: bool,
    keep_difficult: bool,
    stretch: float,
    max_quarantined: float,
    val: float = 0.0,
    max_tile_px: int = 2**26,
    options: Mapping[str, Any] | None = None,
    workers: int | None = None,
    work: Path | None = None,
) -> dict[str, Any]:
    """Write the product ``normalize/<dataset>`` and return its metrics.

    Args:
        dataset: its name, in the product and what is made of it.
        source: the dataset's folder, in the layout of its format.
        out: folder of the product; what stood there before is removed.
        format: whose reader reads it, a folder of ``samrs/datasets``; None: that of its name.
        tile: side of a tile in px; None keeps scenes whole.
        overlap: px shared by neighbouring tiles.
        min_visible: share [0, 1] of a box that a tile must see to list it.
        clip: whether boxes to prompt with are cut to the tile (and the image); SAMRS did not.
        pad: whether scenes smaller than a tile are filled up to it, right and below, with
            ``PADDING`` (255 in label maps), as in SAMRS; boxes stay in the scene.
        keep_difficult: whether annotations marked difficult are listed; else they are counted.
        stretch: percent [0, 50) cut at either end of each band where px have more than 8 bits.
        max_quarantined: share [0, 1] of images and annotations that may be bad.
        val: share [0, 1] of scenes that make the split val where the dataset has no splits, drawn
            by their ids; the others are train. 0 leaves all in the split ``all``.
        max_tile_px: px that a tile, or a scene kept whole, may have, as each is decoded at once;
            scenes beyond are set aside.
        options: of the reader, where it takes some (``samrs/reading/options.py``).
        workers: threads and processes, None for as many as cores; changes no byte.
        work: folder of the dataset's finished scenes, for the next run; what it holds changes
            speed only. None keeps none.

    Raises:
        MissingInputError: the dataset is not in ``source``, or has no images.
        QuarantineError: more than ``max_quarantined`` of the input is bad.
        ProductError: another process normalizes the dataset with this ``work`` now.
    """
    check_cut(
        tile=tile, overlap=overlap, min_visible=min_visible, stretch=stretch,
        max_quarantined=max_quarantined, val=val, max_tile_px=max_tile_px,
    )  # fmt: skip
    format = format or dataset
    module, categories, told = _reader(dataset, source, format, options)
    cut = Cut(
        tile=tile, overlap=overlap, min_visible=min_visible, clip=clip, pad=pad,
        keep_difficult=keep_difficult, stretch=stretch, max_tile_px=max_tile_px,
        categories=categories,
    )  # fmt: skip
    quarantine = Quarantine()
    with limited_to(workers), kept_scenes(work, cut) as kept:
        fresh_product(out)
        read = module.read_scenes(source, quarantine, **told)
        shown = progress(read, desc=f"normalize {dataset}", unit="scene")
        distinct = _without_twins((_split(r, val) for r in shown), source, quarantine)
        totals, digests = _write_scenes(distinct, source, out, cut, quarantine, kept)
    quarantine.rows.sort(key=_place)
    write_table(out, "quarantine", QUARANTINE, quarantine.rows)
    _check_any(source, format, quarantine, totals.counts)
    _check_quarantine(quarantine, totals.counts, max_quarantined, out)
    subset = module.SUBSET if format == dataset else None
    about = {"dataset": dataset, "format": format, "subset": subset, **_origin(source)}
    if told:
        about["options"] = dict(options or {})
    shares = {"max_quarantined": max_quarantined, "val": val}
    _write_manifest(out, about, cut, shares, digests)
    return totals.metrics(quarantine)


def _reader(
    dataset: str, source: Path, format: str, options: Mapping[str, Any] | None
) -> tuple[ModuleType, tuple[str, ...], dict[str, Any]]:
    """The reader of a format, the categories of the dataset that lies in a folder, its keywords.

    Raises:
        ParameterError: the reader has no such option.
        MissingInputError: there is no such folder.
        AnnotationError: there are too many categories, or two of one name.
    """
    module = load(DATASETS, format, "read")
    told = keywords(module, format, options)
    if not source.is_dir():
        raise MissingInputError(
            f"{source}: no {format} dataset, got no such folder; the layout that docs/datasets.md "
            f"shows of {format} is needed there; correct datasets.{dataset}.path in params.yaml"
        )
    own = getattr(module, "categories", None)
    categories: tuple[str, ...] = module.CATEGORIES if own is None else own(source, **told)
    _check_categories(categories, format, source)
    return module, categories, told


def _write_scenes(
    records: Iterable[SceneRecord],
    source: Path,
    out: Path,
    cut: Cut,
    quarantine: Quarantine,
    kept: KeptScenes | None,
) -> tuple[_Totals, dict[str, str]]:
    """Write the tables of scenes in their order; they are made a few at a time on threads.

    Returns:
        What was counted, and the sha256 of shards that were read for it.
    """
    set_lost_links_aside(source, quarantine)
    totals = _Totals()
    with ExitStack() as stack:
        threads = num_workers()
        tiles_pool, scenes_pool = ThreadPoolExecutor(threads), ThreadPoolExecutor(threads)
        for pool in (tiles_pool, scenes_pool):  # scenes end first: they wait for their tiles
            stack.callback(pool.shutdown, cancel_futures=True)
        make = partial(make_scene, source=source, folder=out, cut=cut, pool=tiles_pool)
        found = partial(found_or_made, source=source, kept=kept, beside=Beside(), make=make)
        tables = stack.enter_context(Tables(out, kept, make))
        for scene in map_ahead(found, records, scenes_pool, ahead=threads):
            quarantine.rows += scene.summary.quarantine
            if scene.summary.rows:
                totals.add(scene.summary)
            tables.write(scene)
        tables.end_shards()
    if kept is not None:
        log.info("normalize %s: %s", out.name, tables.told())
        kept.parts.prune()
    return totals, tables.digests


def _check_categories(categories: Sequence[str], format: str, source: Path) -> None:
    """Say now what release and exports would say after the masks were made.

    Raises:
        AnnotationError: more classes than label maps of 8 bits hold, a name that no release has,
            or two that nobody can tell apart: they differ in blanks at the ends, or in whether an
            accent is part of its letter.
    """
    if broken := [ascii(name) for name in categories if printable(name) != name]:
        raise AnnotationError(
            f"{source}: class names are not text, got {', '.join(broken)}; Unicode without lone "
            "surrogates is allowed; correct the annotations"
        )
    if len(categories) > IGNORE:
        raise AnnotationError(
            f"{source}: too many classes, got {len(categories)}; {IGNORE} are allowed, as many as "
            "8-bit label maps hold; merge some"
        )
    alike: dict[str, list[str]] = {}
    for name in categories:
        composed = unicodedata.normalize("NFC", plain_text(name))
        alike.setdefault(safe_name(one_word(composed)).lower(), []).append(name)
    for names in alike.values():
        seen = {unicodedata.normalize("NFC", plain_text(name)) for name in names}
        if len(seen) < len(names):
            got = ", ".join(map(ascii, names))
            raise AnnotationError(
                f"{source}: one class is spelled in several ways, got {got}; one spelling is "
                "allowed; correct the annotations"
            )
        if len(names) > 1:
            log.warning(
                "normalize %s: classes %s differ in characters that some formats do not keep; "
                "exports to those refuse them",
                format,
                ", ".join(map(repr, names)),
            )
    if odd := [name for name in categories if not CLASS_NAME.fullmatch(name)]:
        raise AnnotationError(
            f"{source}: no name of a class, got {odd[0][:60]!a} of {len(odd[0])} characters; "
            f"{CLASS_NAME_SAID} is allowed; correct the annotations"
        )


def _split(record: SceneRecord, val: float) -> SceneRecord:
    """A record of no split is drawn into val, by its id, or else is train."""
    if not val or record.split != "all":
        return record
    drawn = int.from_bytes(hashlib.sha256(record.scene_id.encode()).digest()[:8], "big") / 2**64
    return replace(record, split="val" if drawn < val else "train")


def _origin(source: Path) -> dict[str, str]:
    """``origin`` and ``terms`` of the files: those that ``download`` noted, else a user's own."""
    own = {"origin": "own", "terms": OWN_TERMS}
    manifest = source / "manifest.json"
    if not manifest.is_file():
        return own
    try:
        said = json.loads(manifest.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):  # one of the user's own that happens to have that name
        return own
    origin, terms = (said.get(key) if isinstance(said, dict) else None for key in own)
    sound = isinstance(terms, str) and terms.isprintable() and len(terms) <= LONGEST_TERMS
    return {"origin": origin, "terms": str(terms)} if sound and origin in ORIGINS else own


def check_cut(
    *,
    tile: int | None,
    overlap: int,
    min_visible: float,
    stretch: float,
    max_quarantined: float,
    val: float,
    max_tile_px: int = 1,
) -> None:
    """Refuse numbers that no scene can be cut by.

    Args:
        tile: as of ``normalize``, as are ``overlap``, ``min_visible``, ``stretch``,
            ``max_quarantined``, ``val`` and ``max_tile_px``.

    Raises:
        ParameterError: one is out of range.
    """
    shares = {"min_visible": min_visible, "max_quarantined": max_quarantined, "val": val}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise ParameterError(
                f"normalize: {name} is not a share, got {share}; 0 to 1 is allowed; correct it"
            )
    if not 0 <= stretch < 50:
        raise ParameterError(
            f"normalize: stretch cuts too much, got {stretch}; 0 to 50 percent at either end is "
            "allowed; correct it"
        )
    if max_tile_px < 1:
        raise ParameterError(
            f"normalize: max_tile_px allows no tile, got {max_tile_px}; at least 1 px is allowed; "
            "correct it"
        )
    windows(1, 1, tile=tile, overlap=overlap)  # refuses an overlap that does not fit


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


def _set_twin_aside(record: SceneRecord, source: Path, quarantine: Quarantine) -> None:
    where = image_name(record, source)
    detail = (
        f"{where}: scene id is used twice, got {record.scene_id}; ids unique in the dataset are "
        "allowed; rename one of the images and its annotations"
    )
    set_scene_aside(record, where, "scene id used twice", detail, quarantine)


@dataclass
class _Totals:
    """Counts over scenes; instances are counted once however many tiles list them."""

    counts: Counter[str] = field(default_factory=Counter)
    splits: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, scene: Summary) -> None:
        self.counts.update(scene.counts)
        self.splits.setdefault(scene.split, Counter()).update(scene.counts)

    def metrics(self, quarantine: Quarantine) -> dict[str, Any]:
        return {
            **{name: self.counts[name] for name in COUNTS},
            "splits": {
                split: {name: counts[name] for name in ("scenes", "tiles", "instances")}
                for split, counts in sorted(self.splits.items())
            },
            "quarantined": {"total": len(quarantine.rows), "by_reason": quarantine.counts()},
        }


def _write_manifest(
    out: Path,
    about: Mapping[str, Any],
    cut: Cut,
    shares: Mapping[str, float],
    digests: Mapping[str, str],
) -> None:
    parameters = {**vars(cut), **shares}
    del parameters["max_tile_px"]  # a limit of memory: what it sets aside is in the quarantine
    categories = list(parameters.pop("categories"))
    about = {"product": "normalize", **about, "categories": categories}
    write_manifest(out, {**about, "parameters": parameters}, digests)


def _check_any(source: Path, format: str, quarantine: Quarantine, counts: Counter[str]) -> None:
    if not (quarantine.rows or counts["scenes"]):
        raise MissingInputError(
            f"{source}: a {format} dataset without a single image, got empty folders or files of "
            f"other names; the layout that docs/datasets.md shows of {format} is needed there; "
            "put the files there"
        )


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
