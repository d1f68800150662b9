"""A scene of 20,000 px with 100,000 instances: joined, and exported as a scene and as tiles.

    python -m benchmarks.whole_scenes [--side 20000] [--step 63] [--formats gpkg coco geotiff]

Draws discs on one scene that is cut into overlapping tiles, as runs, so that nothing here is as
large as the scene either; joins them by ``samrs/release/scenes.py``; then exports the release at
both levels in turn, each in a process of its own. CPU time and peak memory are those that the
system tells, interpreter and libraries included. Exits with 1 where a scene takes more than 1.5 GiB
or more than 1.25 times the CPU of the tiles.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samrs.core.records import GEOREFERENCE, RELEASED, SEMANTIC, TILES
from samrs.core.runs import encode_runs, text_buffers
from samrs.core.shards import ShardWriter, write_manifest, write_table
from samrs.release.overlap import RULES
from samrs.release.scenes import write_scenes
from samrs.release.semantic_maps import Chunk, paint_chunk

TILE = 1024
MOST_MIB, MOST_TIME = 1536, 1.25
EPSG = 32633
Ints = NDArray[np.int64]


class Discs:
    """Discs on a grid as runs within columns, and their boxes.

    Args:
        side: px of the scene.
        step: px from a disc to the next.
    """

    def __init__(self, side: int, step: int) -> None:
        rng = np.random.default_rng(0)
        places = np.arange(0, side - step + 1, step)
        x0, y0 = (v.ravel() for v in np.meshgrid(places, places))
        radius = rng.integers(5, step // 2, len(x0))
        self.side, self.number = side, len(x0)
        mask = np.repeat(np.arange(len(x0)), 2 * radius)
        nth = np.arange(len(mask)) - np.repeat(np.cumsum(2 * radius) - 2 * radius, 2 * radius)
        r = radius[mask]
        half = np.maximum(np.round(np.sqrt(r**2 - (nth - r + 0.5) ** 2)), 1).astype(np.int64)
        self.mask, self.x = mask, x0[mask] + nth
        self.top, self.bottom = y0[mask] + r - half, y0[mask] + r + half
        tops = np.full(len(x0), side)
        np.minimum.at(tops, mask, self.top)
        bottoms = np.zeros(len(x0), np.int64)
        np.maximum.at(bottoms, mask, self.bottom)
        self.boxes = np.stack([x0, tops, x0 + 2 * radius, bottoms], axis=1)

    def on_tile(self, x0: int, y0: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Mask, column, first row and the row after the last of the runs on a tile, in its px."""
        kept = (self.x >= x0) & (self.x < x0 + TILE)
        kept &= (self.bottom > y0) & (self.top < y0 + TILE)
        top, bottom = (np.clip(v[kept] - y0, 0, TILE) for v in (self.top, self.bottom))
        return self.mask[kept], self.x[kept] - x0, top, bottom


def write_release(place: Path, side: int, step: int, overlap: int) -> int:
    """Write the release; returns its number of rows on tiles."""
    discs = Discs(side, step)
    corners = [min(v, side - TILE) for v in range(0, side - overlap, TILE - overlap)]
    count = 0
    with (
        ShardWriter(place, "tiles", TILES) as tiles,
        ShardWriter(place, "instances", RELEASED) as instances,
        ShardWriter(place, "semantic", SEMANTIC) as semantic,
    ):
        for y0 in corners:
            for x0 in corners:
                name = f"a__{x0}_{y0}"
                rows, painted = _tile(discs, name, x0, y0)
                tiles.write(
                    {"tile_id": name, "scene_id": "a", "split": "all", "x0": x0, "y0": y0,
                     "width": TILE, "height": TILE, "gsd": 0.5,
                     "image": {"bytes": b"", "path": f"{name}.png"}}
                )  # fmt: skip
                label_map = {"bytes": painted, "path": f"{name}.png"}
                semantic.write({"tile_id": name, "split": "all", "label_map": label_map})
                for row in rows:
                    instances.write(row)
                count += len(rows)
    return count


def _tile(discs: Discs, name: str, x0: int, y0: int) -> tuple[list[dict[str, Any]], bytes]:
    """The rows of a tile and its label map."""
    mask, x, top, bottom = discs.on_tile(x0, y0)
    ids, mask = np.unique(mask, return_inverse=True)
    texts = encode_runs(x * TILE + top, bottom - top, mask, np.full(len(ids), TILE * TILE))
    tight = np.stack([np.full(len(ids), TILE), np.full(len(ids), TILE),
                      np.zeros(len(ids)), np.zeros(len(ids))], axis=1).astype(np.int64)  # fmt: skip
    for column, values, least in ((0, x, True), (1, top, True), (2, x + 1, False),
                                  (3, bottom, False)):  # fmt: skip
        (np.minimum if least else np.maximum).at(tight[:, column], mask, values)
    areas = np.bincount(mask, bottom - top, len(ids)).astype(np.int64)
    whole = discs.boxes[ids] - [x0, y0, x0, y0]
    inside = np.clip(whole, 0, TILE)
    shares = (inside[:, 2:] - inside[:, :2]).prod(1) / (whole[:, 2:] - whole[:, :2]).prod(1)
    rows = list(_rows(name, ids, whole, inside, shares, texts.to_pylist(), tight, areas))
    characters, begins = text_buffers(texts)
    sizes_hw, tiles = np.array([[TILE, TILE]]), np.zeros(len(ids), np.int64)
    labels = (ids % 3).astype(np.uint8)
    rule = next(iter(RULES))
    chunk = Chunk(where=name, sizes_hw=sizes_hw, tiles=tiles, labels=labels,
                  characters=characters, begins=begins, rule=rule)  # fmt: skip
    return rows, paint_chunk(chunk).images[0]


