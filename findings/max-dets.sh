#!/bin/sh
# A limit of detections that is not 100: the headline AP of two evaluators that are said to agree.
#
# pycocotools 2.0.11, faster-coco-eval 1.8.0. One image with 300 objects, a perfect result,
# params.maxDets = [1, 100, 300]. Guess before the run: both say the same, as they do by default.
# Seen: pycocotools' AP is 0.337 (still of 100 detections) beside AP50 and AP75 of 1.0 (of 300) in one
# summary; faster-coco-eval's AP is 1.0. With [1, 10, 300] it is -1 against 1.0. So in crowded aerial
# tiles a raised limit is a headline that does not move, or vanishes, or is right, by the library.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pycocotools==2.0.11 faster-coco-eval==1.8.0
cd "$folder"
cat > seen.py <<'PY'
import contextlib, io, json

import faster_coco_eval
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

objects = [
    {"id": i + 1, "image_id": 1, "category_id": 1, "area": 100, "iscrowd": 0,
     "bbox": [i % 30 * 30, i // 30 * 30, 10, 10]}
    for i in range(300)
]
truth = {"images": [{"id": 1, "width": 1000, "height": 1000, "file_name": "a.png"}],
         "categories": [{"id": 1, "name": "ship"}], "annotations": objects}
with open("truth.json", "w") as file:
    json.dump(truth, file)
perfect = [{"image_id": 1, "category_id": 1, "bbox": o["bbox"], "score": 0.9} for o in objects]


def seen(coco, evaluator, limits):
    with contextlib.redirect_stdout(io.StringIO()):
        given = coco("truth.json")
        run = evaluator(given, given.loadRes([dict(p) for p in perfect]), "bbox")
        if limits:
            run.params.maxDets = limits
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [round(float(value), 3) for value in run.stats[:3]]


found = {
    name: [seen(*both, limits) for limits in (None, [1, 100, 300], [1, 10, 300])]
    for name, both in (
        ("pycocotools", (COCO, COCOeval)),
        ("faster-coco-eval", (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster)),
    )
}
print("AP, AP50, AP75 for maxDets by default, [1, 100, 300], [1, 10, 300]")
print(found)
assert found == {
    "pycocotools": [[0.337, 0.337, 0.337], [0.337, 1.0, 1.0], [-1.0, 1.0, 1.0]],
    "faster-coco-eval": [[0.337, 0.337, 0.337], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]],
}, "this has changed"
PY
"$folder/venv/bin/python" seen.py
