"""A release of discs and squares to be judged, and a review of it in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.images import encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import RELEASED, SEMANTIC, TILES
from samrs.core.rle import mask_to_rle, rle_area, rle_to_hbb
from samrs.core.shards import read_manifest, sha256, write_manifest, write_table
from samrs.release.scenes import write_scenes
from samrs.weights.weights import find_checkpoint
from tests.export.releases import write_release as template

SIDE = 256
HOSTILE = '<img src=x onerror="document.title=1">'
CATEGORIES = ["disc", "square", HOSTILE]
TILES_AT = ("a__0_0", "b__0_0", "b__128_0")
ROOT = Path(__file__).parents[2]


def _mask(place: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The place-th of a tile's twelve shapes, in a grid of 4 x 3."""
    y, x = np.mgrid[:SIDE, :SIDE]
    cx, cy = 32 + 64 * (place % 4), 42 + 85 * (place // 4)
    if place % 2:
        return np.asarray((abs(x - cx) < 18) & (abs(y - cy) < 14))
    return np.asarray((x - cx) ** 2 + (y - cy) ** 2 < (12 + place) ** 2)


def _row(tile: str, place: int, quality: float) -> dict[str, Any]:
    rle = mask_to_rle(_mask(place))
    box = rle_to_hbb(rle).tolist()
    label = 2 if place == 11 else place % 2
    return {
        "instance_id": f"{tile.split('__')[0]}#{place}" if place else "b#shared",
        "tile_id": tile,
        "category_id": label,
        "category": CATEGORIES[label],
        "hbb": box,
        "hbb_annotated": box,
        "obb": None,
        "difficult": False,
        "visible": 1.0,
        "source_file": "labels.txt",
        "source_line": place + 1,
        "rle": rle,
        "area": rle_area(rle),
        "mask_hbb": box,
        "predicted_iou": 0.9,
        "stability_score": 0.5 + place / 24,
        "box_iou": 1.0,
        "obb_iou": None,
        "outside": 0.0,
        "components": 1,
        "recipe": "hbox" if place < 6 else "zoom",
        "fallback": False,
        "quality": quality,
        "changed_px": 0,
        "made_by": "machine",
        "accepted": False,
    }


def _tile(name: str) -> dict[str, Any]:
    noise = np.random.default_rng(len(name)).integers(40, 90, (SIDE, SIDE, 3)).astype(np.uint8)
    for place in range(12):
        noise[_mask(place)] = (220, 210 - 10 * place, 60 + 12 * place)
    return {
        "tile_id": name,
        "scene_id": name.split("__")[0],
        "split": "train" if name.startswith("a") else "val",
        "x0": int(name.split("_")[-2]),
        "y0": int(name.split("_")[-1]),
        "width": SIDE,
        "height": SIDE,
        "gsd": None,
        "image": {"bytes": encode_rgb(noise), "path": f"{name}.png"},
    }


def qualities() -> list[float]:
    """Of the 36 masks, in stored order: none is like another."""
    return [round(0.2 + 0.75 * ((7 * k) % 36) / 36, 4) for k in range(36)]


def write_release(release: Path, **about: Any) -> Path:
    """36 masks in three tiles; two tiles of a scene share an object."""
    template(release)  # for its manifest
    manifest = {k: v for k, v in read_manifest(release).items() if k != "shards"}
    for file in release.glob("*.parquet"):
        file.unlink()
    rows = [
        _row(tile, place, qualities()[12 * t + place])
        for t, tile in enumerate(TILES_AT)
        for place in range(12)
    ]
    tiles = [_tile(name) for name in TILES_AT]
    write_table(release, "tiles", TILES, tiles)
    write_table(release, "instances", RELEASED, rows)
    label_map = {"bytes": encode_labels(np.full((SIDE, SIDE), 255, np.uint8)), "path": "a.png"}
    maps = [{"tile_id": t["tile_id"], "split": t["split"], "label_map": label_map} for t in tiles]
    write_table(release, "semantic", SEMANTIC, maps)
    write_scenes(release, release)
    nano = find_checkpoint("sam", "nano")
    assert nano.path is not None
    made = {"segmenter": "sam", "model": "nano", "model_sha256": sha256(nano.path)}
    names = {"categories": CATEGORIES, "labels": CATEGORIES}
    told = {**manifest, **made, "precision": "float32", **names, **about}
    write_manifest(release, told)
    return release


class Running:
    """A review in a process of its own.

    Args:
        words: of the command line.
    """

    def __init__(self, *words: str | Path) -> None:
        command = [sys.executable, "-m", "samrs", "review", *map(str, words)]
        env = {**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if found := re.search(r"http://\S+", line):
                self.address = found[0]
                return
        raise AssertionError(self.said)

    @property
    def origin(self) -> str:
        """Its scheme, host and port."""
        return self.address.partition("/?")[0]

    def end(self, how: int = signal.SIGTERM) -> None:
        """Stop it.

        Args:
            how: the signal.
        """
        self.process.send_signal(how)
        self.process.wait(20)


@contextmanager
def running(*words: str | Path) -> Iterator[Running]:
    """A review while the body lasts."""
    started = Running(*words)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.end(signal.SIGKILL)
