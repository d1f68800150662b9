#!/bin/sh
# A YOLO segmentation set in Datumaro: the images with objects go, the empty ones stay, without a word.
#
# datumaro 1.13.12, format "yolo", Ultralytics' layout (data.yaml, images/, labels/) with a polygon a
# line. Guess before the run: the polygons' boxes, or an error that names the format. Seen: import_from
# returns a data set of one image, the one without objects; the other, whose label file is valid for
# Ultralytics, is not in it, and nothing is raised. With a box a line both are there.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12
cd "$folder"
cat > seen.py <<'PY'
from pathlib import Path

import numpy as np
from datumaro.components.dataset import Dataset
from PIL import Image


def seen(line):
    root = Path(line.replace(" ", "_")[:20])
    for part in ("images/train", "labels/train"):
        (root / part).mkdir(parents=True)
    for name, text in (("with", line + "\n"), ("without", "")):
        Image.fromarray(np.zeros((100, 100, 3), np.uint8)).save(root / f"images/train/{name}.png")
        (root / f"labels/train/{name}.txt").write_text(text)
    (root / "data.yaml").write_text("train: images/train\nval: images/train\nnames: {0: ship}\n")
    dataset = Dataset.import_from(str(root), "yolo")
    return sorted((item.id, len(item.annotations)) for item in dataset)


polygon = seen("0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5")
box = seen("0 0.25 0.3 0.3 0.4")
print("polygon a line:", polygon)
print("box a line:    ", box)
assert polygon == [("without", 0)], "this has changed"
assert box == [("with", 1), ("without", 0)], "this has changed"
PY
"$folder/venv/bin/python" seen.py
