"""Memory of labelling: of a tile with few and with many boxes, and over many tiles.

    python -m benchmarks.memory --boxes 35 5000 --tiles 2000

Each figure is of a process of its own, which labels a product as the stage does, with nano: its
peak (VmHWM) for one tile of 1024 px with so many random boxes, and its resident memory during each
tenth of many tiles (of 256 px, 4 boxes each; the first tenth is warm-up). The many tiles are
answered by `--many-by`: `box` is quick and runs all but the network, `sam` all.

Prints one JSON line.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import hbb_to_polygon
from samrs.core.images import encode_rgb
from samrs.core.records import INSTANCES, TILES
from samrs.core.shards import ShardWriter, fresh_product, write_manifest
from samrs.scenes.render import render_scene

KIB = 1024


def write_product(product: Path, *, tiles: int, side: int, boxes: int) -> None:
    """A normalized product: one scene under many names, random boxes on it."""
    image = encode_rgb(render_scene(50_000_000, size_hw=(side, side)).image)
    fresh_product(product)
    with (
        ShardWriter(product, "tiles", TILES) as tile_rows,
        ShardWriter(product, "instances", INSTANCES) as instance_rows,
    ):
        for number in range(tiles):
            name = f"t{number:06d}"
            tile_rows.write(
                {
                    "tile_id": name, "scene_id": name, "split": "all", "x0": 0, "y0": 0,
                    "width": side, "height": side, "gsd": None,
                    "image": {"bytes": image, "path": f"{name}.png"},
                }
            )  # fmt: skip
            for row in _instances(name, number, side, boxes):
                instance_rows.write(row)
    about = {"product": "normalize", "dataset": "many", "categories": ["thing"], "terms": "free"}
    write_manifest(product, {**about, "parameters": {}})


def _instances(name: str, seed: int, side: int, boxes: int) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    for number in range(boxes):
        x, y = rng.uniform(0, side - 48, 2)
        hbb = np.array([x, y, x + rng.uniform(8, 48), y + rng.uniform(8, 48)])
        yield {
            "instance_id": f"{name}-{number}", "tile_id": name, "category_id": 0,
            "category": "thing", "hbb": hbb.tolist(), "hbb_annotated": hbb.tolist(),
            "obb": hbb_to_polygon(hbb).ravel().tolist(), "difficult": False, "visible": 1.0,
            "source_file": f"{name}.txt", "source_line": number + 1,
        }  # fmt: skip


CHILD = """
import sys
from pathlib import Path
from samrs.label.label import label
from samrs.weights.weights import find_checkpoint
folder, segmenter, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
given = {"prompt": "hbox", "checkpoint": find_checkpoint(segmenter, "nano"), "precision": "float32"}
runtime = {"executor": "local", "device": "cpu", "threads": threads}
label(folder / "product", folder / "out", **given, runtime=runtime, work=folder / "work")
"""


def memory(process: int, field: str) -> float | None:
    """MiB of a process: VmRSS now, VmHWM at its peak; None once it has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    found = [int(line.split()[1]) / KIB for line in lines if line.startswith(f"{field}:")]
    return round(found[0], 1) if found else None


def labelled(folder: Path, segmenter: str, threads: int) -> tuple[float, list[tuple[int, float]]]:
    """Labels the product in a folder in a process of its own.

    Returns:
        Its peak memory in MiB; its memory by the number of tiles it had finished.
    """
    command = [sys.executable, "-c", CHILD, str(folder), segmenter, str(threads)]
    child = subprocess.Popen(command)
    log = folder / "work" / "log.jsonl"
    seen: list[tuple[int, float]] = []
    peak = 0.0
    while child.poll() is None:
        done = len(log.read_bytes().splitlines()) - 1 if log.exists() else 0
        now, highest = memory(child.pid, "VmRSS"), memory(child.pid, "VmHWM")
        if now is not None and highest is not None:
            seen.append((done, now))
            peak = max(peak, highest)
        time.sleep(0.05)
    if child.returncode != 0:
        sys.exit(f"benchmarks.memory: labelling failed with status {child.returncode}")
    return peak, seen


def by_tenth(seen: list[tuple[int, float]], tiles: int) -> list[float]:
    """The most memory while each tenth of the tiles was labelled."""
    tenths: dict[int, float] = {}
    for done, now in seen:
        tenth = min(10 * done // tiles, 9)
        tenths[tenth] = max(tenths.get(tenth, 0.0), now)
    return [tenths[tenth] for tenth in sorted(tenths)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--boxes", type=int, nargs="+", default=[35, 5000], help="of one tile")
    parser.add_argument("--tiles", type=int, default=2000, help="of the long run")
    parser.add_argument("--many-by", default="box", help="segmenter of the long run")
    parser.add_argument("--threads", type=int, default=1, help="tiles at once")
    wanted = parser.parse_args()
    peaks: dict[str, float] = {}
    for boxes in wanted.boxes:
        with tempfile.TemporaryDirectory() as name:
            write_product(Path(name, "product"), tiles=1, side=1024, boxes=boxes)
            peaks[str(boxes)], _ = labelled(Path(name), "sam", wanted.threads)
    with tempfile.TemporaryDirectory() as name:
        write_product(Path(name, "product"), tiles=wanted.tiles, side=256, boxes=4)
        _, seen = labelled(Path(name), wanted.many_by, wanted.threads)
    figures = {
        "peak_mib_by_boxes": peaks,
        "ratio": round(max(peaks.values()) / min(peaks.values()), 3),
        "tiles": wanted.tiles,
        "many_by": wanted.many_by,
        "mib_by_tenth": by_tenth(seen, wanted.tiles),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
