"""Other programs that run Segment Anything, beside ours, on the same tiles, boxes and weights.

    uv venv OTHER
    uv pip install --python OTHER/bin/python ultralytics segment-geospatial fiftyone
    python -m benchmarks.peers --python OTHER/bin/python

Each program (`benchmarks/peers/`) labels the same drawn tiles of 1024 px in a process of its own,
one after another, for each number of boxes: with ViT-B's size and the same random weights, which
change no speed, on one thread, 20 boxes a call where it takes boxes in parts, from the file of the
picture to whole masks. Prints a JSON line for each: CPU and wall seconds a tile (median), tiles a
second of CPU time, the process's peak memory, the mean IoU of its masks with ours in float32,
versions; then how many times as fast ours are (`ahead`). CPU seconds are what to compare on a
machine with other work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from segment_anything import sam_model_registry

from benchmarks.label import tile

ROOT = Path(__file__).parents[2]
OURS = ("ours:float32", "ours:float32-fast", "ours:bfloat16")
HERE = (*OURS, "transformers", "official")
"""Programs of the project's own environment."""
OTHERS = ("ultralytics", "samgeo", "fiftyone")


def prepare(folder: Path, tiles: int, boxes: int) -> None:
    """Write weights, pictures and boxes.

    Args:
        folder: an empty one.
        tiles: how many.
        boxes: of each tile, at most.
    """
    torch.manual_seed(0)
    torch.save(sam_model_registry["vit_b"]().state_dict(), folder / "sam_b.pt")
    for number in range(tiles):
        image, drawn = tile(number, boxes)
        (folder / f"{number}.png").write_bytes(image)
        np.save(folder / f"{number}.npy", drawn.hbb)


def measured(python: str, name: str, folder: Path, boxes: int) -> dict[str, Any]:
    """What a program took for the tiles, or why it took nothing.

    Args:
        python: of its environment.
        name: of ``HERE`` or ``OTHERS``.
        folder: as ``prepare`` left it.
        boxes: of each tile.
    """
    command = [python, "-m", "benchmarks.peers.measure", name, str(folder), str(boxes)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True,
        stdout=subprocess.PIPE, check=False,
    )  # fmt: skip
    if done.returncode:
        return {"failed": done.returncode}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def agreement(folder: Path, name: str, boxes: int) -> float | None:
    """Mean IoU of a program's masks of the first tile with ours in float32."""
    exact, other = (folder / f"{one}-{boxes}.npy" for one in (OURS[0], name))
    if not (exact.exists() and other.exists()):
        return None
    one, two = (np.unpackbits(np.load(path), axis=1).astype(bool) for path in (exact, other))
    if len(one) != len(two):
        return None
    union = (one | two).sum(1)
    shared = np.where(union == 0, 1, (one & two).sum(1) / np.maximum(union, 1))
    return round(float(shared.mean()), 5)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("--python", help="of the environment of the programs that are not here")
    parser.add_argument("--programs", nargs="+", choices=[*HERE, *OTHERS], default=[*HERE, *OTHERS])
    parser.add_argument("--boxes", nargs="+", type=int, default=[1, 35, 500], help="a tile")
    parser.add_argument("--tiles", type=int, default=3, help="the first is a rehearsal")
    given = parser.parse_args()
    if given.python is None and set(given.programs) & set(OTHERS):
        parser.error("--python: missing; that of the environment with the other programs is needed")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, given.tiles, max(given.boxes))
        for boxes in given.boxes:
            spent: dict[str, float] = {}
            for program in given.programs:
                python = sys.executable if program in HERE else given.python
                line = measured(python, program, folder, boxes)
                if "cpu_s" in line:
                    spent[program] = line["cpu_s"]
                line["mean_iou"] = agreement(folder, program, boxes)
                print(json.dumps({"program": program, "boxes": boxes, **line}), flush=True)
            ahead = {
                ours: {
                    peer: round(spent[peer] / spent[ours], 2)
                    for peer in spent if peer not in OURS
                }
                for ours in OURS if ours in spent
            }  # fmt: skip
            print(json.dumps({"boxes": boxes, "ahead": ahead}), flush=True)


if __name__ == "__main__":
    main()
