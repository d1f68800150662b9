"""Masks and ids through the labelling tools' own libraries and back.

    uv pip install datumaro labelme label-studio-sdk fiftyone    # in an environment of their own
    python -m benchmarks.labelling_tools --python OTHER/bin/python

Writes a release whose masks are hard to carry (holes, parts, single px, noise), exports it for each
tool, lets the tool's library read and write it in the other environment, and imports what it wrote.
Prints a JSON line of what came back; exits with 1 where a mask that nobody touched is a correction.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from samrs.exchange.exchange import export, take_back
from tests.export.releases import write_release

DATUMARO = """
import sys, datumaro
name, source, out = sys.argv[1:]
datumaro.Dataset.import_from(source, name).export(out, name, save_media=False)
"""

FIFTYONE = """
import sys
import fiftyone.utils.coco as coco
_, source, out = sys.argv[1:]
reader = coco.COCODetectionDatasetImporter(
    data_path=source + "/images", labels_path=source + "/annotations.json",
    label_types="segmentations", extra_attrs=True, include_id=False)
writer = coco.COCODetectionDatasetExporter(
    labels_path=out + "/labels.json", export_media=False, classes=None, extra_attrs=True)
with reader, writer:
    for path, metadata, found in reader:
        writer.export_sample(path, found, metadata=metadata)
"""

LABELME = """
import base64, io, json, sys
from pathlib import Path
import numpy as np
from labelme._label_file import LabelFile
from PIL import Image
_, source, out = sys.argv[1:]
Path(out).mkdir()
for file in sorted(Path(source).glob("*.json")):
    shapes = [dict(shape) for shape in LabelFile(str(file)).shapes]
    for shape in shapes:
        shape.update(shape.pop("other_data", None) or {})
        png = io.BytesIO()
        Image.fromarray(np.asarray(shape["mask"]).astype(np.uint8)).save(png, "PNG")
        shape["mask"] = base64.b64encode(png.getvalue()).decode()
    of = json.loads(file.read_text())
    size = of["imageHeight"], of["imageWidth"]
    LabelFile().save(str(Path(out, file.name)), shapes, of["imagePath"], *size)
"""

LABEL_STUDIO = """
import json, sys
from pathlib import Path
from label_studio_sdk.converter.brush import decode_rle, mask2rle
_, source, out = sys.argv[1:]
Path(out).mkdir()
tasks = json.loads(Path(source, "tasks.json").read_text())
for task in tasks:
    for region in task["annotations"][0]["result"]:
        shape = region["original_height"], region["original_width"], 4
        region["value"]["rle"] = mask2rle(decode_rle(region["value"]["rle"]).reshape(shape)[..., 3])
Path(out, "tasks.json").write_text(json.dumps(tasks))
"""

ROADS = {
    "coco by Datumaro": ("coco", DATUMARO, "coco_instances"),
    "coco by FiftyOne": ("coco", FIFTYONE, ""),
    "cvat by Datumaro": ("cvat", DATUMARO, "cvat"),
    "labelme": ("labelme", LABELME, ""),
    "label_studio": ("label_studio", LABEL_STUDIO, ""),
}
"""Format, what runs in the other environment, and what the library calls the format."""


def through(road: str, release: Path, work: Path, python: str) -> dict[str, int]:
    """What comes back through a tool's library.

    Args:
        road: one of ROADS.
        release: whose masks go out.
        work: an empty folder.
        python: the interpreter that has the libraries.
    """
    out, back = work / "out", work / "back"
    tool, code, name = ROADS[road]
    export(tool, release, out)
    if name == "coco_instances":  # where Datumaro looks
        (out / "annotations").mkdir()
        (out / "annotations.json").rename(out / "annotations" / "instances_all.json")
        (out / "images").rename(out / "all")
        (out / "images").mkdir()
        (out / "all").rename(out / "images" / "all")
    subprocess.run([python, "-c", code, name, str(out), str(back)], check=True)
    return take_back(tool, release, back, work / "said")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    given = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        release = write_release(Path(place) / "sota", quality=True)
        for road in ROADS:
            work = Path(place, road)
            work.mkdir()
            found[road] = through(road, release, work, given.python)
    print(json.dumps(found))
    sys.exit(any(f["untouched"] != 9 for f in found.values()))


if __name__ == "__main__":
    main()
