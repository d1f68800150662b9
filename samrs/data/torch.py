"""A release as torch datasets: tiles with image, semantic map and instances.

    tiles = ReleaseTiles("data/release/sota", splits=["train"], masks="dense")
    loader = DataLoader(tiles, 4, sampler=GroupSampler(tiles, seed=0), collate_fn=detection_batch)

``ReleaseTiles`` has random access; ``ReleaseStream`` reads from the beginning to the end, shuffled
in a buffer, split over ranks and workers. Both take a folder, or ``open_remote`` of a repository,
which reads a DVC remote without pulling. Tensors are torchvision's ``tv_tensors``, so that
``torchvision.transforms.v2`` moves image, map, boxes and masks together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from pycocotools import mask as coco
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Sampler, get_worker_info
from torchvision import tv_tensors

from samrs.core.errors import ProductError, check_known
from samrs.core.images import decode_labels, decode_rgb
from samrs.core.records import IGNORE, SCORES
from samrs.data.reader import Folder, ReleaseReader, TileRecord
from samrs.verify.refusal import refuse

Item = dict[str, Any]
Transforms = Callable[[Item], Item]

MASKS = ("rle", "dense", "none")
"""How masks are given: as COCO's run-length encodings, as (N, H, W) uint8, or not at all."""

GIVEN_SCORES = (*SCORES, "visible", "disagreement")
"""Columns of the instances given as ``scores``, those that the release has; NaN where null."""


def tile_item(record: TileRecord, where: str, masks: str) -> Item:
    """A stored tile as tensors.

    Returns:
        ``image`` (3, H, W) uint8; ``semantic`` (H, W) uint8 ids of the release's ``labels``, 255 =
        not known; of the N instances ``boxes`` (N, 4) float32 xyxy around the masks, ``hbb`` the
        annotated ones, ``labels`` (N,) int64, numbers of the ``categories``, ``masks`` (see MASKS),
        ``scores`` (N,) float32 by name, ``instance_ids``, ``made_by`` (machine, clicked or drawn),
        ``accepted`` (N,) bool; ``tile_id``, ``scene_id``, ``split``; ``georeference``, the tile's
        CRS as WKT2 and its transform, and ``gsd``, each None where it is not known.

    Raises:
        ImageError: image or map does not decode.
        ProductError: they differ in size.
    """
    image = decode_rgb(record.image, where)
    semantic = decode_labels(record.label_map, where)
    if image.shape[:2] != record.size_hw or semantic.shape != record.size_hw:
        raise ProductError(
            f"{where}: image and label map are not the tile, got {image.shape[:2]} and "
            f"{semantic.shape}; {record.size_hw} is allowed; fetch it again and run samrs verify"
        )
    rows = record.instances
    item: Item = {
        "image": tv_tensors.Image(torch.from_numpy(image).permute(2, 0, 1).contiguous()),
        "semantic": tv_tensors.Mask(torch.from_numpy(semantic)),
        "boxes": _boxes(rows["mask_hbb"], record.size_hw),
        "hbb": _boxes(rows["hbb"], record.size_hw),
        "labels": torch.from_numpy(rows["category_id"].to_numpy().astype(np.int64)),
        "scores": {
            name: torch.from_numpy(
                pc.fill_null(rows[name], float("nan")).to_numpy().astype(np.float32)
            )
            for name in GIVEN_SCORES
            if name in rows.column_names
        },
        "instance_ids": rows["instance_id"].to_pylist(),
        "made_by": rows["made_by"].to_pylist(),
        "accepted": torch.from_numpy(rows["accepted"].to_numpy().astype(bool)),
        "tile_id": record.tile_id,
        "scene_id": record.scene_id,
        "split": record.split,
        "georeference": record.georeference,
        "gsd": record.gsd,
    }
    if masks != "none":
        rles = rows["rle"].to_pylist()
        item["masks"] = rles if masks == "rle" else dense_masks(rles, record.size_hw)
    return item


def dense_masks(rles: Sequence[Any], size_hw: tuple[int, int]) -> tv_tensors.Mask:
    """Decode masks to (N, H, W) uint8."""
    if not rles:
        return tv_tensors.Mask(torch.zeros((0, *size_hw), dtype=torch.uint8))
    decoded = np.ascontiguousarray(coco.decode(list(rles)).transpose(2, 0, 1))
    return tv_tensors.Mask(torch.from_numpy(decoded))


def _boxes(column: Any, size_hw: tuple[int, int]) -> tv_tensors.BoundingBoxes:
    values = pc.list_flatten(column).to_numpy().astype(np.float32).reshape(-1, 4)
    return tv_tensors.BoundingBoxes(torch.from_numpy(values), format="XYXY", canvas_size=size_hw)


