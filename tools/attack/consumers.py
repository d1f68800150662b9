"""Exports read by those who use them: what they see is what the release holds."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from samrs.core.images import decode_labels
from samrs.core.shards import iter_rows
from samrs.data.torch import ReleaseTiles
from samrs.export.export import export
from tests.export.releases import write_release
from tools.attack.outcome import Outcome, numbered

Attack = tuple[str, Callable[[], str | None]]


def attacks(work: Path, seed: int, tries: int) -> Iterator[Outcome]:
    """Export a release of masks that are hard to carry over, and read each export.

    Args:
        work: an empty folder.
        seed: not used.
        tries: not used.
    """
    release = write_release(work / "sota", quality=True)
    yield from numbered(_readers(work, release))


def _readers(work: Path, release: Path) -> Iterator[Attack]:
    rows = {row["instance_id"]: row for row in iter_rows(release, "instances")}
    maps = {
        row["tile_id"]: decode_labels(row["label_map"]["bytes"], "map")
        for row in iter_rows(release, "semantic")
    }
    yield "pycocotools reads coco", lambda: _coco(release, work / "coco", rows)
    yield "Pillow reads png", lambda: _png(release, work / "png", maps)
    yield "Arrow reads huggingface", lambda: _parquet(release, work / "huggingface", rows)
    yield "torch dataset reads the release", lambda: _torch(release, rows, maps)


def _coco(release: Path, out: Path, rows: dict[str, Any]) -> str | None:
    from pycocotools.coco import COCO

    export("coco", release, out)
    seen = 0
    for file in sorted(out.rglob("*.json")):
        if file.name == "export.json":
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(file))
        for annotation in coco.dataset["annotations"]:
            seen += 1
            row = rows[annotation["object_id"]]
            if int(coco.annToMask(annotation).sum()) != row["area"]:
                return f"another area of {annotation['object_id']}"
    return None if seen == len(rows) else f"{seen} objects of {len(rows)}"


def _png(release: Path, out: Path, maps: dict[str, Any]) -> str | None:
    from PIL import Image

    export("png", release, out)
    for tile, labels in maps.items():
        read = [np.asarray(Image.open(path)) for path in out.rglob(f"{tile}.png")]
        if not any(r.shape == labels.shape and (r == labels).all() for r in read):
            return f"none of {len(read)} files has the labels of {tile}"
    return None


def _parquet(release: Path, out: Path, rows: dict[str, Any]) -> str | None:
    export("huggingface", release, out)
    number = sum(pq.read_metadata(p).num_rows for p in out.rglob("*.parquet"))
    tiles = len(list(iter_rows(release, "tiles", ["tile_id"])))
    return None if number >= tiles else f"{number} rows for {tiles} tiles"


def _torch(release: Path, rows: dict[str, Any], maps: dict[str, Any]) -> str | None:
    tiles: Any = ReleaseTiles(release, masks="dense")
    for item in tiles:
        if not np.array_equal(np.asarray(item["semantic"]), maps[item["tile_id"]]):
            return f"another map of {item['tile_id']}"
        for name, mask in zip(item["instance_ids"], item["masks"], strict=True):
            if int(mask.sum()) != rows[name]["area"]:
                return f"another mask of {name}"
    return None
