"""What joining masks on whole scenes gains, on drawn scenes with true masks.

    python -m benchmarks.joining [--scenes 26] [--tile 400] [--overlap 100] [--work FOLDER]

Draws scenes in iSAID's form, cuts them, labels the tiles with nano, and compares with the truth of
the whole scene: the masks of the table ``joined``, and beside them those of the tile that sees most
of each box. Exits with 1 where a size bin loses, or cut instances gain less than 5 points. Some
minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from samrs.core.rle import crop_to_rle, rle_iou, rle_to_mask
from samrs.core.shards import read_table
from samrs.datasets.isaid.demo import write
from samrs.label.label import label
from samrs.label_dataset.label_dataset import QUALITY, RELEASE
from samrs.normalize.normalize import normalize
from samrs.release.release import release
from samrs.weights.weights import find_checkpoint

BINS = (0, 256, 1024, 9216)
"""Least true px of each size bin."""
GAIN = 5.0
"""Points that instances cut by a tile's border must gain at least."""
CUT: dict[str, Any] = {
    "min_visible": 0.3,
    "clip": True,
    "pad": False,
    "keep_difficult": True,
    "stretch": 2.0,
    "max_quarantined": 0.0,
}


def make(folder: Path, *, scenes: int, tile: int, overlap: int) -> tuple[Path, Path]:
    """Draw, cut, label and release; returns the product of whole scenes and the release."""
    source, whole, tiles = folder / "source", folder / "whole", folder / "tiles"
    write(source, scenes=scenes, seed=77)
    normalize("isaid", source, whole, tile=None, overlap=0, **CUT)
    normalize("isaid", source, tiles, tile=tile, overlap=overlap, **CUT)
    label(
        tiles,
        folder / "masks",
        prompt="hbox",
        checkpoint=find_checkpoint("sam", "nano"),
        precision="float32",
        runtime={"executor": "local", "device": "cpu", "threads": 1},
        work=folder / "work",
    )
    release(tiles, folder / "masks", folder / "release", QUALITY, **RELEASE)
    return whole, folder / "release"


def compare(whole: Path, made: Path) -> list[dict[str, Any]]:
    """True px of each instance, its way, IoU of the joined mask and of the tile that sees most."""
    truth = {r["instance_id"]: r["rle"] for r in read_table(whole, "truth").to_pylist()}
    tiles = {
        r["tile_id"]: r for r in read_table(made, "tiles", ["tile_id", "x0", "y0"]).to_pylist()
    }
    rows = read_table(made, "instances", ["instance_id", "tile_id", "visible", "rle"])
    most: dict[str, dict[str, Any]] = {}
    for row in rows.to_pylist():
        if row["visible"] > most.get(row["instance_id"], {"visible": 0.0})["visible"]:
            most[row["instance_id"]] = row
    found = []
    joined = read_table(made, "joined", ["instance_id", "way", "rle"])
    there = pc.is_in(joined["instance_id"], value_set=pa.array(list(truth)))
    for row in joined.filter(there).to_pylist():
        true, single = truth[row["instance_id"]], most[row["instance_id"]]
        place = tiles[single["tile_id"]]
        moved = crop_to_rle(rle_to_mask(single["rle"]), place["x0"], place["y0"], true["size"])
        ious = rle_iou([row["rle"], moved], [true])[:, 0].tolist()
        area = int(rle_to_mask(true).sum())
        found.append({"area": area, "way": row["way"], "joined": ious[0], "single": ious[1]})
    return found


def means(rows: list[dict[str, Any]]) -> dict[str, tuple[int, float, float]]:
    """By size bin and of cut instances: their number, mean IoU of joined masks and of one tile.

    Args:
        rows: what ``compare`` gives.
    """
    size = np.searchsorted(BINS, [row["area"] for row in rows], side="right")
    groups = {f"bin {b}": size == b for b in range(1, len(BINS) + 1)}
    groups["cut"] = np.array([row["way"] == "joined" for row in rows])
    found = {}
    for name, chosen in groups.items():
        if chosen.any():
            ours, single = (
                100 * float(np.mean([rows[i][key] for i in np.flatnonzero(chosen)]))
                for key in ("joined", "single")
            )
            found[name] = int(chosen.sum()), ours, single
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("scenes", 26), ("tile", 400), ("overlap", 100)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--work", type=Path, help="folder of what is made; else a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.work or Path(temporary)
        whole, made = make(folder, scenes=given.scenes, tile=given.tile, overlap=given.overlap)
        rows = compare(whole, made)
    lost = False
    for name, (number, joined, single) in means(rows).items():
        lost |= joined < single + (GAIN if name == "cut" else 0)
        print(f"{name:6} {number:5} joined {joined:.2f} tile that sees most {single:.2f}")
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
