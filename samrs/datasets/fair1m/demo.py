"""Procedural scenes as FAIR1M-2.0: GeoTIFF images, XML with closed polygons and fine classes.

::

    train/images/1.tif          train/labelXml/1.xml
    validation/images/1.tif     validation/labelXml/1.xml       file names are used again

What the renderer knows of an object is its size in metres, so that chooses the fine class: the
longest planes are Boeing747, the slender ships warships.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path

from samrs.scenes.held_out import HeldOut
from samrs.scenes.rasters import write_geotiff
from samrs.scenes.scene import SceneObject
from samrs.scenes.series import View, render_series

BLOCK = 2
SIZE_HW = (900, 1000)
CLASSES = {
    "tennis_court": "Tennis Court",
    "basketball_court": "Basketball Court",
    "baseball_diamond": "Baseball Field",
    "soccer_field": "Football Field",
    "bridge": "Bridge",
    "roundabout": "Roundabout",
}
# Longest length in metres of each class, from the types' published lengths.
PLANES = {
    "other-airplane": 30.0,
    "ARJ21": 36.0,
    "A220": 38.8,
    "C919": 39.2,
    "Boeing737": 42.0,
    "A321": 52.0,
    "Boeing787": 63.0,
    "A330": 65.5,
    "A350": 71.0,
    "Boeing777": 75.0,
    "Boeing747": float("inf"),
}
SHIPS = {
    "Motorboat": 12.0,
    "Fishing Boat": 28.0,
    "Tugboat": 40.0,
    "Engineering Ship": 60.0,
    "Passenger Ship": 100.0,
    "Dry Cargo Ship": 180.0,
    "Liquid Cargo Ship": float("inf"),
}
SMALL_VEHICLES = {"Small Car": 4.8, "Van": float("inf")}
LARGE_VEHICLES = {
    "Dump Truck": 7.0,
    "Cargo Truck": 10.0,
    "Bus": 12.5,
    "Trailer": float("inf"),
}
BY_LENGTH = {
    "plane": PLANES,
    "ship": SHIPS,
    "small_vehicle": SMALL_VEHICLES,
    "large_vehicle": LARGE_VEHICLES,
}
WARSHIP_MIN_LENGTH_M = 60.0
WARSHIP_MIN_SLENDERNESS = 7.5
VIEWS = (
    View("airport", 0.4, ("plane",)),
    View("port", 0.5, ("ship",)),
    View("city", 0.3, ("roundabout", "large_vehicle"), density=0.7),
    View("parking_lot", 0.25, ("small_vehicle", "large_vehicle")),
    View("sports", 0.3, ("tennis_court", "soccer_field")),
    View("river", 0.4, ("bridge",)),
    View("open_sea", 0.6, ("ship",)),
    View("marina", 0.3, ("ship",)),
    View("collage", 0.4, ("plane", "ship")),
    View("residential", 0.3, empty=True),
)
CRS = "EPSG:32650"
WEST_NORTH_M = (440_000.0, 4_420_000.0)
"""Place of the first scene in UTM zone 50N (Beijing); the others lie in a row east of it."""

_IMAGE = """\
<?xml version="1.0" encoding="utf-8"?>
<annotation>
  <source>
    <filename>{name}.tif</filename>
    <origin>GF2/GF3</origin>
  </source>
  <research>
    <version>1.0</version>
    <provider>samrs demo</provider>
    <author>samrs</author>
    <pluginname>FAIR1M</pluginname>
    <pluginclass>object detection</pluginclass>
    <time>2021-03</time>
  </research>
  <objects>
{objects}  </objects>
</annotation>
"""
_OBJECT = """\
    <object>
      <coordinate>pixel</coordinate>
      <type>rectangle</type>
      <description>None</description>
      <possibleresult>
        <name>{name}</name>
      </possibleresult>
      <points>
{points}      </points>
    </object>
"""


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` scenes below ``root``, a quarter of them as validation (``HeldOut``)."""
    held_out = HeldOut(every=4)
    kinds = (*BY_LENGTH, *CLASSES)
    counts = {"train": 0, "validation": 0}
    for number, scene in render_series(
        "fair1m", VIEWS, kinds=kinds, size_hw=SIZE_HW, block=BLOCK, seed=seed, scenes=scenes
    ):
        split = "validation" if held_out.takes(map(fine_class, scene.objects)) else "train"
        counts[split] += 1
        name = str(counts[split])
        for folder in ("images", "labelXml"):
            (root / split / folder).mkdir(parents=True, exist_ok=True)
        write_geotiff(
            root / split / "images" / f"{name}.tif",
            scene.image,
            crs=CRS,
            west_north=(WEST_NORTH_M[0] + 1000.0 * number, WEST_NORTH_M[1]),
            gsd=scene.gsd,
        )
        objects = "".join(_object(item) for item in scene.objects)
        text = _IMAGE.format(name=name, objects=objects)
        (root / split / "labelXml" / f"{name}.xml").write_text(text, encoding="utf-8")


def _object(item: SceneObject) -> str:
    corners = [*item.obb.tolist(), item.obb[0].tolist()]
    points = "".join(f"        <point>{x:.6f},{y:.6f}</point>\n" for x, y in corners)
    return _OBJECT.format(name=fine_class(item), points=points)


def fine_class(item: SceneObject) -> str:
    """FAIR1M's name for an object, by kind and size.

    Args:
        item: a drawn object.
    """
    if item.kind in CLASSES:
        return CLASSES[item.kind]
    slender = item.length_m > WARSHIP_MIN_SLENDERNESS * item.width_m
    if item.kind == "ship" and slender and item.length_m > WARSHIP_MIN_LENGTH_M:
        return "Warship"
    lengths = BY_LENGTH[item.kind]
    return list(lengths)[bisect_left(list(lengths.values()), item.length_m)]
