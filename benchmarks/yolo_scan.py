"""Reading the label files of a YOLO set, against Ultralytics' own scan: a JSON line.

    python -m benchmarks.yolo_scan
    python -m benchmarks.yolo_scan --files 5000 --boxes 20 --python /tmp/foreign/bin/python

Both read ``--files`` label files of ``--boxes`` boxes each and look at the sizes of their images,
which are one small JPEG under many names. Ultralytics checks each image, too, which a scan does
once; its cache is off. It runs under ``--python``, an environment that has it (as the slow test
``tests/datasets/foreign`` makes one); without it our figure stands alone. Seconds
count no import. CPU seconds are steadier on a busy machine, and count children.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from samrs.core.images import encode_rgb
from samrs.core.records import Quarantine
from samrs.datasets.yolo import read as yolo

THEIRS = """
import json, os, sys, tempfile, time
os.environ["YOLO_CONFIG_DIR"] = tempfile.mkdtemp()
from ultralytics.data.dataset import YOLODataset
from ultralytics.data import dataset as module
module.save_dataset_cache_file = lambda prefix, path, x, version: x.update(version=version)
data = {"names": {0: "a", 1: "b"}, "channels": 3, "nc": 2}
begin, cpu = time.perf_counter(), os.times()
found = YOLODataset(img_path=sys.argv[1], data=data, task="detect", augment=False, cache=False)
end, used = time.perf_counter(), os.times()
boxes = sum(len(label["cls"]) for label in found.labels)
print(json.dumps([boxes, end - begin, sum(used[:4]) - sum(cpu[:4])]))
"""


def write(root: Path, files: int, boxes: int) -> None:
    """A set of ``files`` images with ``boxes`` boxes each."""
    rng = np.random.default_rng(0)
    picture = encode_rgb(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8), ".jpg")
    (root / "images/train").mkdir(parents=True)
    (root / "labels/train").mkdir(parents=True)
    (root / "data.yaml").write_text("train: images/train\nval: images/train\nnames: [a, b]\n")
    for number in range(files):
        centres, sides = rng.uniform(0.3, 0.7, (boxes, 2)), rng.uniform(0.01, 0.3, (boxes, 2))
        lines = [
            f"{i % 2} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n"
            for i, ((x, y), (w, h)) in enumerate(zip(centres, sides, strict=True))
        ]
        (root / f"labels/train/{number:06d}.txt").write_text("".join(lines))
        (root / f"images/train/{number:06d}.jpg").write_bytes(picture)


def ours(root: Path) -> tuple[int, float, float]:
    """Boxes, seconds and CPU seconds of our reader."""
    begin, cpu = time.perf_counter(), os.times()
    quarantine = Quarantine()
    boxes = sum(len(scene.annotations) for scene in yolo.read_scenes(root, quarantine))
    end, used = time.perf_counter(), os.times()
    return boxes, end - begin, sum(used[:4]) - sum(cpu[:4])


def theirs(root: Path, python: Path) -> tuple[int, float, float]:
    """Those of Ultralytics."""
    done = subprocess.run(
        [python, "-c", THEIRS, root / "images/train"], capture_output=True, text=True, check=True
    )
    boxes, seconds, cpu = json.loads(done.stdout.splitlines()[-1])
    return boxes, seconds, cpu


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yolo_scan")
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--boxes", type=int, default=20)
    parser.add_argument("--python", type=Path, help="of an environment with ultralytics")
    wanted = parser.parse_args()
    with TemporaryDirectory() as name:
        root = Path(name)
        write(root, wanted.files, wanted.boxes)
        boxes, seconds, cpu = ours(root)
        line: dict[str, object] = {"files": wanted.files, "boxes": boxes}
        line |= {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2)}
        if wanted.python is not None:
            other_boxes, other_seconds, other_cpu = theirs(root, wanted.python)
            line |= {"other_boxes": other_boxes, "other_seconds": round(other_seconds, 2)}
            line |= {"other_cpu_seconds": round(other_cpu, 2)}
            line |= {"times_faster": round(other_seconds / seconds, 2)}
            line |= {"cpu_times_less": round(other_cpu / cpu, 2)}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
