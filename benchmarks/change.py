"""What a small change of a dataset costs: from download to statistics, beside doing all again.

    python -m benchmarks.change --work FOLDER
    python -m benchmarks.change --work FOLDER --scenes 24 --segmenter sam

The product is DOTA's layout with real pixels: scenes of `--side` px put together of NWPU VHR-10's
pictures, with the boxes of their objects, in tiles of `--tile` px sharing a fifth: 2,088 tiles of
232 scenes. `--side 2500 --tile 1024` has tiles as large as DOTA's. Then 1 % of scenes are added,
one is changed and one removed. Stages are run as the pipeline runs them, each in a process of its
own, by turns:

first: all stages on the dataset before the change, with nothing kept.
change: after the change, with what `first` left in `.work`.
labels_alone: after the change, where of `.work` the labelled tiles alone are left: what a change
    cost before scenes and units were kept, too.
full: after the change, with nothing kept.

A JSON line for each has the CPU seconds of every stage (steady on a busy machine, which seconds are
not), their sum, and its ratio to `full`. Outputs of `change` and `labels_alone` are compared with
those of `full`, byte by byte; the script ends with an error where one differs.

`--segmenter box` (usual) stands in for SAM: its masks are the boxes, so that labelling costs next
to nothing in both and the ratio is of what is not labelling; `sam` labels with `nano`, by the
recipe `--prompt`, and tells the ratio of a whole pipeline. `--arms` leaves out some.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
REAL = ROOT.parent / "shared" / "real" / "nwpu_vhr10"
CLASSES = {
    "airplane": "plane", "ship": "ship", "storage_tank": "storage-tank",
    "baseball_diamond": "baseball-diamond", "tennis_court": "tennis-court",
    "basketball_court": "basketball-court", "ground_track_field": "ground-track-field",
    "harbor": "harbor", "bridge": "bridge", "vehicle": "small-vehicle",
}  # fmt: skip
"""DOTA's name of each class."""

ARMS = ("first", "change", "labels_alone", "full")
DATA = Path("data")
STAGES: dict[str, list[str]] = {
    "download": ["dota", "data/inbox/dota", "data/download/dota", "metrics/download.json"],
    "weights": ["data/weights"],
    "normalize": [
        "dota", "dota", "data/download/dota", "data/normalize/dota", "metrics/normalize.json",
    ],
    "sam_label": [
        "data/normalize/dota", "data/weights", str(ROOT / "samrs/models/auto_prompt.json"),
        "data/sam_label/dota", "metrics/sam_label.json",
    ],
    "release": [
        "data/normalize/dota", "data/sam_label/dota", str(ROOT / "samrs/models/quality.json"),
        "data/corrections/dota",
        "data/release/sota", "metrics/release.json",
    ],
    "stats": [
        "data/release", "metrics/stats.json", "metrics/stats", "metrics/classes.csv",
        "metrics/sizes.csv", "metrics/headline.json",
    ],
}  # fmt: skip
"""Arguments of each stage, in their order: the pipeline's, but for shorter names of metrics."""


class Pictures:
    """NWPU VHR-10's pictures with their boxes.

    Args:
        folder: with ``annotations.json`` and ``images/``.
    """

    def __init__(self, folder: Path) -> None:
        said = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
        names = {int(c["id"]): CLASSES[c["name"]] for c in said["categories"]}
        self._paths = {int(i["id"]): folder / "images" / i["file_name"] for i in said["images"]}
        self.ids = sorted(self._paths)
        self.boxes: dict[int, list[tuple[str, list[float]]]] = {i: [] for i in self.ids}
        for item in said["annotations"]:
            box = [float(v) for v in item["bbox"]]
            self.boxes[int(item["image_id"])].append((names[int(item["category_id"])], box))

    def pixels(self, number: int) -> NDArray[np.uint8]:
        """A picture (h, w, 3), BGR."""
        found = cv2.imread(str(self._paths[number]))
        assert found is not None
        return np.asarray(found, dtype=np.uint8)


