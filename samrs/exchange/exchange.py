"""A release out to a labelling tool, and what a person changed there back as corrections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from samrs.core import axis
from samrs.core.errors import AnnotationError, advice
from samrs.core.names import safe_name
from samrs.corrections.store import Store
from samrs.data.reader import ReleaseReader, TileRecord
from samrs.exchange.changes import Changes
from samrs.exchange.shapes import Picture, Shape
from samrs.export.outlines import rings_by_part
from samrs.reading.image_header import picture as header

TOOLS = "samrs.exchange.tools"


@dataclass(frozen=True)
class Exported:
    """What was written for a tool.

    Args:
        images: tiles.
        masks: objects in them.
        holes: of these, those with holes, and
        parts: those of several parts, which a tool that makes polygons of masks loses or divides.
        loses: what the tool's format or the tool may lose, in words.
    """

    images: int
    masks: int
    holes: int
    parts: int
    loses: str


def export(tool: str, release: Path, out: Path, *, images: bool = True) -> Exported:
    """Write a release for a labelling tool.

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
    counts: Counter[str] = Counter()
    module.write(_pictures(reader, images, counts), reader.categories, out)
    return Exported(
        len(reader), counts["masks"], counts["holes"], counts["parts"], str(module.LOSES)
    )


def _pictures(reader: ReleaseReader, images: bool, counts: Counter[str]) -> Iterator[Picture]:
    for number in range(len(reader)):
        tile = reader.read(number)
        rows = tile.instances.select(["instance_id", "category", "rle"]).to_pylist()
        shapes = [Shape(row["instance_id"], row["category"], row["rle"]) for row in rows]
        for shape in shapes:
            parts = rings_by_part(shape.rle)
            counts["masks"] += 1
            counts["parts"] += len(parts) > 1
            counts["holes"] += any(len(rings) > 1 for _, rings in parts)
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
        Numbers by ``COUNTED`` (changes.py).

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
    store = Store(folder, reader.categories)
    changes = Changes(store.read(), reader.categories, reject=deleted == "reject")
    seen: set[str] = set()
    for name, shapes in axis.load(TOOLS, tool).read(path, sizes):
        stem = Path(name).stem
        if stem not in tiles:
            raise AnnotationError(
                f"{path}: an image of another release, got {name!r}; images of {release} are "
                f"allowed; {advice(stem, tiles, 'give the release that was exported')}"
            )
        if stem in seen:
            raise AnnotationError(
                f"{path}: an image stands there twice, got {name!r}; each image once is allowed; "
                "give one file, or a folder that holds no older ones"
            )
        seen.add(stem)
        changes.tile(reader.read(tiles[stem]), shapes)
    edits = [edit for _, edit in sorted(changes.edits.items()) if edit.before != edit.after]
    if edits:
        store.apply(edits)
    return dict(changes.counts)
