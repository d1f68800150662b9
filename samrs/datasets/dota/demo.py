"""Procedural scenes as DOTA-v2.0: PNG images, rotated and horizontal boxes as text.

::

    <split>/images/P0000.png
    <split>/labelTxt/P0000.txt          corners of the oriented box, class, difficult
    <split>/labelTxt-hbb/P0000.txt      the same objects, corners of the tight upright box

Like the real files these hold quirks: an image without objects, a ``gsd:null``, a file whose
lines lack ``difficult``. Small objects are marked difficult.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samrs.core.geometry import Array, hbb_to_polygon
from samrs.core.images import encode_rgb
from samrs.scenes.held_out import HeldOut
from samrs.scenes.scene import SceneObject
from samrs.scenes.series import View, render_series

BLOCK = 0
SIZE_HW = (1000, 1200)
DIFFICULT_PX = 9
CLASSES = {
    "plane": "plane",
    "helicopter": "helicopter",
    "ship": "ship",
    "small_vehicle": "small-vehicle",
    "large_vehicle": "large-vehicle",
    "storage_tank": "storage-tank",
    "tennis_court": "tennis-court",
    "basketball_court": "basketball-court",
    "baseball_diamond": "baseball-diamond",
    "soccer_field": "soccer-ball-field",
    "track_field": "ground-track-field",
    "harbor": "harbor",
    "bridge": "bridge",
    "swimming_pool": "swimming-pool",
    "roundabout": "roundabout",
}
VIEWS = (
    View("airport", 0.35, ("plane", "large_vehicle")),
    View("port", 0.5, ("ship", "storage_tank")),
    View("residential", 0.2, ("swimming_pool", "small_vehicle")),
    View("tank_farm", 0.5, ("storage_tank",)),
    View("sports", 0.4, ("tennis_court", "basketball_court", "baseball_diamond", "track_field")),
    View("countryside", 0.4, empty=True),
    View("river", 0.4, ("bridge", "ship")),
    View("marina", 0.3, ("harbor", "ship")),
    View("parking_lot", 0.2, ("small_vehicle",)),
    View("city", 0.3, ("roundabout",), density=0.7),
    View("collage", 0.4, ("plane", "helicopter")),
)


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` scenes below ``root``, a quarter of them as val (``HeldOut``)."""
    held_out = HeldOut(every=4)
    for number, scene in render_series(
        "dota", VIEWS, kinds=tuple(CLASSES), size_hw=SIZE_HW, block=BLOCK, seed=seed, scenes=scenes
    ):
        val = held_out.takes(CLASSES[item.kind] for item in scene.objects)
        folder = root / ("val" if val else "train")
        for name in ("images", "labelTxt", "labelTxt-hbb"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        stem = f"P{number:04d}"
        (folder / "images" / f"{stem}.png").write_bytes(encode_rgb(scene.image))
        gsd = "null" if number % 8 == 2 else f"{scene.gsd:.12g}"
        header = ["imagesource:GoogleEarth", f"gsd:{gsd}"]
        says_difficult = number % 8 != 4
        for name, boxes in (
            ("labelTxt", [o.obb for o in scene.objects]),
            ("labelTxt-hbb", [hbb_to_polygon(o.box) for o in scene.objects]),
        ):
            lines = [
                _line(box, item, says_difficult)
                for box, item in zip(boxes, scene.objects, strict=True)
            ]
            text = "".join(f"{line}\n" for line in [*header, *lines])
            (folder / name / f"{stem}.txt").write_text(text if lines else "", encoding="utf-8")


def _line(corners: Array, item: SceneObject, says_difficult: bool) -> str:
    """One annotation; corners (4, 2) xy px, written to a tenth of a px."""
    x0, y0, x1, y1 = item.box
    fields = [f"{v:.1f}" for v in np.ravel(corners)] + [CLASSES[item.kind]]
    if says_difficult:
        fields.append(str(int(min(x1 - x0, y1 - y0) < DIFFICULT_PX)))
    return " ".join(fields)
