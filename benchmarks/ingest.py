"""Reading, cutting and writing back at full scale: a JSON line for each figure.

    python -m benchmarks.ingest
    python -m benchmarks.ingest --limit 500 --side 4000
    python -m benchmarks.ingest --part annotations

annotations: the real XML files of DIOR and DIOR-R (both of an image, `--limit` images) through the
reader to the table of instances on disk, against a plain loop over the standard library's
ElementTree that keeps the numbers of every box. Unpacking the archive is not timed; the images are
stood in for by empty files, as the reader does not open them.

scene: `normalize` of one scene of `--side` px in tiles of 1024 px sharing 200, with all it does
(annotations, shards, checksums), against reading the same windows of the same file and encoding
them as PNG alone, on as many threads.

round_trip: DIOR's and DOTA's real files against themselves written back (`round_trips.py`).

A line has seconds, CPU seconds (steadier on a busy machine; `cpu_over_workers` is what the seconds
would be were all of it spread evenly and nothing else running), ratios, counts, and peak memory in
a process of its own (with the reader's processes counted at the size of the largest).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
import xml.etree.ElementTree as PlainXml
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import rasterio
from rasterio.windows import Window as RasterWindow

from benchmarks.round_trips import ROUND_TRIPS, dior_folder, dota_folder
from samrs.core.images import encode_rgb
from samrs.core.parallel import limited_to, map_ahead, num_workers
from samrs.core.records import INSTANCES, Quarantine
from samrs.core.shards import write_table
from samrs.core.tiling import Window, windows
from samrs.datasets.dior import read as dior
from samrs.normalize.normalize import normalize
from samrs.normalize.scene_rows import TILES_AHEAD, Cut, InstanceRows
from samrs.reading.annotations import sound_annotations
from samrs.reading.scene_image import open_scene
from samrs.scenes.render import render_scene

ROOT = Path(__file__).parents[1]
ARCHIVE = ROOT.parent / "shared" / "real" / "dior" / "dior_annotations.tar.gz"
IMAGE_WH = (800, 800)
KNOWN = 192_518
"""Boxes of either kind in the whole dataset."""

TILE, OVERLAP = 1024, 200
SEED = 40_000_000
CUT: dict[str, Any] = {
    "min_visible": 0.7,
    "clip": True,
    "pad": False,
    "keep_difficult": True,
    "stretch": 2.0,
}


def dior_table(root: Path, out: Path) -> dict[str, Any]:
    """All annotations to a table of instances, through the reader."""
    begin = time.perf_counter()
    quarantine = Quarantine()
    cut = Cut(tile=None, overlap=0, categories=dior.CATEGORIES, **CUT)
    count = {"hbb": 0, "obb": 0}

    def rows() -> Iterator[dict[str, Any]]:
        for scene in dior.read_scenes(root, quarantine):
            sound = sound_annotations(scene.annotations, IMAGE_WH, quarantine)
            count["hbb"] += len(scene.annotations)
            count["obb"] += sum(a.obb is not None for a in scene.annotations)
            places = [Window(0, 0, *IMAGE_WH)]
            yield from InstanceRows(scene.scene_id, sound, places, cut)

    num_rows = write_table(out, "instances", INSTANCES, rows())
    return {
        "seconds": time.perf_counter() - begin,
        **count,
        "rows": num_rows,
        "quarantined": quarantine.counts(),
    }


def dior_plain(root: Path) -> dict[str, Any]:
    """The same files by a plain loop: names and numbers of every box."""
    begin = time.perf_counter()
    boxes: list[tuple[str, str, list[float]]] = []
    files = 0
    for folder, tag in (("horizontal", "bndbox"), ("oriented", "robndbox")):
        for path in sorted((root / "annotations" / folder).iterdir()):
            files += 1
            for element in PlainXml.parse(path).getroot().findall("object"):  # noqa: S314
                box = element.find(tag)
                values = [] if box is None else [float(child.text or "nan") for child in box]
                boxes.append((path.stem, element.findtext("name") or "", values))
    return {"seconds": time.perf_counter() - begin, "files": files, "boxes": len(boxes)}


def write_scene(path: Path, side: int) -> None:
    """A GeoTIFF of procedural ground, the same square again and again in other brightness."""
    part = render_scene(SEED, size_hw=(TILE, TILE)).image
    shape = {"width": side, "height": side, "count": 3, "dtype": "uint8"}
    options = {"tiled": True, "compress": "deflate", "zlevel": 1, "photometric": "rgb"}
    rng = np.random.default_rng(SEED)
    with rasterio.open(path, "w", driver="GTiff", **shape, **options) as file:
        for y0 in range(0, side, TILE):
            for x0 in range(0, side, TILE):
                height, width = min(TILE, side - y0), min(TILE, side - x0)
                light = rng.uniform(0.6, 1.0)
                pixels = (part[:height, :width] * light).astype(np.uint8)
                place = RasterWindow(x0, y0, width, height)
                file.write(np.moveaxis(pixels, 2, 0), window=place)


def tile_scene(root: Path, out: Path) -> dict[str, Any]:
    """The scene through normalize."""
    begin = time.perf_counter()
    metrics = normalize(
        "dota", root, out, tile=TILE, overlap=OVERLAP, max_quarantined=0.0, **CUT
    )  # fmt: skip
    return {"seconds": time.perf_counter() - begin, "tiles": metrics["tiles"]}


def decode_and_encode(path: Path) -> dict[str, Any]:
    """The same windows read and encoded, and nothing else."""
    begin = time.perf_counter()
    num_bytes = 0
    with ThreadPoolExecutor(num_workers()) as pool, open_scene(path, path.name) as scene:
        places = windows(*scene.size_wh, tile=TILE, overlap=OVERLAP)
        for data in map_ahead(encode_rgb, map(scene.read, places), pool, TILES_AHEAD):
            num_bytes += len(data)
    return {"seconds": time.perf_counter() - begin, "png_bytes": num_bytes}


def measured(
    function: Callable[..., dict[str, Any]], workers: int | None, *given: Any
) -> dict[str, Any]:
    """A function's result in a fresh process, with that process's peak memory in GiB."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as pool:
        return pool.submit(_with_peak, function, workers, *given).result()


