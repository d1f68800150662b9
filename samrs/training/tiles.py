"""Tiles with label maps of a product, of which windows are read at random.

Both ``normalize/<benchmark>`` and ``release/<subset>`` hold the tables ``tiles`` and ``semantic``
(``core/records.py``) and the categories in their manifest. Parquet is made for reading in order;
training reads at random. So all tiles are packed once into one file (``blocks.py``) which is mapped
into memory: a read touches its own bytes only, and worker processes share the pages. The file's
folder is named by the product's content, so that all trainings on it share one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from samrs.core.errors import ProductError, SamrsError
from samrs.core.images import decode_labels, decode_rgb
from samrs.core.parallel import map_stream
from samrs.core.progress import progress
from samrs.core.records import IGNORE, label_names
from samrs.core.shards import iter_rows, json_text, read_manifest, read_table, sha256
from samrs.training.blocks import FORMAT, Frame, Image, PackedTile, pack
from samrs.training.once import Place, owned
from samrs.work.fingerprint import fingerprint, prune_units
from samrs.work.kept import keep, kept
from samrs.work.lock import in_use, locked

log = logging.getLogger("samrs")

MANY = 2000
"""Tiles from which on processes pay for packing them."""


@dataclass(frozen=True)
class _Stored:
    """Where a tile lies in its scene and in the mapped file, and its labels, 255 apart."""

    tile_id: str
    split: str
    scene: str
    place: Place
    begin: int
    frame: Frame
    present: tuple[int, ...]


class SemanticTiles:
    """The tiles of a product, sorted by id, unpacked on access.

    ``categories`` are the names of its labels. The one called ``background`` is trained and
    predicted, but is no foreground and not in mean scores.

    Args:
        product: folder with tables ``tiles`` and ``semantic``.
        store: folder of the packed tiles of all products; those of this product are used again
            where they are complete and undamaged, else packed.

    Raises:
        MissingInputError: a table or the manifest is missing.
        ImageError: an image or label map does not decode.
        ProductError: tiles and label maps do not belong together, or a map holds a label without a
            category.
    """

    def __init__(self, product: Path, store: Path) -> None:
        self.product = product
        self.categories = label_names(read_manifest(product))
        folder = store / _name(product)
        self._file = folder / FILE
        with locked(folder, "packs or checks these tiles", patience=None):
            self._in_use: TextIO | None = in_use(folder)
            (folder / PRODUCT).write_bytes(os.fsencode(product.resolve()))
            rows = _index(folder) or _pack(product, folder, len(self.categories))
        self._stored = [
            _Stored(r[0], r[1], r[2], Place(*r[3]), r[4], Frame(*r[5]), tuple(r[6])) for r in rows
        ]
        self._bytes: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def splits(self) -> list[str]:
        """The split of each tile."""
        return [tile.split for tile in self._stored]

    def labels_of(self, index: int) -> tuple[int, ...]:
        """The labels of a tile's map, sorted; without 255, so none where nothing is labelled."""
        return self._stored[index].present

    def tile(self, index: int) -> PackedTile:
        """A tile of which windows are read."""
        begin = self._stored[index].begin
        if self._bytes is None:
            self._bytes = np.memmap(self._file, np.uint8, mode="r")
        data = self._bytes
        return PackedTile(
            self._stored[index].frame,
            lambda first, last: data[begin + first : begin + last].tobytes(),
        )

    def read(self, index: int) -> tuple[Image, Image]:
        """Image (H, W, 3) RGB and label map (H, W) of a tile."""
        tile = self.tile(index)
        return tile.image(tile.whole), tile.labels(tile.whole)

    def read_once(self, index: int, among: Collection[int]) -> tuple[Image, Image]:
        """A tile as from ``read``; 255 where a pixel of the scene counts in another tile.

        Args:
            index: of the tile.
            among: indices of all tiles that are counted.

        Raises:
            ProductError: the tile is not as large as its table says.
        """
        image, labels = self.read(index)
        tile = self._stored[index]
        if labels.shape != (tile.place.height, tile.place.width):
            raise ProductError(
                f"{self.product}: {tile.tile_id}: size differs from the table's, got "
                f"{labels.shape}; {tile.place[:1:-1]} is allowed; make the product again"
            )
        scene = [i for i in sorted(among) if self._stored[i].scene == tile.scene]
        mine = owned([self._stored[i].place for i in scene], scene.index(index))
        return image, np.where(mine, labels, IGNORE).astype(np.uint8)

    def __getstate__(self) -> dict[str, Any]:
        """Without what is mapped: each worker process opens the file itself."""
        return {**self.__dict__, "_bytes": None, "_in_use": None}


