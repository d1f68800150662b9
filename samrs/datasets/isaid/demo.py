"""Procedural scenes as iSAID: PNG images, one PNG of instance colours and one of class colours.

::

    <split>/images/P0000.png
    <split>/Instance_masks/images/P0000_instance_id_RGB.png
    <split>/Semantic_masks/images/P0000_instance_color_RGB.png
"""

from __future__ import annotations

from pathlib import Path

from samrs.core.images import encode_rgb
from samrs.scenes.held_out import HeldOut
from samrs.scenes.rasters import instance_colour, paint_masks
from samrs.scenes.series import View, render_series

BLOCK = 5
SIZE_HW = (900, 900)
COLOURS = {
    "ship": (0, 0, 63),
    "storage_tank": (0, 63, 63),
    "baseball_diamond": (0, 63, 0),
    "tennis_court": (0, 63, 127),
    "basketball_court": (0, 63, 191),
    "track_field": (0, 63, 255),
    "bridge": (0, 127, 63),
    "large_vehicle": (0, 127, 127),
    "small_vehicle": (0, 0, 127),
    "helicopter": (0, 0, 191),
    "swimming_pool": (0, 0, 255),
    "roundabout": (0, 191, 127),
    "soccer_field": (0, 127, 191),
    "plane": (0, 127, 255),
    "harbor": (0, 100, 155),
}
"""iSAID's class colour of each kind."""
VIEWS = (
    View("airport", 0.35, ("plane", "large_vehicle")),
    View("sports", 0.4, ("tennis_court", "basketball_court", "baseball_diamond")),
    View("port", 0.5, ("ship", "storage_tank")),
    View("sports", 0.4, ("tennis_court", "basketball_court", "baseball_diamond")),
    View("residential", 0.2, ("swimming_pool", "small_vehicle")),
    View("tank_farm", 0.5, ("storage_tank", "large_vehicle")),
    View("collage", 0.4, ("plane", "ship")),
    View("airport", 0.4, ("plane", "helicopter")),
    View("marina", 0.3, ("harbor", "ship")),
    View("city", 0.3, ("roundabout",), density=0.7),
    View("parking_lot", 0.2, ("small_vehicle",)),
    View("port", 0.5, ("ship", "storage_tank")),
    View("river", 0.4, ("bridge",)),
)


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` scenes below ``root``, a quarter of them as val (``HeldOut``)."""
    held_out = HeldOut(every=4)
    for number, scene in render_series(
        "isaid", VIEWS, kinds=tuple(COLOURS), size_hw=SIZE_HW, block=BLOCK, seed=seed, scenes=scenes
    ):
        val = held_out.takes(item.kind for item in scene.objects)
        folder = root / ("val" if val else "train")
        items = scene.objects
        ids = paint_masks(items, map(instance_colour, range(len(items))), SIZE_HW)
        classes = paint_masks(items, [COLOURS[item.kind] for item in items], SIZE_HW)
        stem = f"P{number:04d}"
        for name, image in (
            (f"images/{stem}.png", scene.image),
            (f"Instance_masks/images/{stem}_instance_id_RGB.png", ids),
            (f"Semantic_masks/images/{stem}_instance_color_RGB.png", classes),
        ):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_rgb(image))
