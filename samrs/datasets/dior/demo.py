"""Procedural scenes as DIOR and DIOR-R: 800 px JPEG images, VOC XML, rotated boxes as XML.

::

    JPEGImages-trainval/00001.jpg, JPEGImages-test/11726.jpg
    Annotations/Horizontal Bounding Boxes/00001.xml     VOC: 1-based, inclusive
    Annotations/Oriented Bounding Boxes/00001.xml       px whose centres are the corners
    Main/{train,val,test}.txt                           ids by split
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samrs.core.images import encode_rgb
from samrs.scenes.held_out import HeldOut
from samrs.scenes.scene import SceneObject
from samrs.scenes.series import View, render_series

BLOCK = 1
SIDE = 800
JPEG_QUALITY = 90
FIRST_TEST = 11726
"""Number of the real dataset's first test image."""
CLASSES = {
    "plane": "airplane",
    "ship": "ship",
    "small_vehicle": "vehicle",
    "large_vehicle": "vehicle",
    "storage_tank": "storagetank",
    "tennis_court": "tenniscourt",
    "basketball_court": "basketballcourt",
    "baseball_diamond": "baseballfield",
    "track_field": "groundtrackfield",
    "harbor": "harbor",
    "bridge": "bridge",
    "windmill": "windmill",
    "chimney": "chimney",
}
VIEWS = (
    View("airport", 0.5, ("plane",)),
    View("sports", 0.5, ("tennis_court", "baseball_diamond", "track_field")),
    View("tank_farm", 0.6, ("storage_tank", "chimney")),
    View("port", 0.6, ("ship",)),
    View("countryside", 0.5, ("windmill",)),
    View("river", 0.5, ("bridge",)),
    View("marina", 0.3, ("harbor", "ship")),
    View("collage", 0.5, ("plane", "windmill")),
    View("parking_lot", 0.3, ("small_vehicle",)),
    View("open_sea", 0.7, ("ship",)),
    View("city", 0.5, empty=True),
)

_HORIZONTAL = """\
	<object>
		<name>{name}</name>
		<pose>Unspecified</pose>
		<bndbox>
			<xmin>{xmin}</xmin>
			<ymin>{ymin}</ymin>
			<xmax>{xmax}</xmax>
			<ymax>{ymax}</ymax>
		</bndbox>
	</object>
"""
_ORIENTED = """\
    <object>
        <type>robndbox</type>
        <name>{name}</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>0</difficult>
        <robndbox>
            <x_left_top>{p[0]}</x_left_top>
            <y_left_top>{p[1]}</y_left_top>
            <x_right_top>{p[2]}</x_right_top>
            <y_right_top>{p[3]}</y_right_top>
            <x_right_bottom>{p[4]}</x_right_bottom>
            <y_right_bottom>{p[5]}</y_right_bottom>
            <x_left_bottom>{p[6]}</x_left_bottom>
            <y_left_bottom>{p[7]}</y_left_bottom>
        </robndbox>
        <angle>0</angle>
    </object>
"""
_IMAGE = """\
<annotation>
	<filename>{stem}.jpg</filename>
	<source>
		<database>DIOR</database>
	</source>
	<size>
		<width>{side}</width>
		<height>{side}</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
{objects}</annotation>
"""


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` scenes below ``root``: half held out (``HeldOut``), as test and as val by
    turns; the others train."""
    held_out = HeldOut(every=2)
    listed: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for _, scene in render_series(
        "dior", VIEWS, kinds=tuple(CLASSES), size_hw=(SIDE, SIDE), block=BLOCK, seed=seed,
        scenes=scenes,
    ):  # fmt: skip
        if held_out.takes(CLASSES[item.kind] for item in scene.objects):
            split = min("test", "val", key=lambda name: len(listed[name]))
        else:
            split = "train"
        if split == "test":
            stem = f"{FIRST_TEST + len(listed['test']):05d}"
        else:
            stem = f"{1 + len(listed['train']) + len(listed['val']):05d}"
        listed[split].append(stem)
        folder = "JPEGImages-test" if split == "test" else "JPEGImages-trainval"
        _write(root / folder / f"{stem}.jpg", encode_rgb(scene.image, ".jpg", JPEG_QUALITY))
        for kind, make in (("Horizontal", _horizontal), ("Oriented", _oriented)):
            objects = "".join(make(item) for item in scene.objects)
            text = _IMAGE.format(stem=stem, side=SIDE, objects=objects)
            _write(
                root / "Annotations" / f"{kind} Bounding Boxes" / f"{stem}.xml",
                text.encode(),
            )
    for split, stems in listed.items():
        _write(root / "Main" / f"{split}.txt", "".join(f"{s}\n" for s in stems).encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _horizontal(item: SceneObject) -> str:
    x0, y0, x1, y1 = item.box
    return _HORIZONTAL.format(name=CLASSES[item.kind], xmin=x0 + 1, ymin=y0 + 1, xmax=x1, ymax=y1)


def _oriented(item: SceneObject) -> str:
    px = np.round(item.obb + 0.5).astype(int).ravel()
    return _ORIENTED.format(name=CLASSES[item.kind], p=px.tolist())
