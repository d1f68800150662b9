#!/bin/sh
# FiftyOne opens no COCO file in which an annotation has an attribute called instance_id.
#
# fiftyone 1.22.1, pycocotools 2.0.11, COCO's "attributes" as CVAT and Datumaro write them, and FiftyOne's
# COCODetectionDatasetImporter with extra_attrs=True. Guess before the run: the attribute becomes a field of
# the detection, as others do. Seen: the first such annotation raises DynamicEmbeddedDocumentException, since
# instance_id is a property of Detection now, and the whole set stays shut; called object_id it is read.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fiftyone==1.22.1 pycocotools==2.0.11
cd "$folder"
cat > seen.py <<'PY'
import json
from pathlib import Path

import fiftyone.utils.coco as coco
import numpy as np
from PIL import Image


def seen(name):
    root = Path(name)
    (root / "data").mkdir(parents=True)
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(root / "data" / "a.png")
    what = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [10, 20, 10, 6], "area": 60,
            "segmentation": [[10, 20, 20, 20, 20, 26, 10, 26]], "attributes": {name: "ship-7"}}
    (root / "labels.json").write_text(json.dumps({
        "images": [{"id": 1, "file_name": "a.png", "width": 50, "height": 40}],
        "categories": [{"id": 1, "name": "ship"}], "annotations": [what]}))
    reader = coco.COCODetectionDatasetImporter(
        data_path=str(root / "data"), labels_path=str(root / "labels.json"),
        label_types="segmentations", extra_attrs=True)
    try:
        with reader:
            ((_, _, found),) = list(reader)
    except Exception as error:
        return type(error).__name__
    return found.detections[0][name]


other, reserved = seen("object_id"), seen("instance_id")
print("attributes.object_id:  ", other)
print("attributes.instance_id:", reserved)
assert other == "ship-7", "this has changed"
assert reserved == "DynamicEmbeddedDocumentException", "this has changed"
PY
"$folder/venv/bin/python" seen.py