def write_scene(root: Path, name: str, seed: int, side: int, pictures: Pictures) -> None:
    """A scene put together of pictures, row by row, with the boxes that lie in it."""
    rng = np.random.default_rng(seed)
    scene = np.zeros((side, side, 3), dtype=np.uint8)
    lines = []
    top = 0
    while top < side:
        left, height = 0, side
        while left < side:
            number = int(rng.choice(pictures.ids))
            part = pictures.pixels(number)[: side - top, : side - left]
            scene[top : top + part.shape[0], left : left + part.shape[1]] = part
            for category, (x, y, w, h) in pictures.boxes[number]:
                x0, y0, x1, y1 = left + x, top + y, left + x + w, top + y + h
                if x1 <= left + part.shape[1] and y1 <= top + part.shape[0]:
                    lines.append(f"{x0} {y0} {x1} {y0} {x1} {y1} {x0} {y1} {category} 0\n")
            left, height = left + part.shape[1], min(height, part.shape[0])
        top += height
    for folder in ("images", "labelTxt"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(root / "images" / f"{name}.png"), scene, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    (root / "labelTxt" / f"{name}.txt").write_text("".join(lines), encoding="utf-8")


def change(root: Path, scenes: int, side: int, pictures: Pictures) -> None:
    """Add 1 % of scenes between the others, change one and remove one."""
    for number in range(max(1, round(scenes / 100))):
        write_scene(root, f"P{(7 + 31 * number) % scenes:04d}_new", 10_000 + number, side, pictures)
    write_scene(root, f"P{scenes // 3:04d}", 20_000, side, pictures)
    for place in (f"images/P{scenes // 2:04d}.png", f"labelTxt/P{scenes // 2:04d}.txt"):
        (root / place).unlink()


def begin(project: Path, inbox: Path, given: argparse.Namespace) -> None:
    """A project with one dataset, whose inbox is a link."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params |= {"origin": "official", "segmenter": given.segmenter, "precision": given.precision}
    params["prompt"] = given.prompt or params["prompt"]
    params["normalize"]["dota"] |= {"tile": given.tile, "overlap": given.tile // 5}
    params["datasets"] = {"dota": params["datasets"]["dota"]}
    params["subsets"] = {"dota": "sota"}
    params["download"]["dota"]["terms_accepted"] = True
    for folder in ("inbox", "corrections/dota"):
        (project / DATA / folder).mkdir(parents=True)
    (project / "data/inbox/dota").symlink_to(inbox, target_is_directory=True)
    yaml.dump(params, project / "params.yaml")


def run(project: Path) -> dict[str, float]:
    """Run all stages; returns the CPU seconds of each. Outputs are removed first, as DVC does."""
    for folder in ("download", "weights", "normalize", "sam_label", "release"):
        shutil.rmtree(project / DATA / folder, ignore_errors=True)
    spent = {}
    said = {**os.environ, "PYTHONPATH": str(ROOT)}
    for stage, arguments in STAGES.items():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", f"stages.{stage}", *arguments]
        subprocess.run(command, cwd=project, env=said, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent[stage] = round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)
    return spent


def files(project: Path) -> Iterator[Path]:
    """All that the stages wrote."""
    for folder in ("data/normalize", "data/sam_label", "data/release", "metrics"):
        yield from sorted(p for p in (project / folder).rglob("*") if p.is_file())


def differing(project: Path, full: Path) -> list[str]:
    """The outputs that are not in both projects with the same bytes."""
    mine, theirs = ({str(p.relative_to(r)): p for p in files(r)} for r in (project, full))
    both = mine.keys() & theirs.keys()
    alike = {name for name in both if mine[name].read_bytes() == theirs[name].read_bytes()}
    return sorted((mine.keys() | theirs.keys()) - alike)


def measure(work: Path, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A line for each arm.

    Args:
        work: an empty folder; it takes about 15 GB.
        given: scenes, side, tile, segmenter, prompt, precision and arms.
    """
    pictures = Pictures(REAL)
    inbox = work / "inbox"
    for number in range(given.scenes):
        write_scene(inbox, f"P{number:04d}", number, given.side, pictures)
    for arm in ARMS:
        begin(work / arm, inbox, given)
    lines = []
    for arm in ARMS:
        if arm not in given.arms:
            continue
        if arm == "change":  # goes on where `first` stands
            change(inbox, given.scenes, given.side, pictures)
            labels = work / "first/.work/sam_label"
            shutil.copytree(labels, work / "labels_alone/.work/sam_label")
        project = work / ("first" if arm == "change" else arm)
        begun = time.perf_counter()
        spent = run(project)
        seconds = round(time.perf_counter() - begun, 1)
        metrics = json.loads((project / "metrics/normalize.json").read_text(encoding="utf-8"))
        line = {"arm": arm, "tiles": metrics["tiles"], "instances": metrics["instances"]}
        line |= {"cpu_s": spent, "cpu_s_sum": round(sum(spent.values()), 1), "seconds": seconds}
        lines.append(line)
        yield line
    for line in lines if "full" in given.arms else []:
        yield {"arm": line["arm"], "of_full": round(line["cpu_s_sum"] / lines[-1]["cpu_s_sum"], 4)}
    for arm, place in (("change", "first"), ("labels_alone", "labels_alone")):
        if {arm, "full"} <= set(given.arms):
            other = differing(work / place, work / "full")
            yield {"arm": arm, "files": len(list(files(work / "full"))), "differ": other}
            if other:
                sys.exit("outputs differ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=232)
    parser.add_argument("--side", type=int, default=1250, help="of a scene, px")
    parser.add_argument("--tile", type=int, default=512, help="side of a tile, px")
    parser.add_argument("--segmenter", choices=("box", "sam"), default="box")
    parser.add_argument("--prompt", help="recipe; that of params.yaml unless given")
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--work", type=Path, required=True, help="a folder that is not there yet")
    given = parser.parse_args()
    given.work.mkdir(parents=True)
    for line in measure(given.work.resolve(), given):
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