def _with_peak(
    function: Callable[..., dict[str, Any]], workers: int | None, *given: Any
) -> dict[str, Any]:
    before = time.process_time()
    with limited_to(workers):
        result = function(*given)
        used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own, child = (u.ru_maxrss / 2**20 for u in used)
        cpu = sum(u.ru_utime + u.ru_stime for u in used) - before
        peak = own + child * num_workers()
        return {**result, "peak_gib": peak, "cpu_seconds": cpu, "workers": num_workers()}


def _times(ours: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        "seconds": round(ours["seconds"], 2),
        "other_seconds": round(other["seconds"], 2),
        "ratio": round(ours["seconds"] / other["seconds"], 2),
        "cpu_seconds": round(ours["cpu_seconds"], 2),
        "other_cpu_seconds": round(other["cpu_seconds"], 2),
        "cpu_ratio": round(ours["cpu_seconds"] / other["cpu_seconds"], 2),
        "cpu_over_workers": round(ours["cpu_seconds"] / ours["workers"], 2),
        "peak_gib": round(ours["peak_gib"], 2),
    }


def annotations_part(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """DIOR's files to a table; ``other`` is the plain loop."""
    root = dior_folder(wanted.archive, folder / "dior", wanted.limit)
    ours = measured(dior_table, wanted.workers, root, folder / "table")
    plain = measured(dior_plain, wanted.workers, root)
    return {
        "files": plain["files"],
        "hbb": ours["hbb"],
        "obb": ours["obb"],
        "rows": ours["rows"],
        "exact": ours["rows"] == ours["hbb"] == ours["obb"] == KNOWN,
        "quarantined": ours["quarantined"],
        **_times(ours, plain),
    }


def scene_part(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """A large scene to tiles; ``other`` is decoding and encoding alone."""
    root = folder / "dota"
    image = root / "images" / "P0001.tif"
    image.parent.mkdir(parents=True)
    (root / "labelTxt").mkdir()
    (root / "labelTxt" / "P0001.txt").write_text("4 4 14 4 14 10 4 10 plane 0\n")
    write_scene(image, wanted.side)
    alone = measured(decode_and_encode, wanted.workers, image)
    ours = measured(tile_scene, wanted.workers, root, folder / "tiles")
    return {
        "side": wanted.side,
        "tiles": ours["tiles"],
        "png_gib": round(alone["png_bytes"] / 2**30, 2),
        **_times(ours, alone),
    }


def round_trip_part(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Files written back; ``different`` counts those that are not what they were."""
    roots = {
        "dior": dior_folder(wanted.archive, folder / "dior_back", wanted.limit),
        "dota": dota_folder(wanted.archive.parents[1], folder / "dota_back"),
    }
    return {name: dict(ROUND_TRIPS[name](root)) for name, root in roots.items()}


PARTS: dict[str, Callable[[argparse.Namespace, Path], dict[str, Any]]] = {
    "annotations": annotations_part,
    "scene": scene_part,
    "round_trip": round_trip_part,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest")
    parser.add_argument("--archive", type=Path, default=ARCHIVE, help="dior_annotations.tar.gz")
    parser.add_argument("--limit", type=int, help="DIOR's first images only")
    parser.add_argument("--side", type=int, default=20_000, help="of the scene, px")
    parser.add_argument("--workers", type=int, help="threads and processes; default: cores")
    parser.add_argument("--part", choices=list(PARTS), help="default: all")
    wanted = parser.parse_args()
    for name in [wanted.part] if wanted.part else PARTS:
        with TemporaryDirectory() as folder:
            figures = PARTS[name](wanted, Path(folder))
        print(json.dumps({"figure": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
