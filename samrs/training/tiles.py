"""Tiles with label maps of a product, as torch datasets.

Both ``normalize/<benchmark>`` and ``release/<subset>`` hold the tables ``tiles`` and ``semantic``
(``core/records.py``) and the categories in their manifest. Parquet is made for reading in order;
training reads at random. So the encoded images are copied once into one file which is mapped into
memory: a read touches its own bytes only, and worker processes share the pages.

Augmentation is SAMRS's recipe: random scale 0.5-2, pad, crop, flips, quarter turns, colour. One
addition, from nnU-Net (Isensee et al., Nature Methods 2021): some crops are placed on a random
pixel of a random foreground category of the tile, the others anywhere. Most of a released tile is
unlabelled and teaches nothing, and small categories would hardly ever be seen.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from samrs.core.errors import ImageError, ProductError
from samrs.core.images import decode_labels, decode_rgb
from samrs.core.records import BACKGROUND, IGNORE, label_names
from samrs.core.shards import iter_rows, json_bytes, read_manifest, read_table, sha256
from samrs.training.once import Place, owned
from samrs.training.sampling import Draw, Draws
from samrs.work.kept import keep, kept

Image = NDArray[np.uint8]

CACHE_BYTES = 256 * 2**20
"""Decoded tiles kept by each product and process: all of a small dataset, a few of a large one."""

PAD_RGB = (124, 116, 104)
"""ImageNet's mean colour, which stands for "nothing" after normalization."""

SCALES = (0.5, 2.0)
ON_FOREGROUND = 0.67
"""Share of the crops that are placed on a foreground category."""

COLOUR = 0.25
"""Brightness, contrast and saturation change by up to this share, each."""


@dataclass(frozen=True)
class _Stored:
    """Where a tile lies in its scene, where its encoded image and label map lie in the mapped file,
    (offset, bytes), and the labels that the map holds, 255 apart."""

    tile_id: str
    split: str
    scene: str
    place: Place
    image: tuple[int, int]
    labels: tuple[int, int]
    present: tuple[int, ...]


class SemanticTiles:
    """The tiles of a product, sorted by id, decoded on access.

    ``categories`` are the names of its labels. The one called ``background`` is trained and
    predicted, but is no foreground and not in mean scores.

    Args:
        product: folder with tables ``tiles`` and ``semantic``.
        cache: folder for the mapped file; one that is complete and undamaged is used again.

    Raises:
        MissingInputError: a table or the manifest is missing.
        ProductError: tiles and label maps do not belong together.
    """

    def __init__(self, product: Path, cache: Path) -> None:
        self.product = product
        self.categories = label_names(read_manifest(product))
        self._file = cache / "tiles.bin"
        rows = _index(cache) or _unpack(product, cache)
        self._stored = [
            _Stored(r[0], r[1], r[2], Place(*r[3]), (r[4], r[5]), (r[6], r[7]), tuple(r[8]))
            for r in rows
        ]
        self._bytes: NDArray[np.uint8] | None = None
        self._decoded: OrderedDict[int, tuple[Image, Image]] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return len(self._stored)

    @property
    def splits(self) -> list[str]:
        """The split of each tile."""
        return [tile.split for tile in self._stored]

    def labels_of(self, index: int) -> tuple[int, ...]:
        """The labels of a tile's map, sorted; without 255, so none where nothing is labelled."""
        return self._stored[index].present

    def read(self, index: int) -> tuple[Image, Image]:
        """Image (H, W, 3) RGB and label map (H, W) of a tile.

        Raises:
            ImageError: one of them does not decode.
            ProductError: they differ in size, or the map holds a label without a category.
        """
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        tile = self._stored[index]
        where = f"{self.product}: {tile.tile_id}"
        pair = (
            decode_rgb(self._read(tile.image), where),
            decode_labels(self._read(tile.labels), where),
        )
        self._check(*pair, where)
        self._decoded[index] = pair
        self._held += sum(a.nbytes for a in pair)
        while self._held > CACHE_BYTES and len(self._decoded) > 1:
            self._held -= sum(a.nbytes for a in self._decoded.popitem(last=False)[1])
        return pair

    def read_once(self, index: int, among: Collection[int]) -> tuple[Image, Image]:
        """A tile as from ``read``; 255 where a pixel of the scene counts in another tile.

        Args:
            index: of the tile.
            among: indices of all tiles that are counted.

        Raises:
            ImageError: as from ``read``.
            ProductError: as from ``read``, or the tile is not as large as its table says.
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

    def _read(self, span: tuple[int, int]) -> bytes:
        if self._bytes is None:
            self._bytes = np.memmap(self._file, np.uint8, mode="r")
        return self._bytes[span[0] : span[0] + span[1]].tobytes()

    def _check(self, image: Image, labels: Image, where: str) -> None:
        if image.shape[:2] != labels.shape:
            raise ProductError(
                f"{where}: image and label map differ in size, got {image.shape[:2]} and "
                f"{labels.shape}; equal ones are allowed; make the product again"
            )
        known = labels[labels != IGNORE]
        if known.size and known.max() >= len(self.categories):
            raise ProductError(
                f"{where}: label without a category, got {known.max()}; 0 to "
                f"{len(self.categories) - 1} and {IGNORE} are allowed; make the product again"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Without what is mapped or decoded: each worker process opens and keeps its own."""
        return {**self.__dict__, "_bytes": None, "_decoded": OrderedDict(), "_held": 0}


