"""WebDataset: tars of samples, read in sequence (github.com/webdataset/webdataset).

Layout::

    train/sota-000000.tar

A tar holds, for each tile and one after the other::

    P0000__0_0.json           the tile, the class names and the instances with their masks
    P0000__0_0.png            or .jpg: the image, as it is in the release
    P0000__0_0.semantic.png   8-bit label ids, 255 = unlabelled; names: ``map_labels`` of the JSON

A sample's name ends at its first dot, so dots in a tile's name become ``_``. Masks are COCO's run
lengths. ``hbb`` is the mask's box, and the annotated one with ``--boxes annotated``; both stand as
``mask_hbb`` and ``annotated_hbb`` too, the annotated rotated box as ``obb``. Members carry no time,
owner or rights of their own: the same release gives the same bytes. A tar ends after the sample
that brings it to ``TAR_BYTES``; the summary says how many samples each one has, which loaders want
to know.
"""

from __future__ import annotations

import io
import tarfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from samrs.core.errors import ProductError
from samrs.core.records import MADE
from samrs.core.shards import json_text
from samrs.export.boxes import BOXES, COLUMNS, upright
from samrs.export.files import open_bytes
from samrs.export.subset import ExportedTile, Row, Subset, without_nulls

ONE_LEVEL = (
    "a sample is a picture with its label map, and a release has no pictures of whole scenes"
)

TAR_BYTES = 256 * 2**20
_COLUMNS = ("instance_id", *COLUMNS, "difficult", "visible", *MADE)


class _Tars:
    """The tars of one split, one open at a time."""

    def __init__(self, out: Path, split: str, stem: str) -> None:
        self._out, self._split, self._stem = out, split, stem
        self._tar: tarfile.TarFile | None = None
        self.samples: dict[str, int] = {}
        (out / split).mkdir()

    def add(self, members: dict[str, bytes]) -> None:
        if self._tar is None:
            self._name = f"{self._split}/{self._stem}-{len(self.samples):06d}.tar"
            path = self._out / self._name
            self._file = open_bytes(path)
            self._tar = tarfile.open(fileobj=self._file, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
            self.samples[self._name] = 0
        for name, data in sorted(members.items()):
            about = tarfile.TarInfo(name)  # no time, user 0, rights 0644
            about.size = len(data)
            self._tar.addfile(about, io.BytesIO(data))
        self.samples[self._name] += 1
        if self._tar.offset >= TAR_BYTES:
            self.close()

    def close(self) -> None:
        if self._tar is not None:
            self._tar.close()
            self._file.close()
            self._tar = None


def write(subset: Subset, out: Path, *, boxes: str = "mask") -> dict[str, Any]:
    """Write the export; returns images, instances, and samples by tar.

    Args:
        boxes: whose ``hbb`` is, one of BOXES.
    """
    images = instances = 0
    seen: set[str] = set()
    with ExitStack() as stack:
        splits = {split: _Tars(out, split, subset.stem) for split in subset.folders}
        for tars in splits.values():
            stack.callback(tars.close)
        for tile in subset.tiles([*_COLUMNS, *subset.scores], semantic=True):
            key = tile.name.replace(".", "_")
            if key in seen:
                raise ProductError(
                    f"{subset.release}: two tiles would be one sample, got {key!r} for "
                    f"{tile.name!r}; names that differ in more than dots are allowed; rename the "
                    "scenes"
                )
            seen.add(key)
            splits[tile.split].add(_members(key, tile, subset, boxes))
            images += 1
            instances += len(tile.rows)
        samples = {name: n for tars in splits.values() for name, n in tars.samples.items()}
    return {"images": images, "instances": instances, "samples": samples}


def _members(key: str, tile: ExportedTile, subset: Subset, boxes: str) -> dict[str, bytes]:
    about = {
        **tile.about,
        **({} if tile.place is None else tile.place._asdict()),
        "categories": subset.categories,
        "map_labels": subset.map_names,
        "instances": [_instance(row, subset, boxes, tile.size_wh) for row in tile.rows],
    }
    text = json_text(about)
    members = {f"{key}.json": text.encode(), f"{key}.semantic.png": tile.label_map or b""}
    if tile.image is not None:
        members[f"{key}{tile.suffix}"] = tile.image
    return members


def _instance(row: Row, subset: Subset, main: str, size_wh: tuple[int, int]) -> Row:
    found = {f"{boxes}_hbb": upright(row, boxes, size_wh) for boxes in BOXES}
    return {
        "instance_id": row["instance_id"],
        "label": row["label"],
        "category": subset.categories[row["label"]],
        "hbb": found[f"{main}_hbb"],
        **found,
        **without_nulls(row, ["obb"]),
        "area": row["area"],
        "rle": row["rle"],
        "difficult": row["difficult"],
        **{name: row[name] for name in MADE},
        "visible": row["visible"],
        **without_nulls(row, subset.scores),
    }
