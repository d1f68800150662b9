"""How fast a release of SAMRS's size is exported, and in how much memory.

    python -m benchmarks.export coco data/release/sota              # 105,090 tiles, 1,668,241 masks
    python -m benchmarks.export yolo_seg data/release/sota --tiles 3200 --instances 51200

Writes a release without pixels into a temporary folder: tiles of one size, with the masks of the
given release in random order. Prints one line of JSON: seconds of wall and of CPU, and the peak
memory of the process that exports.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.memory import memory
from samrs.core.label_png import encode_labels
from samrs.core.records import IGNORE, SEMANTIC
from samrs.core.shards import read_manifest, read_table, write_manifest, write_table
from samrs.export.export import export

TILES, INSTANCES = 105_090, 1_668_241
CHUNK = 50_000


def write_release(source: Path, out: Path, num_tiles: int, num_instances: int) -> None:
    """Write a release with masks of another one."""
    out.mkdir(parents=True)
    tiles, rows = read_table(source, "tiles"), read_table(source, "instances")
    sizes = [tuple(rle["size"]) for rle in rows["rle"].to_pylist()]
    size = Counter(sizes).most_common(1)[0][0]
    rows = rows.filter(pa.array([s == size for s in sizes]))
    names = np.array([f"t{i:06d}__0_0" for i in range(num_tiles)])
    no_image = {"bytes": b"", "path": ""}
    first = tiles.slice(0, 1).to_pylist()[0]
    base = {**first, "x0": 0, "y0": 0, "height": size[0], "width": size[1], "image": no_image}
    with pq.ParquetWriter(out / "tiles-00000.parquet", tiles.schema) as writer:
        for part in np.array_split(names, -(-num_tiles // CHUNK)):
            image = [{"bytes": b"", "path": f"{name}.png"} for name in part]
            table = pa.Table.from_pylist([base] * len(part), schema=tiles.schema)
            scenes = [name.removesuffix("__0_0") for name in part.tolist()]
            for column, values in (("tile_id", part), ("scene_id", scenes), ("image", image)):
                field = tiles.schema.field(column)
                at = tiles.schema.get_field_index(column)
                table = table.set_column(at, field, pa.array(list(values), type=field.type))
            writer.write_table(table)
    png = encode_labels(np.full(size, IGNORE, dtype=np.uint8))
    maps = (
        {"tile_id": n, "split": first["split"], "label_map": {"bytes": png, "path": ""}}
        for n in names.tolist()
    )
    write_table(out, "semantic", SEMANTIC, maps)
    rng = np.random.default_rng(0)
    places = np.sort(rng.integers(0, num_tiles, num_instances))
    with pq.ParquetWriter(out / "instances-00000.parquet", rows.schema) as writer:
        for part in np.array_split(places, -(-num_instances // CHUNK)):
            table = rows.take(pa.array(rng.integers(0, len(rows), len(part))))
            at = rows.schema.get_field_index("tile_id")
            table = table.set_column(at, rows.schema.field("tile_id"), pa.array(names[part]))
            writer.write_table(table)
    about = read_manifest(source)
    del about["shards"]
    write_manifest(out, about)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export")
    parser.add_argument("format")
    parser.add_argument("release", type=Path)
    parser.add_argument("--tiles", type=int, default=TILES)
    parser.add_argument("--instances", type=int, default=INSTANCES)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.into is None:
        with tempfile.TemporaryDirectory() as folder:
            release = Path(folder) / "release"
            write_release(given.release, release, given.tiles, given.instances)
            here = [sys.executable, "-m", "benchmarks.export", given.format, str(release)]
            subprocess.run([*here, "--into", str(Path(folder) / "out")], check=True)
        return
    begin, cpu = time.perf_counter(), time.process_time()
    about = export(given.format, given.release, given.into, images=False)
    result = {
        "format": given.format,
        "seconds": round(time.perf_counter() - begin, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": memory(os.getpid(), "VmHWM"),
        "summary": about["summary"],
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