FILE, INDEX, PRODUCT = "tiles.bin", "index.json", "product"
DECODER = "opencv-python-headless"
_Index = list[tuple[str, str, str, list[int], int, list[int], list[int]]]


def _name(product: Path) -> str:
    """The name of a product's packed tiles."""
    return fingerprint({"format": FORMAT}, code=[], libraries=[DECODER], inputs=[product])


def prune_tiles(store: Path) -> None:
    """Remove the packed tiles of products that are no more what they were, unless they are read.

    Args:
        store: of ``SemanticTiles``.
    """
    present = {folder.name for folder in store.iterdir() if _is_present(folder)}
    prune_units(store, present)


def _is_present(folder: Path) -> bool:
    """Whether the product that a folder's tiles were packed of is what it was."""
    try:
        product = Path(os.fsdecode((folder / PRODUCT).read_bytes()))
        return _name(product) == folder.name
    except (OSError, SamrsError):
        return False


def _index(folder: Path) -> _Index | None:
    """The index of a folder that is complete and undamaged."""
    content = kept(folder / INDEX)
    if content is None or not (folder / FILE).is_file():
        return None
    said = json.loads(content)
    found: _Index = said["tiles"]
    return found if sha256(folder / FILE) == said["sha256"] else None


class _Encoded(NamedTuple):
    """A tile as the product has it."""

    where: str
    image: bytes
    labels: bytes
    categories: int


def _pack(product: Path, folder: Path, categories: int) -> _Index:
    """Pack all tiles of a product into a folder; their index."""
    columns = ["tile_id", "split", "scene_id", *Place._fields]
    tiles = read_table(product, "tiles", columns).to_pylist()
    maps = read_table(product, "semantic", ["tile_id"])["tile_id"].to_pylist()
    if not tiles or [row["tile_id"] for row in tiles] != maps:
        raise ProductError(
            f"{product}: tiles and label maps do not pair, got {len(tiles)} tiles and {len(maps)} "
            "label maps; one label map a tile, in the order of the tiles, is allowed; make the "
            "product again"
        )
    digest, begin = hashlib.sha256(), 0
    rows: _Index = []
    encoded = _encoded(product, categories)
    packed = map_stream(_packed, encoded, processes=len(tiles) >= MANY)
    with (folder / FILE).open("wb") as file:
        for row in progress(tiles, desc=f"tiles of {product.name}", unit="tile"):
            frame, data, present = next(packed)
            place = [row[key] for key in Place._fields]
            rows.append((*(row[key] for key in columns[:3]), place, begin, list(frame), present))
            file.write(data)
            digest.update(data)
            begin += len(data)
        file.flush()
        os.fsync(file.fileno())
    rows.sort()
    index = json_text({"sha256": digest.hexdigest(), "tiles": rows})
    keep(folder / INDEX, index.encode())
    log.info("tiles of %s: %d, %d MB in %s", product.name, len(rows), begin >> 20, folder)
    return rows


def _encoded(product: Path, categories: int) -> Iterator[_Encoded]:
    """The encoded tiles of a product, a few at a time in memory."""
    images = iter_rows(product, "tiles", ["tile_id", "image"], batch_rows=8)
    maps = iter_rows(product, "semantic", ["label_map"], batch_rows=8)
    for row, other in zip(images, maps, strict=True):
        where = f"{product}: {row['tile_id']}"
        yield _Encoded(where, row["image"]["bytes"], other["label_map"]["bytes"], categories)


def _packed(tile: _Encoded) -> tuple[Frame, bytes, list[int]]:
    """Frame, bytes and labels of a tile."""
    image, labels = decode_rgb(tile.image, tile.where), decode_labels(tile.labels, tile.where)
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    present = [int(value) for value in np.flatnonzero(counts[:IGNORE])]
    if present and present[-1] >= tile.categories:
        raise ProductError(
            f"{tile.where}: label without a category, got {present[-1]}; 0 to "
            f"{tile.categories - 1} and {IGNORE} are allowed; make the product again"
        )
    frame, data = pack(image, labels, tile.where)
    return frame, data, present