def _rows(name: str, ids: Ints, whole: Ints, inside: Ints, shares: NDArray[np.float64],
          texts: list[str], tight: Ints, areas: Ints) -> Iterator[dict[str, Any]]:  # fmt: skip
    ious = (tight[:, 2:] - tight[:, :2]).prod(1) / (inside[:, 2:] - inside[:, :2]).prod(1)
    for i, number in enumerate(ids.tolist()):
        yield {
            "instance_id": f"a#{number}", "tile_id": name, "category_id": number % 3,
            "category": f"disc {number % 3}", "hbb": inside[i].astype(float).tolist(),
            "hbb_annotated": whole[i].astype(float).tolist(), "obb": None, "difficult": False,
            "visible": float(shares[i]), "source_file": "a.txt", "source_line": number + 1,
            "rle": {"size": [TILE, TILE], "counts": texts[i]}, "area": int(areas[i]),
            "mask_hbb": tight[i].astype(float).tolist(), "predicted_iou": 0.9,
            "stability_score": 0.9, "box_iou": round(float(ious[i]), 6), "obb_iou": None,
            "outside": 0.0, "components": 1, "disagreement": None, "recipe": "hbox",
            "fallback": False, "quality": 0.8, "changed_px": 0,
        }  # fmt: skip


def finish(folder: Path) -> None:
    """Join the instances on their scene, and write the manifest."""
    import pyproj

    from samrs.release.thresholds import DROP_REASONS
    from tests.products_by_hand import OPEN

    wkt = pyproj.CRS(EPSG).to_wkt("WKT2_2019")
    place, normalized = folder / "release", folder / "normalized"
    transform = [0.5, 0, 369000, 0, -0.5, 5808400]
    write_table(normalized, "georeference", GEOREFERENCE,
                [{"scene_id": "a", "crs": wkt, "transform": transform}])  # fmt: skip
    print(json.dumps(write_scenes(normalized, place)["ways"]))
    zero = dict.fromkeys(("tiles", "tiles_empty", "instances", "kept", "pixels", "labelled_pixels",
                          "overpainted_pixels", "contested_pixels"), 0)  # fmt: skip
    write_manifest(place, {
        "product": "release", "subset": "discs", "dataset": "discs", "terms": "none",
        "categories": [f"disc {i}" for i in range(3)],
        "palette": [[255, 0, 0], [0, 255, 0], [0, 0, 255]], "parameters": {**OPEN},
        "recipe": "hbox", "model": "none", "label_pixels": [0, 0, 0],
        "counts": {**zero, "dropped": dict.fromkeys(DROP_REASONS, 0),
                   "cleaned": dict.fromkeys(("instances", "removed_pixels", "added_pixels"), 0),
                   "quality": {"mean": None, "below_half": None}},
    })  # fmt: skip


def child(words: list[str], folder: Path) -> dict[str, float]:
    """CPU seconds, wall seconds and peak MiB of a process of this module."""
    command = [sys.executable, "-m", "benchmarks.whole_scenes", "--folder", str(folder)]
    begin = time.perf_counter()
    done = subprocess.run([*command, "--only", *words], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)  # fmt: skip
    *said, used = done.stdout.decode().splitlines()
    print(*words, *said, flush=True)
    return {**json.loads(used), "wall": time.perf_counter() - begin}


def only(words: list[str], folder: Path, sizes: tuple[int, int, int]) -> None:
    """What one process does: write the tiles, join, or export."""
    if words[0] == "write":
        print(f"{write_release(folder / 'release', *sizes):,} rows on tiles")
    elif words[0] == "join":
        finish(folder)
    else:
        from samrs.export.export import export

        format, level = words
        about = export(format, folder / "release", folder / format / level, images=False,
                       level=level, force=True)  # fmt: skip
        counts = {k: v for k, v in about["summary"].items() if isinstance(v, int)}
        print(json.dumps(counts))
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "MiB": used.ru_maxrss / 1024}))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=20_000, help="px of the scene")
    parser.add_argument("--step", type=int, default=63, help="px from a disc to the next")
    parser.add_argument("--overlap", type=int, default=200, help="px that tiles share")
    parser.add_argument("--formats", nargs="+", default=["gpkg", "geoparquet", "coco", "geotiff"])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.only:
        only(given.only, given.folder, (given.side, given.step, given.overlap))
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        sizes = [f"--{name}={getattr(given, name)}" for name in ("side", "step", "overlap")]
        child(["write", *sizes], folder)
        print(_told(child(["join"], folder)), flush=True)
        lost = False
        for format in given.formats:
            tiles, scene = (child([format, level], folder) for level in ("tile", "scene"))
            ratio = scene["cpu"] / tiles["cpu"]
            print(f"{format}: tiles {_told(tiles)}; scene {_told(scene)}; {ratio:.2f} times",
                  flush=True)  # fmt: skip
            lost |= scene["MiB"] > MOST_MIB or ratio > MOST_TIME
    return int(lost)


def _told(used: dict[str, float]) -> str:
    return f"{used['cpu']:.1f} s CPU, {used['wall']:.1f} s, {used['MiB']:.0f} MiB"


if __name__ == "__main__":
    sys.exit(main())
