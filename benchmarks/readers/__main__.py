"""Who reads which export, and how exactly: every export through the libraries that people use.

    python -m benchmarks.readers data/release/sota environments          # prints tables
    python -m benchmarks.readers data/release/sota environments --page docs/readers.md

Each library is installed, at the version that stands in ``LIBRARIES``, into an environment of its
own below the second folder; a file of ``probes`` runs there and compares what the library gives
with what was exported. The first run fetches some GB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import polygon_to_hbb
from samrs.core.rle import run_lengths
from samrs.core.shards import write_json
from samrs.export.export import export, subset_of
from samrs.export.formats.yolo_obb import written_box
from samrs.export.outlines import rle_to_obb

TORCH = ("torch==2.15.0", "torchvision==0.29.2", "pycocotools==2.0.11")
LIBRARIES: dict[str, tuple[str, ...]] = {
    "coco_tools": ("pycocotools==2.0.11", "faster-coco-eval==1.8.0"),
    "supervision_": ("supervision==0.31.2", "opencv-python-headless==5.0.0.93"),
    "fiftyone_": ("fiftyone==1.22.1", "pycocotools==2.0.11"),
    "datumaro_": ("datumaro==1.13.12",),
    "sahi_": ("sahi==0.12.8", *TORCH),
    "torchvision_": TORCH,
    "transformers_": ("transformers==5.24.0", "torchgeo==0.8.1", "requests==2.34.2", *TORCH),
    "ultralytics_": ("ultralytics==8.4.190", "faster-coco-eval==1.8.0", *TORCH),
    "pictures": ("pillow==13.0.0", "opencv-python-headless==5.0.0.93"),
    "containers": ("datasets==5.2.0", "webdataset==1.0.2", "pycocotools==2.0.11", "pillow==13.0.0"),
}
"""Requirements of each probe."""

EXPORTS: dict[str, dict[str, Any]] = {
    "coco": {},
    "coco-polygon": {"masks": "polygon"},
    "yolo_seg": {},
    "yolo_obb": {},
    "voc": {},
    "dota": {},
    "png": {},
    "huggingface": {},
    "webdataset": {},
}
"""Options by name; a name is a format and, behind a hyphen, which of its kinds."""


def write_exports(release: Path, out: Path) -> None:
    """Write every export of a release, and what is in it: ``truth.json`` and ``maps/``."""
    (out / "release").symlink_to(release.resolve(), target_is_directory=True)
    for name, options in EXPORTS.items():
        export(name.partition("-")[0], release, out / name, **options)
    subset = subset_of(release)
    (out / "maps").mkdir()
    truth = {}
    for tile in subset.tiles(["obb", "mask_hbb", "area"], semantic=True):
        numbers = range(1, len(tile.rows) + 1)
        np.savez_compressed(
            out / "maps" / f"{tile.name}.npz",
            semantic=tile.labels(),
            instances=subset.paint(tile, numbers, background=0),
        )
        width, height = tile.size_wh
        truth[tile.name] = {
            "split": tile.about["split"],
            "folder": tile.split,
            "width": width,
            "height": height,
            "objects": [
                _truth(row, subset.categories[row["label"]], tile.size_wh) for row in tile.rows
            ],
        }
    write_json(out / "truth.json", truth)


def _truth(row: dict[str, Any], category: str, size_wh: tuple[int, int]) -> dict[str, Any]:
    corners, (_, rotated) = rle_to_obb(row["rle"]), written_box(row, size_wh)
    return {
        "category": category,
        "box": row["mask_hbb"],
        "dota": polygon_to_hbb(corners).tolist(),
        "yolo_obb": polygon_to_hbb(rotated).tolist(),
        "counts": run_lengths(row["rle"]).tolist(),
    }


def run(name: str, exports: Path, environments: Path) -> dict[str, Any]:
    """Run a probe in its environment, which is made where it is missing."""
    environment = environments / name
    python = str(environment / "bin" / "python")
    uv = (sys.executable, "-m", "uv")
    if not (environment / "ready").exists():
        make = [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)]
        subprocess.run(make, check=True)
        install = [*uv, "pip", "install", "--quiet", "--python", python]
        subprocess.run([*install, *LIBRARIES[name]], check=True)
        (environment / "ready").touch()
    script = Path(__file__).parent / "probes" / f"{name}.py"
    done = subprocess.run(
        [python, script, exports],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(environments), "YOLO_CONFIG_DIR": str(environments)},
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


HEAD = """# Who reads which export, and how exactly

Every export of the demo release SOTA, read by the libraries that people use and compared with what
was exported. An object is found where the class is right and the boxes have an IoU of 0.5 or more;
masks are compared with the release's own, pixel for pixel. What to make of it:
[exports](exports.md#who-reads-what). Not run: detectron2 and mmcv, which mmdetection needs, have no
wheels on PyPI, and FiftyOne's data sets want a MongoDB, so its importers stand for it. Written by

```
python -m benchmarks.readers data/release/sota environments --page docs/readers.md
```
"""
COLUMNS = ("reader", "tiles", "objects", "boxes off by", "mask IoU: mean, lowest", "exact masks")


def page(found: list[dict[str, Any]]) -> str:
    """What was found, a table for each export."""
    rows = [row for probe in found for row in probe["rows"]]
    parts = [HEAD]
    for name in [*EXPORTS, "release"]:
        lines = [_line([row["call"], *_cells(row)]) for row in rows if row["export"] == name]
        if lines:
            head = [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
            parts.append("\n".join([f"## {_title(name)}\n", *head, *lines]) + "\n")
    versions = sorted({f"{k} {v}" for probe in found for k, v in probe["versions"].items()})
    return "\n".join([*parts, f"## Versions\n\n{', '.join(versions)}.\n"])


def _title(name: str) -> str:
    format, _, kind = name.partition("-")
    if name == "release":
        return "The release itself"
    return f"`{format}`, {kind} masks" if kind else f"`{format}`"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', ' ') for cell in cells)} |"


def _cells(row: dict[str, Any]) -> list[str]:
    if "error" in row:
        return ["refused", f"`{row['error'].replace('`', ' ')}`", *["-"] * 3]
    if "maps" in row:
        return ["{} of {} maps equal".format(*row["maps"]), *["-"] * 4]
    box = "-" if row["box_px"] is None else f"{row['box_px']} px"
    masks = f"{row['iou']}, {row['lowest_iou']}" if row["masks"] else "-"
    exact = f"{row['exact']} of {row['masks']}" if row["masks"] else "-"
    more = f", and {row['more']} that match none" if row["more"] else ""
    tiles, objects = ("{} of {}".format(*row[key]) for key in ("tiles", "objects"))
    return [tiles, objects + more, box, masks, exact]


def main() -> None:
    """Parse arguments, run every probe and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("environments", type=Path, help="folder of the libraries' environments")
    parser.add_argument("--only", nargs="+", default=list(LIBRARIES), choices=list(LIBRARIES))
    parser.add_argument("--page", type=Path, help="write the tables to this file")
    args = parser.parse_args()
    environments = args.environments.resolve()
    environments.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        exports = Path(folder)
        write_exports(args.release, exports)
        found = [run(name, exports, environments) for name in args.only]
    if args.page:
        args.page.write_text(page(found), encoding="utf-8")
    else:
        print(page(found))


if __name__ == "__main__":
    main()
