"""One program labels the tiles of a folder; run by ``python -m benchmarks.peers``.

A program is a module beside this one with ``load(weights, precision)``, which gives a function of a
picture's path and its boxes (N, 4) that returns masks: an array (N, h, w), or what only it can read
(then ``masks`` makes the array, and is not timed); and ``PACKAGES``, whose versions are told.
"""

from __future__ import annotations

import importlib
import json
import resource
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np


def main() -> None:
    """The command line."""
    told, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    name, _, precision = told.partition(":")
    program = importlib.import_module(f"benchmarks.peers.{name}")
    label = program.load(folder / "sam_b.pt", precision)
    tiles = sorted(folder.glob("[0-9]*.png"), key=lambda path: int(path.stem))
    cpu, wall, found = [], [], None
    for number, path in enumerate(tiles):
        boxes = np.load(path.with_suffix(".npy"))[:count]
        begun = time.process_time(), time.perf_counter()
        answer = label(path, boxes)
        cpu.append(time.process_time() - begun[0])
        wall.append(time.perf_counter() - begun[1])
        if number == 0:
            found = answer
        del answer
    timed = slice(1, None) if len(tiles) > 1 else slice(None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if masks := program.masks(found):
        rows = np.array([np.packbits(np.asarray(mask, dtype=bool)) for mask in masks])
        np.save(folder / f"{told}-{count}.npy", rows)
    cpu_s = statistics.median(cpu[timed])
    print(json.dumps({
        "cpu_s": round(cpu_s, 2), "seconds": round(statistics.median(wall[timed]), 2),
        "tiles_per_cpu_s": round(1 / cpu_s, 3), "peak_mib": peak // 1024,
        "versions": {package: version(package) for package in ("torch", *program.PACKAGES)},
    }))  # fmt: skip


if __name__ == "__main__":
    main()
