"""A release out to a labelling tool, and what a person changed there back as corrections.

Objects come back by their ids. One without an id is the instance whose very mask it has, or else
the one without a partner whose mask it overlaps most, by half at least; the latter are counted.
What has the same mask and class as in the release was not touched, and is no correction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core import axis
from samrs.core.errors import AnnotationError, advice
from samrs.core.names import safe_name
from samrs.core.rle import rle_iou, rle_to_hbb
from samrs.corrections.records import (
    Added,
    Anchor,
    ClassChange,
    Drawn,
    Record,
    Verdict,
    mask_digest,
    new_id,
    rounded_box,
)
from samrs.corrections.store import Edit, Store
from samrs.data.reader import ReleaseReader, TileRecord
from samrs.exchange.shapes import Picture, Shape
from samrs.reading.image_header import picture as header

TOOLS = "samrs.exchange.tools"
SAME, HALF = 1.0, 0.5
"""IoU of a mask that nobody touched, and the least by which one without an id is told."""
DELETED = "deleted in the tool"


def export(tool: str, release: Path, out: Path, *, images: bool = True) -> int:
    """Write a release for a labelling tool; returns the number of tiles.

    Args:
        tool: a file of ``samrs/exchange/tools``.
        out: a new folder.
        images: whether to write the pictures, too.

    Raises:
        UnknownNameError: there is no such tool.
        ProductError: it is no release.
    """
    module = axis.load(TOOLS, tool)
    reader = ReleaseReader(release)
    out.mkdir(parents=True)
    module.write(_pictures(reader, images), reader.categories, out)
    return len(reader)


def _pictures(reader: ReleaseReader, images: bool) -> Iterator[Picture]:
    for number in range(len(reader)):
        tile = reader.read(number)
        rows = tile.instances.select(["instance_id", "category", "rle"]).to_pylist()
        shapes = [Shape(row["instance_id"], row["category"], row["rle"]) for row in rows]
        height, width = tile.size_hw
        yield Picture(_file(tile), (width, height), tile.image if images else None, shapes)


def _file(tile: TileRecord) -> str:
    """Name of a tile's image file."""
    found = header(tile.image)
    return safe_name(tile.tile_id) + (found.suffix if found else ".png")


def take_back(
    tool: str, release: Path, path: Path, folder: Path, *, deleted: str = "reject"
) -> dict[str, int]:
    """Turn what a person changed in a tool into corrections.

    Args:
        tool: a file of ``samrs/exchange/tools``.
        release: the one that was exported.
        path: what the tool wrote: a file, or a folder.
        folder: of the dataset's corrections.
        deleted: what an object is that its image does not have any more: ``reject``, or ``keep``
            where nothing is said of it.

    Returns:
        Numbers of ``images`` that came back, and of objects ``untouched``, ``drawn``,
        ``reclassified``, ``added``, ``rejected``, and ``by_overlap``: touched ones without an id.

    Raises:
        UnknownNameError: there is no such tool.
        AnnotationError: what came back is not what the tool writes, or is of another release.
    """
    reader = ReleaseReader(release)
    tiles, sizes = {}, {}
    for number in range(len(reader)):
        tile = reader.read(number)
        tiles[Path(_file(tile)).stem] = number
        sizes[_file(tile)] = (tile.size_hw[1], tile.size_hw[0])
    counts = Counter(dict.fromkeys(
        ("images", "untouched", "drawn", "reclassified", "added", "rejected", "by_overlap"), 0
    ))  # fmt: skip
    records: dict[Any, Record] = {}
    for name, shapes in axis.load(TOOLS, tool).read(path, sizes):
        stem = Path(name).stem
        if stem not in tiles:
            raise AnnotationError(
                f"{path}: an image of another release, got {name!r}; images of {release} are "
                f"allowed; {advice(stem, tiles, 'give the release that was exported')}"
            )
        counts["images"] += 1
        for record in _changes(
            reader.read(tiles[stem]), shapes, reader.categories, counts, deleted
        ):
            records[record.key] = record
    store = Store(folder, reader.categories)
    known = store.read().records
    edits = [Edit(known.get(key), record) for key, record in sorted(records.items())]
    if edits:
        store.apply(edits)
    return dict(counts)


def _changes(
    tile: TileRecord, shapes: Sequence[Shape], categories: Sequence[str], counts: Counter[str],
    deleted: str,
) -> Iterator[Record]:  # fmt: skip
    """Records of one tile, counted."""
    columns = ["instance_id", "tile_id", "hbb_annotated", "category", "rle"]
    rows = tile.instances.select(columns).to_pylist()
    pairs = _paired(rows, shapes, counts)
    for shape, number in zip(shapes, pairs, strict=True):
        if shape.category not in categories:
            raise AnnotationError(
                f"{tile.tile_id}: unknown class, got {shape.category!r}; {', '.join(categories)} "
                f"are allowed; {advice(shape.category, categories, 'correct it in the tool')}"
            )
        if number is None:
            yield from _new(tile, shape)
            counts["added"] += 1
            continue
        row = rows[number]
        touched = rle_iou([row["rle"]], [shape.rle])[0, 0] < SAME
        changed = row["category"] != shape.category
        counts["untouched"] += not (touched or changed)
        if touched:
            counts["drawn"] += 1
            yield Drawn(anchor=Anchor.of(row), rle=shape.rle)
        if changed:
            counts["reclassified"] += 1
            yield ClassChange(anchor=Anchor.of(row), old=row["category"], new=shape.category)
    gone = set(range(len(rows))) - {number for number in pairs if number is not None}
    for number in sorted(gone) if deleted == "reject" else ():
        row = rows[number]
        counts["rejected"] += 1
        yield Verdict(anchor=Anchor.of(row), verdict="reject", reason=DELETED,
                      mask=mask_digest(row["rle"]))  # fmt: skip


def _paired(
    rows: Sequence[dict[str, Any]], shapes: Sequence[Shape], counts: Counter[str]
) -> list[int | None]:
    """The row of each shape, each once; None for new ones."""
    number_of = {row["instance_id"]: i for i, row in enumerate(rows)}
    found: list[int | None] = []
    for shape in shapes:
        number = number_of.get(shape.instance_id or "")
        found.append(number if number not in found else None)
    if not rows or None not in found:
        return found
    ious = rle_iou([shape.rle for shape in shapes], [row["rle"] for row in rows])
    order = np.argsort(-ious, axis=None, kind="stable")
    for place in order.tolist():
        i, j = divmod(place, len(rows))
        if ious[i, j] < HALF:
            break
        if found[i] is None and j not in found:
            found[i] = j
            counts["by_overlap"] += int(ious[i, j] < SAME)
    return found


def _new(tile: TileRecord, shape: Shape) -> Iterator[Record]:
    box = rounded_box(rle_to_hbb(shape.rle))
    name = new_id(tile.scene_id, tile.tile_id, shape.category, box)
    anchor = Anchor(instance_id=name, tile_id=tile.tile_id, annotated=box)
    yield Added(anchor=anchor, category=shape.category)
    yield Drawn(anchor=anchor, rle=shape.rle)
