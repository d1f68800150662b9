#!/bin/sh
# Datumaro gives COCO masks back a pixel smaller, unless they are called crowds.
#
# datumaro 1.13.12, pycocotools 2.0.11, format "coco_instances". Guess before the run: a mask written as
# RLE comes back as the same pixels. Seen: import_from and export, nothing changed between, make a
# polygon of a mask with iscrowd 0, and its corners are centres of pixels: a rectangle of 10 x 6 px comes
# back as 9 x 5 px. With iscrowd 1 the RLE and every pixel stay. A model that is trained on what Datumaro
# merged or split sees every object without its right and lower edge.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datumaro==1.13.12 pycocotools==2.0.11
cd "$folder"
cat > seen.py <<'PY'
import json
from pathlib import Path

import numpy as np
from datumaro.components.dataset import Dataset
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

TRUE = np.zeros((40, 50), np.uint8)
TRUE[20:26, 10:20] = 1


def back(crowd):
    root = Path(f"crowd{crowd}")
    (root / "images" / "train").mkdir(parents=True)
    (root / "annotations").mkdir()
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(root / "images" / "train" / "a.png")
    coded = rle.encode(np.asfortranarray(TRUE))
    coded["counts"] = coded["counts"].decode()
    what = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": crowd, "segmentation": coded,
            "bbox": [10, 20, 10, 6], "area": 60}
    (root / "annotations" / "instances_train.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "a.png", "width": 50, "height": 40}],
        "categories": [{"id": 1, "name": "ship"}], "annotations": [what]}))
    Dataset.import_from(str(root), "coco_instances").export(str(root / "out"), "coco_instances", save_media=True)
    coco = COCO(str(root / "out" / "annotations" / "instances_train.json"))
    (written,) = coco.anns.values()
    rows, columns = np.nonzero(coco.annToMask(written))
    kind = "polygon" if isinstance(written["segmentation"], list) else "RLE"
    return kind, int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


plain, crowd = back(0), back(1)
print("10 x 6 px, iscrowd 0:", *plain)
print("10 x 6 px, iscrowd 1:", *crowd)
assert plain == ("polygon", 9, 5), "this has changed"
assert crowd == ("RLE", 10, 6), "this has changed"
PY
"$folder/venv/bin/python" seen.py
