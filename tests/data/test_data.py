"""A release as torch datasets gives what is stored, each tile once."""

from __future__ import annotations

import pickle
import resource
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from samrs.core.errors import MissingInputError, ParameterError, ProductError, UnknownNameError
from samrs.core.images import decode_labels, decode_rgb
from samrs.core.records import TILES
from samrs.core.rle import rle_to_mask
from samrs.core.shards import ShardWriter, iter_rows, read_manifest, shard_paths, write_manifest
from samrs.data.reader import OPEN_FILES, ReleaseReader
from samrs.data.torch import GroupSampler, ReleaseStream, ReleaseTiles, detection_batch
from samrs.export.export import export
from samrs.verify.verify import verify
from tests.data.conftest import NUM_TILES, tile_name

ALL = [tile_name(i) for i in range(NUM_TILES)]
TRAIN = [name for i, name in enumerate(ALL) if i % 3]


def names(items: Any) -> list[str]:
    return [item["tile_id"] for item in items]


def test_the_release_has_several_shards_and_row_groups(release):
    assert len(shard_paths(release, "tiles")) > 1
    assert len(ReleaseReader(release).groups()) > 4


def test_a_tile_is_what_the_tables_hold(release):
    tiles = ReleaseTiles(release, masks="dense")
    assert len(tiles) == NUM_TILES
    assert tiles.categories == ("plane", "ship", "harbor")
    stored = {row["tile_id"]: row for row in iter_rows(release, "tiles")}
    maps = {row["tile_id"]: row for row in iter_rows(release, "semantic")}
    instances = list(iter_rows(release, "instances"))
    for index in reversed(range(NUM_TILES)):  # out of order, through several shards
        item = tiles[index]
        name = item["tile_id"]
        own = [row for row in instances if row["tile_id"] == name]
        image = decode_rgb(stored[name]["image"]["bytes"], name)
        assert item["image"].dtype == item["semantic"].dtype == torch.uint8
        assert np.array_equal(item["image"].permute(1, 2, 0).numpy(), image)
        labels = decode_labels(maps[name]["label_map"]["bytes"], name)
        assert np.array_equal(item["semantic"].numpy(), labels)
        assert item["instance_ids"] == [row["instance_id"] for row in own]
        assert item["made_by"] == [row["made_by"] for row in own]
        assert item["accepted"].tolist() == [row["accepted"] for row in own]
        assert len(own) == index % 4
        assert item["labels"].tolist() == [1] * len(own)
        assert item["boxes"].shape == item["hbb"].shape == (len(own), 4)
        assert item["boxes"].tolist() == [row["mask_hbb"] for row in own]
        assert item["masks"].shape == (len(own), 64, 64)
        for mask, row in zip(item["masks"], own, strict=True):
            assert np.array_equal(mask.numpy(), rle_to_mask(row["rle"]))
        assert np.allclose(item["scores"]["predicted_iou"], [row["predicted_iou"] for row in own])
        assert (item["split"], item["scene_id"]) == (stored[name]["split"], name.split("__")[0])


def test_masks_are_given_as_asked(release):
    assert "masks" not in ReleaseTiles(release, masks="none")[3]
    rles = ReleaseTiles(release, masks="rle")[3]["masks"]
    assert [int(rle_to_mask(rle).sum()) for rle in rles] == [48, 48, 48]
    with pytest.raises(ParameterError, match=r"unknown kind of masks, got 'png'.*rle, dense, none"):
        ReleaseTiles(release, masks="png")


def test_splits_choose_tiles(release):
    assert names(ReleaseTiles(release, splits=["train"])) == TRAIN
    assert sorted(names(ReleaseStream(release, splits=["train"]))) == TRAIN
    both = ReleaseTiles(release, splits=["train", "val"])
    assert names(both) == ALL
    with pytest.raises(
        UnknownNameError, match=r"unknown split, got 'test'; train, val are allowed"
    ):
        ReleaseTiles(release, splits=["test"])