_Index = list[tuple[str, str, str, list[int], int, int, int, int, list[int]]]


def _index(cache: Path) -> _Index | None:
    """The index of a cache that is complete and undamaged."""
    content = kept(cache / "index.json")
    if content is None or not (cache / "tiles.bin").is_file():
        return None
    said = json.loads(content)
    return said["tiles"] if sha256(cache / "tiles.bin") == said["sha256"] else None


def _unpack(product: Path, cache: Path) -> _Index:
    """Copy encoded images and label maps of a product into ``cache/tiles.bin``; its index."""
    cache.mkdir(parents=True, exist_ok=True)
    spans: dict[str, list[tuple[int, int]]] = {}
    present: dict[str, list[int]] = {}
    digest = hashlib.sha256()
    with (cache / "tiles.bin").open("wb") as file:
        for table, column in (("tiles", "image"), ("semantic", "label_map")):
            for row in iter_rows(product, table, ["tile_id", column], batch_rows=8):
                data = row[column]["bytes"]
                spans.setdefault(row["tile_id"], []).append((file.tell(), len(data)))
                file.write(data)
                digest.update(data)
                if table == "semantic":
                    present[row["tile_id"]] = _present(data, f"{product}: {row['tile_id']}")
        file.flush()
        os.fsync(file.fileno())
    columns = ["tile_id", "split", "scene_id", *Place._fields]
    tiles = read_table(product, "tiles", columns).to_pylist()
    splits = {row["tile_id"]: row for row in tiles}
    odd = sorted(name for name, found in spans.items() if len(found) != 2 or name not in splits)
    if odd or not spans:
        raise ProductError(
            f"{product}: tiles and label maps do not pair, got {len(spans)} tiles and for "
            f"{len(odd)} of them not one of each ({', '.join(odd[:3])}); one label map a tile is "
            "allowed; make the product again"
        )
    rows: _Index = [
        (
            *(splits[name][key] for key in columns[:3]),
            [splits[name][key] for key in Place._fields],
            *spans[name][0],
            *spans[name][1],
            present[name],
        )
        for name in sorted(spans)
    ]
    keep(cache / "index.json", json_bytes({"sha256": digest.hexdigest(), "tiles": rows}))
    return rows


def _present(label_map: bytes, where: str) -> list[int]:
    counts = np.bincount(decode_labels(label_map, where).ravel(), minlength=IGNORE + 1)
    return [int(value) for value in np.flatnonzero(counts[:IGNORE])]


class Crops(Dataset[dict[str, Tensor]]):
    """Batches of augmented crops, by the number of the step.

    Each crop depends on the seed and its draw only, so neither the order of reading nor the number
    of worker processes changes it.

    Args:
        subsets: tiles of each subset.
        indices: tiles of each subset to draw from; a draw's place points into these.
        draws: which of them a step sees.
        crop: side in px.
    """

    def __init__(
        self,
        subsets: Mapping[str, SemanticTiles],
        indices: Mapping[str, Sequence[int]],
        draws: Draws,
        *,
        crop: int,
        seed: int,
    ) -> None:
        self.tiles = list(subsets.values())
        self.indices = [list(indices[name]) for name in subsets]
        self.draws, self.crop, self.seed = draws, crop, seed

    def __getitem__(self, step: int) -> dict[str, Tensor]:
        """``images`` (B, 3, crop, crop) and ``labels`` (B, crop, crop), both uint8."""
        pairs = list(self._crops(self.draws.batch(step)))
        images = np.stack([image for image, _ in pairs]).transpose(0, 3, 1, 2)
        labels = np.stack([labels for _, labels in pairs])
        return {
            "images": torch.from_numpy(np.ascontiguousarray(images)),
            "labels": torch.from_numpy(labels),
        }

    def _crops(self, draws: list[Draw]) -> Iterator[tuple[Image, Image]]:
        for draw in draws:
            tiles = self.tiles[draw.subset]
            rng = np.random.default_rng([self.seed, 1, *draw])
            pair = tiles.read(self.indices[draw.subset][draw.place])
            yield augment(*pair, self.crop, background_ids(tiles.categories), rng)


