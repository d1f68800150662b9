"""A million boxes on one image: hostile or not, they fit into a gibibyte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.by_hand import write_image, write_text

SIDE, COUNT = 1000, 1_000_000
MOST_MIB = 1024
NORMALIZE = """
import resource, sys
from pathlib import Path
from samrs.normalize.normalize import normalize
metrics = normalize(
    sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), tile=None, overlap=0, min_visible=0.7,
    clip=True, pad=False, keep_difficult=True, stretch=2.0, max_quarantined=0.0, workers=2,
)
print(metrics["instances"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
@pytest.mark.parametrize("dataset", ["dota", "yolo", "coco", "voc"])
def test_a_million_boxes_on_an_image_take_at_most_a_gibibyte(dataset: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    corners = rng.integers(0, SIDE - 40, (COUNT, 2))
    ends = corners + rng.integers(4, 40, (COUNT, 2))
    boxes = np.hstack([corners, ends]).tolist()
    root = tmp_path / "in"
    write_image(root / "images/a.png", np.zeros((SIDE, SIDE, 3), np.uint8))
    if dataset == "dota":
        lines = (f"{x0} {y0} {x1} {y0} {x1} {y1} {x0} {y1} ship 0\n" for x0, y0, x1, y1 in boxes)
        write_text(root / "labelTxt/a.txt", "".join(lines))
    elif dataset == "coco":
        sizes = (ends - corners).tolist()
        entries = (
            {"id": i, "image_id": 1, "category_id": 1, "bbox": [x0, y0, *sizes[i]]}
            for i, (x0, y0, *_) in enumerate(boxes)
        )
        document = {
            "categories": [{"id": 1, "name": "ship"}],
            "images": [{"id": 1, "file_name": "a.png", "width": SIDE, "height": SIDE}],
            "annotations": list(entries),
        }
        write_text(root / "annotations.json", json.dumps(document))
    elif dataset == "voc":
        objects = (
            f"<object><name>ship</name><difficult>0</difficult><bndbox><xmin>{x0 + 1}</xmin>"
            f"<ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>\n"
            for x0, y0, x1, y1 in boxes
        )
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height></size>"
        xml = f"<annotation>{size}{''.join(objects)}</annotation>"
        write_text(root / "Annotations/a.xml", xml)
    else:
        shares = np.hstack([(corners + ends) / 2, ends - corners]) / SIDE
        lines = (f"0 {x:.4f} {y:.4f} {w:.4f} {h:.4f}\n" for x, y, w, h in shares.tolist())
        write_text(root / "labels/a.txt", "".join(lines))
        write_text(root / "data.yaml", "names: [ship]\n")
    script = tmp_path / "run.py"
    script.write_text(NORMALIZE)
    # by a small process: a child's peak begins with what its parent held
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@"', "sh", sys.executable, script, dataset, root, tmp_path / "out"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    instances, mib = map(int, done.stdout.split())
    assert instances == COUNT
    assert mib < MOST_MIB