def test_torchvision_moves_image_map_boxes_and_masks_together(release):
    flip = v2.RandomHorizontalFlip(p=1)
    plain = ReleaseTiles(release, masks="dense")[7]
    moved = ReleaseTiles(release, masks="dense", transforms=flip)[7]
    assert torch.equal(moved["image"], plain["image"].flip(-1))
    assert torch.equal(moved["semantic"], plain["semantic"].flip(-1))
    assert torch.equal(moved["masks"], plain["masks"].flip(-1))
    x0, y0, x1, y1 = plain["boxes"].T
    assert torch.equal(moved["boxes"], torch.stack([64 - x1, y0, 64 - x0, y1], dim=1))
    resized = ReleaseTiles(release, transforms=v2.Resize((32, 32)), masks="dense")[7]
    assert resized["image"].shape == (3, 32, 32)
    assert torch.allclose(resized["boxes"], plain["boxes"] / 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_every_tile_once_in_batches(release, workers):
    tiles = ReleaseTiles(release, masks="dense")
    sampler = GroupSampler(tiles, seed=1, mixed=2)
    loader = DataLoader(tiles, 4, sampler=sampler, num_workers=workers, collate_fn=detection_batch)
    seen = []
    for images, targets in loader:
        assert len(images) == len(targets) <= 4
        assert all(image.shape == (3, 64, 64) for image in images)
        assert all("image" not in target for target in targets)
        seen += names(targets)
    assert sorted(seen) == ALL
    assert seen != ALL


def test_the_sampler_keeps_row_groups_together_and_is_seeded(release):
    tiles = ReleaseTiles(release, splits=["train"])
    sampler = GroupSampler(tiles, seed=1, mixed=1)
    order = list(sampler)
    assert sorted(order) == list(range(len(tiles))) == list(range(len(sampler)))
    assert order == list(GroupSampler(tiles, seed=1, mixed=1)) != list(GroupSampler(tiles, seed=2))
    group_of = {n: g for g, group in enumerate(tiles.reader.groups()) for n in group}
    groups = [group_of[tiles.numbers[i]] for i in order]
    assert len(
        [g for g, before in zip(groups, [None, *groups], strict=False) if g != before]
    ) == len(set(groups))
    sampler.set_epoch(1)
    assert list(sampler) != order


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("ranks", [1, 3])
def test_a_stream_gives_every_tile_once_over_ranks_and_workers(release, workers, ranks):
    seen: Counter[str] = Counter()
    for rank in range(ranks):
        stream = ReleaseStream(release, seed=5, buffer=6, rank=rank, ranks=ranks, masks="none")
        loader = DataLoader(stream, batch_size=None, num_workers=workers)
        seen.update(names(loader))
    assert seen == Counter(ALL)


def test_a_streams_order_is_of_its_seed_and_epoch(release):
    stream = ReleaseStream(release, seed=5, masks="none")
    first = names(stream)
    assert names(stream) == first == names(ReleaseStream(release, seed=5, masks="none"))
    stream.set_epoch(1)
    assert names(stream) != first
    assert sorted(names(stream)) == ALL
    assert names(ReleaseStream(release, seed=None, masks="none")) == ALL


def test_workers_that_live_on_are_told_of_the_epoch(release):
    stream = ReleaseStream(release, seed=5, masks="none")
    loader = DataLoader(stream, batch_size=None, num_workers=1, persistent_workers=True)
    first = names(loader)
    stream.set_epoch(3)
    third = ReleaseStream(release, seed=5, masks="none")
    third.set_epoch(3)
    assert names(loader) == names(third) != first


def test_a_dataset_is_pickled_without_what_is_open(release):
    tiles = ReleaseTiles(release)
    tiles[5]
    again = pickle.loads(pickle.dumps(tiles))  # noqa: S301 - our own, as a loader's workers do
    assert names(again) == ALL


@pytest.mark.parametrize(("held", "reads"), [(2**30, 1), (1, 4)])
def test_row_groups_are_kept_in_memory_as_far_as_it_goes(release, monkeypatch, held, reads):
    asked: Counter[tuple[Any, int]] = Counter()
    read = pq.ParquetFile.read_row_group

    def counted(self, group, *args, **kwargs):
        asked[self, group] += 1
        return read(self, group, *args, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    reader = ReleaseReader(release, cache_bytes=held)
    for number in range(len(reader)):
        assert reader.read(number).tile_id == ALL[number]
    assert max(asked.values()) == reads


def test_open_files_are_bounded_however_many_shards_there_are(release, tmp_path):
    """Three releases of 23 shards of tiles each are more than the files that may be open."""
    many = tmp_path / "many"
    shutil.copytree(release, many)
    rows = list(iter_rows(many, "tiles"))
    about = {k: v for k, v in read_manifest(many).items() if k != "shards"}
    for path in shard_paths(many, "tiles"):
        path.unlink()
    with ShardWriter(many, "tiles", TILES) as writer:
        for row in rows:
            writer.write(row)
            writer.end_shard()
    write_manifest(many, about)
    assert len(shard_paths(many, "tiles")) == NUM_TILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = 3 * OPEN_FILES + 8
    assert more < 3 * NUM_TILES
    there = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (there + more, hard))
    try:
        readers = [ReleaseReader(many) for _ in range(3)]
        for number in reversed(range(NUM_TILES)):
            assert {reader.read(number).tile_id for reader in readers} == {ALL[number]}
        assert export("coco", many, tmp_path / "out")["summary"]["images"]["val"] == 8
        assert not verify(many).counts
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_what_is_no_release_is_refused(release, tmp_path):
    with pytest.raises(MissingInputError, match=r"no manifest\.json"):
        ReleaseTiles(tmp_path)
    (tmp_path / "manifest.json").write_text('{"product": "normalize", "categories": []}')
    with pytest.raises(ProductError, match="shards is no list of objects; a release"):
        ReleaseTiles(tmp_path)
    for text in ("{", "[]", ""):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ProductError, match=r"manifest\.json: no manifest, got"):
            ReleaseTiles(tmp_path)
    with pytest.raises(ParameterError, match=r"splits are one text, got 'train'; a list of some"):
        ReleaseTiles(release, splits="train")
    manifest = (release / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(MissingInputError, match=r"no tiles-00000\.parquet"):
        ReleaseTiles(tmp_path)
    for shard in read_manifest(release)["shards"]:
        (tmp_path / shard["file"]).write_bytes(b"PAR1 no")
    with pytest.raises(
        ProductError,
        match=r"tiles-00000\.parquet: cannot be trusted, got content that is no Parquet",
    ):
        ReleaseTiles(tmp_path)
