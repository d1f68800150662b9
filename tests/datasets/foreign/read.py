"""What other readers read of a dataset, as JSON: run where these are installed, without samrs.

    python read.py ultralytics FOLDER
    python read.py pycocotools FOLDER
    python read.py supervision FOLDER

Prints a map of images (relative names) to their split and boxes ``[class, x0, y0, x1, y1]`` in px,
or the error.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

Found = dict[str, tuple[str, list[list[Any]]]]
SPLITS = ("train", "val", "test")


def ultralytics(folder: Path) -> Found:
    """As ``yolo train data=data.yaml`` reads its splits."""
    os.environ["YOLO_CONFIG_DIR"] = os.environ["YOLO_OFFLINE"] = tempfile.mkdtemp()
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    os.chdir(folder)
    data = check_det_dataset(str(folder / "data.yaml"), autodownload=False)
    found: Found = {}
    for split in SPLITS:
        if not data.get(split):
            continue
        task = "pose" if "kpt_shape" in data else "detect"
        dataset = YOLODataset(
            img_path=data[split], data=data, task=task, augment=False, cache=False
        )
        for label in dataset.labels:
            height, width = label["shape"]
            boxes = []
            for number, (x, y, w, h) in zip(label["cls"][:, 0], label["bboxes"], strict=True):
                corners = [(x - w / 2) * width, (y - h / 2) * height]
                corners += [(x + w / 2) * width, (y + h / 2) * height]
                boxes.append([data["names"][int(number)], *map(float, corners)])
            found[relative(Path(label["im_file"]), folder)] = (split, boxes)
    return found


def pycocotools(folder: Path) -> Found:
    """Every JSON file of the set by itself; its name is all that tells a split."""
    from pycocotools.coco import COCO

    found: Found = {}
    for path in coco_files(folder):
        coco = COCO(str(path))
        for image_id, entry in coco.imgs.items():
            boxes = []
            for annotation in coco.imgToAnns[image_id]:
                x, y, w, h = annotation["bbox"]
                name = coco.cats[annotation["category_id"]]["name"]
                boxes.append([name, float(x), float(y), float(x + w), float(y + h)])
            found[f"{relative(path, folder)}:{entry['file_name']}"] = ("", boxes)
    return found


def supervision(folder: Path) -> Found:
    """Every JSON file of the set by itself, its images where they are looked for."""
    import supervision as sv

    found: Found = {}
    for path in coco_files(folder):
        images = next((p for p in (folder / "images", path.parent) if p.is_dir()), folder)
        dataset = sv.DetectionDataset.from_coco(str(images), str(path))
        for name, _, detections in dataset:
            numbers = [] if detections.class_id is None else detections.class_id
            boxes = [
                [dataset.classes[int(number)], *map(float, box)]
                for number, box in zip(numbers, detections.xyxy, strict=True)
            ]
            told = relative(Path(name), images)
            found[f"{relative(path, folder)}:{told}"] = ("", boxes)
    return found


def coco_files(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.rglob("*.json") if "__MACOSX" not in p.parts)
    instances = [p for p in found if p.name.startswith("instances_")]  # beside other tasks' files
    return instances or found


def relative(path: Path, folder: Path) -> str:
    return os.path.normpath(path).removeprefix(f"{folder}/")


READERS = {"ultralytics": ultralytics, "pycocotools": pycocotools, "supervision": supervision}


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            answer: Any = READERS[name](folder)
    except Exception as error:  # whatever another library raises is its answer
        answer = f"{type(error).__name__}: {str(error)[:300]}"
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
