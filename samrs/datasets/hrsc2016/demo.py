"""Procedural scenes as HRSC2016's test part: BMP images, XML with rotated boxes, true masks.

::

    Test/AllImages/100000001.bmp
    Test/Annotations/100000001.xml
    Test/Segmentations/100000001.png    one colour a ship, black elsewhere

As in the real dataset some images have no segmentation: every eighth here.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samrs.core.images import encode_rgb
from samrs.scenes import exact
from samrs.scenes.rasters import Colour, instance_colour, paint_masks
from samrs.scenes.scene import Scene, SceneObject
from samrs.scenes.series import View, render_series

BLOCK = 3
SIZE_HW = (600, 800)
FIRST_ID = 100_000_001
SHIP_CLASS = 100_000_001
DIFFICULT_PX = 9
KINDS = ("ship", "harbor")
"""Harbors are painted, as ships lie there, but not annotated: HRSC2016 knows ships only."""
VIEWS = (
    View("port", 0.6, ("ship",)),
    View("open_sea", 0.6, ("ship",), density=1.5),
    View("marina", 0.12, ("ship",), density=0.4),
    View("port", 0.9, ("ship",)),
    View("open_sea", 0.9, ("ship",), density=2.0),
    View("port", 0.4, ("ship",)),
    View("marina", 0.18, ("ship",), density=0.3),
    View("open_sea", 0.4, ("ship",)),
)

_IMAGE = """\
<HRSC_Image>
  <Img_ID>{id}</Img_ID>
  <Place_ID>100000001</Place_ID>
  <Source_ID>100000001</Source_ID>
  <Img_NO>{id}</Img_NO>
  <Img_FileName>{id}</Img_FileName>
  <Img_FileFmt>bmp</Img_FileFmt>
  <Img_Date>1900-01-01</Img_Date>
  <Img_CusType>sealand</Img_CusType>
  <Img_Des>
  </Img_Des>
  <Img_Location>0.0,0.0</Img_Location>
  <Img_SizeWidth>{width}</Img_SizeWidth>
  <Img_SizeHeight>{height}</Img_SizeHeight>
  <Img_SizeDepth>3</Img_SizeDepth>
  <Img_Resolution>{gsd}</Img_Resolution>
  <Img_Resolution_Layer>18</Img_Resolution_Layer>
  <Img_Scale>100</Img_Scale>
  <Img_SclPxlNum>
  </Img_SclPxlNum>
  <segmented>{masked}</segmented>
  <Img_Havemask>{masked}</Img_Havemask>
  <Img_MaskFileName>
  </Img_MaskFileName>
  <Img_MaskFileFmt>
  </Img_MaskFileFmt>
  <Img_MaskType>
  </Img_MaskType>
  <Img_SegFileName>{seg_name}</Img_SegFileName>
  <Img_SegFileFmt>{seg_format}</Img_SegFileFmt>
  <Img_Rotation>000d</Img_Rotation>
  <Annotated>1</Annotated>
  <HRSC_Objects>
{objects}  </HRSC_Objects>
</HRSC_Image>
"""
_OBJECT = """\
    <HRSC_Object>
      <Object_ID>{id}</Object_ID>
      <Class_ID>{ship}</Class_ID>
      <Object_NO>{id}</Object_NO>
      <truncated>{truncated}</truncated>
      <difficult>{difficult}</difficult>
      <box_xmin>{box[0]}</box_xmin>
      <box_ymin>{box[1]}</box_ymin>
      <box_xmax>{box[2]}</box_xmax>
      <box_ymax>{box[3]}</box_ymax>
      <mbox_cx>{rotated[0]:.4f}</mbox_cx>
      <mbox_cy>{rotated[1]:.4f}</mbox_cy>
      <mbox_w>{rotated[2]:.4f}</mbox_w>
      <mbox_h>{rotated[3]:.4f}</mbox_h>
      <mbox_ang>{rotated[4]:.6f}</mbox_ang>
      <segmented>{masked}</segmented>
      <seg_color>{colour}</seg_color>
      <header_x>{header[0]:.0f}</header_x>
      <header_y>{header[1]:.0f}</header_y>
    </HRSC_Object>
"""


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` test scenes below ``root``; every eighth has no segmentation."""
    ids = count(FIRST_ID)
    for name in ("AllImages", "Annotations", "Segmentations"):
        (root / "Test" / name).mkdir(parents=True, exist_ok=True)
    for number, scene in render_series(
        "hrsc2016", VIEWS, kinds=KINDS, size_hw=SIZE_HW, block=BLOCK, seed=seed, scenes=scenes
    ):
        name = str(FIRST_ID + number)
        masked = number % 8 != 7
        ships = [item for item in scene.objects if item.kind == "ship"]
        image = encode_rgb(scene.image, ".bmp")
        (root / "Test" / "AllImages" / f"{name}.bmp").write_bytes(image)
        if masked:
            colours = map(instance_colour, range(len(ships)))
            path = root / "Test" / "Segmentations" / f"{name}.png"
            path.write_bytes(encode_rgb(paint_masks(ships, colours, SIZE_HW)))
        objects = "".join(
            _object(item, next(ids), instance_colour(i) if masked else None)
            for i, item in enumerate(ships)
        )
        text = _image(name, scene, masked, objects)
        (root / "Test" / "Annotations" / f"{name}.xml").write_text(text, encoding="utf-8")


def _image(name: str, scene: Scene, masked: bool, objects: str) -> str:
    height, width = SIZE_HW
    return _IMAGE.format(
        id=name,
        width=width,
        height=height,
        gsd=round(scene.gsd, 4),
        masked=int(masked),
        seg_name=name if masked else "\n  ",
        seg_format="png" if masked else "\n  ",
        objects=objects,
    )


def _object(item: SceneObject, number: int, colour: Colour | None) -> str:
    x0, y0, x1, y1 = item.box
    height, width = SIZE_HW
    return _OBJECT.format(
        id=number,
        ship=SHIP_CLASS,
        truncated=int(x0 == 0 or y0 == 0 or x1 == width or y1 == height),
        difficult=int(min(x1 - x0, y1 - y0) < DIFFICULT_PX),
        box=item.box,
        rotated=rotated_box(item.obb),
        masked=int(colour is not None),
        colour="\n      " if colour is None else ",".join(map(str, colour)),
        header=(item.obb[0] + item.obb[1]) / 2,
    )


def rotated_box(obb: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """Centre x, y, long side, short side, angle of a rotated box (4, 2) xy, as HRSC2016 has it.

    The angle is that of the long side in radians, in [-pi/2, pi/2), positive clockwise on screen.
    """
    cx, cy = obb.mean(axis=0)
    ahead, across = obb[1] - obb[2], obb[1] - obb[0]
    long, short = exact.length(ahead), exact.length(across)
    axis = ahead
    if short > long:
        long, short, axis = short, long, across
    angle = (exact.direction(axis) + np.pi / 2) % np.pi - np.pi / 2
    return float(cx), float(cy), long, short, angle