class _Tiles:
    """Tiles of a release; the arguments are those of ``ReleaseTiles``."""

    def __init__(
        self,
        release: Folder | Path | str,
        splits: Sequence[str] | None,
        masks: str,
        transforms: Transforms | None,
    ) -> None:
        self.reader = ReleaseReader(release)
        self.numbers = self.reader.in_splits(splits)
        check_known("samrs.data", "kind of masks", masks, MASKS)
        self.masks, self.transforms = masks, transforms

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of instances' classes by number."""
        return self.reader.categories

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of label ids in ``semantic``: the categories, after the background where told."""
        return self.reader.labels

    def _item(self, number: int) -> Item:
        record = self.reader.read(number)
        where = f"{self.reader.folder}: tile {record.tile_id}"
        item = tile_item(record, where, self.masks)
        known = torch.zeros(256, dtype=torch.bool)
        known[: len(self.labels)] = known[IGNORE] = True
        if not bool(known[item["semantic"].as_subclass(Tensor).int()].all()):
            refuse(where, "labels that are none of the categories")
        return item if self.transforms is None else self.transforms(item)


class ReleaseTiles(_Tiles, Dataset[Item]):
    """Tiles of a release by number.

    Args:
        release: its folder, or ``open_remote`` of a repository.
        splits: which tiles, by split; None: all.
        masks: one of MASKS.
        transforms: called with each item, which is as ``tile_item`` says.

    Raises:
        MissingInputError, ProductError, UnknownNameError, ParameterError: see ``ReleaseReader``.
    """

    def __init__(
        self,
        release: Folder | Path | str,
        *,
        splits: Sequence[str] | None = None,
        masks: str = "rle",
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(release, splits, masks, transforms)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Item:
        return self._item(self.numbers[index])


class GroupSampler(Sampler[int]):
    """A shuffled order of ``ReleaseTiles`` in which tiles of one row group stay together.

    Row groups come in random order and so do the tiles of a few of them at a time: each is read
    from disk once, not once a tile.

    Args:
        mixed: row groups whose tiles are mixed; each is about 32 MB of encoded images.
    """

    def __init__(self, tiles: ReleaseTiles, *, seed: int, mixed: int = 4) -> None:
        self.seed, self.epoch, self.mixed = seed, 0, mixed
        place = {number: index for index, number in enumerate(tiles.numbers)}
        groups = ([place[n] for n in group if n in place] for group in tiles.reader.groups())
        self.groups = [group for group in groups if group]

    def set_epoch(self, epoch: int) -> None:
        """Choose another order."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(map(len, self.groups))

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.groups)).tolist()
        for begin in range(0, len(order), self.mixed):
            together = [i for g in order[begin : begin + self.mixed] for i in self.groups[g]]
            yield from rng.permutation(together).tolist()


class ReleaseStream(_Tiles, IterableDataset[Item]):
    """Tiles of a release in one pass: every tile once over all ranks and workers together.

    Row groups are dealt out to ranks and to each one's workers, so that none is read twice. Ranks
    may get different numbers of tiles; with training that waits for all of them at every step, use
    ``ReleaseTiles`` and a DistributedSampler, or end with the shortest.

    Args:
        release: as for ``ReleaseTiles``.
        splits: as for ``ReleaseTiles``.
        masks: as for ``ReleaseTiles``.
        transforms: as for ``ReleaseTiles``.
        seed: of the order; None keeps the stored one.
        buffer: tiles that are mixed; their row groups should fit into ``CACHE_BYTES``.
        rank: of this process; None: as torch.distributed has it, else 0.
        ranks: their number; None: as torch.distributed has it, else 1.
    """

    def __init__(
        self,
        release: Folder | Path | str,
        *,
        splits: Sequence[str] | None = None,
        masks: str = "rle",
        transforms: Transforms | None = None,
        seed: int | None = 0,
        buffer: int = 64,
        rank: int | None = None,
        ranks: int | None = None,
    ) -> None:
        super().__init__(release, splits, masks, transforms)
        self.seed, self.buffer = seed, buffer
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        together = torch.distributed.is_available() and torch.distributed.is_initialized()
        self.rank = rank if rank is not None else torch.distributed.get_rank() if together else 0
        self.ranks = (
            ranks if ranks is not None else torch.distributed.get_world_size() if together else 1
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose another order; workers that live on are told."""
        self.epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Item]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        share, shares = self.rank * workers + worker, self.ranks * workers
        wanted = set(self.numbers)
        groups = [[n for n in g if n in wanted] for g in self.reader.groups()]
        groups = [group for group in groups if group]
        rng = None
        if self.seed is not None:
            # The order of the groups is the same everywhere, else they could not be dealt out.
            key = [self.seed, int(self.epoch)]
            order = np.random.default_rng(key).permutation(len(groups)).tolist()
            groups = [groups[i] for i in order]
            rng = np.random.default_rng([*key, share])
        own = (number for group in groups[share::shares] for number in group)
        for number in own if rng is None else _mixed(own, self.buffer, rng):
            yield self._item(number)


def _mixed(numbers: Iterator[int], size: int, rng: np.random.Generator) -> Iterator[int]:
    """Numbers out of a buffer at random, each once."""
    held: list[int] = []
    for number in numbers:
        held.append(number)
        if len(held) >= size:
            yield held.pop(int(rng.integers(len(held))))
    yield from rng.permutation(held).tolist()


def detection_batch(items: Sequence[Item]) -> tuple[list[Tensor], list[Item]]:
    """Collate as torchvision's detection models take it: images, and the rest of each item.

    Args:
        items: as ``ReleaseTiles`` or ``ReleaseStream`` give them.
    """
    images = [item["image"] for item in items]
    return images, [{k: v for k, v in item.items() if k != "image"} for item in items]