def background_ids(categories: Sequence[str]) -> tuple[int, ...]:
    """Labels that are no foreground: unlabelled and, where there is one, the background class."""
    return (IGNORE, *(i for i, name in enumerate(categories) if name == BACKGROUND))


def augment(
    image: Image,
    labels: Image,
    crop: int,
    background: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """A random crop (crop, crop, 3) and its labels (crop, crop) of a tile.

    Only the part that is kept gets resampled: the image linearly, labels to the nearest. Outside
    the tile the image is grey and the labels 255. A crop holds a labelled pixel where the tile has
    one.

    Args:
        background: labels that do not count as foreground.

    Raises:
        ImageError: the tile is empty.
    """
    if labels.size == 0:
        raise ImageError("tile: no pixels, got size 0; at least 1 x 1 is allowed; make it again")
    side = round(crop / rng.uniform(*SCALES))
    part, known = _cut(image, labels, side, crop, background, rng)
    if (known == IGNORE).all() and side > crop:  # a small object that the smaller scale skips
        part, known = _cut(image, labels, crop, crop, background, rng)
    turns = int(rng.integers(4))
    part, known = np.rot90(part, turns), np.rot90(known, turns)
    for axis in (0, 1):
        if rng.random() < 0.5:
            part, known = np.flip(part, axis), np.flip(known, axis)
    return shift_colour(part, rng), np.ascontiguousarray(known)


def _cut(
    image: Image,
    labels: Image,
    side: int,
    crop: int,
    background: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Image, Image]:
    """A window of ``side`` px of image and labels, resampled to ``crop`` px."""
    x, y = _corner(labels, side, background, rng)
    part, known = image[y : y + side, x : x + side], labels[y : y + side, x : x + side]
    below, right = side - known.shape[0], side - known.shape[1]
    if below or right:
        part = cv2.copyMakeBorder(
            part, 0, below, 0, right, cv2.BORDER_CONSTANT, value=PAD_RGB
        ).astype(np.uint8, copy=False)
        known = np.pad(known, ((0, below), (0, right)), constant_values=IGNORE)
    part = cv2.resize(part, (crop, crop), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    known = cv2.resize(known, (crop, crop), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8)
    return part, known


def _corner(
    labels: Image, side: int, background: Sequence[int], rng: np.random.Generator
) -> tuple[int, int]:
    """Left and top of a window: so that it holds a pixel of a foreground category, or anywhere;
    where nothing is labelled there, so that it holds a labelled pixel."""
    last_y, last_x = (max(length - side, 0) for length in labels.shape)
    x, y = int(rng.integers(last_x + 1)), int(rng.integers(last_y + 1))
    counts = np.bincount(labels.ravel(), minlength=IGNORE + 1)
    categories = [int(i) for i in np.flatnonzero(counts) if i not in background]
    if categories and rng.random() < ON_FOREGROUND:
        wanted = labels == rng.choice(categories)
    elif (labels[y : y + side, x : x + side] == IGNORE).all():
        wanted = labels != IGNORE
    else:
        return x, y
    chosen = np.flatnonzero(wanted)
    if chosen.size:
        row, column = divmod(int(rng.choice(chosen)), labels.shape[1])
        x = min(max(column - int(rng.integers(side)), 0), last_x)
        y = min(max(row - int(rng.integers(side)), 0), last_y)
    return x, y


def shift_colour(image: Image, rng: np.random.Generator) -> Image:
    """Change saturation, contrast and brightness of (H, W, 3) RGB at random."""
    saturation, contrast, brightness = rng.uniform(-COLOUR, COLOUR, 3)
    pixels = image.astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * (1 + saturation)
    level = grey.mean()
    pixels = level + (pixels - level) * (1 + contrast) + 255 * brightness / 2
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)
