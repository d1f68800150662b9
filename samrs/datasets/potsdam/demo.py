"""Procedural scenes as ISPRS Potsdam: RGB tiles and label tiles in colours, both TIFF.

::

    2_Ortho_RGB/top_potsdam_2_10_RGB.tif
    5_Labels_all/top_potsdam_2_10_label.tif

Tiles bear official numbers, so that the official train and test parts hold here, too. A demo tile
is 1000 px a side where a real one is 6000.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samrs.core.errors import ParameterError
from samrs.scenes.held_out import HeldOut
from samrs.scenes.rasters import write_geotiff
from samrs.scenes.scene import LAND_COVERS
from samrs.scenes.series import View, render_series

BLOCK = 4
SIDE = 1000
KINDS = ("small_vehicle", "large_vehicle", "building", "tree")
TRAIN = (
    "2_10", "2_11", "2_12", "3_10", "3_11", "3_12", "4_10", "4_11", "4_12", "5_10", "5_11", "5_12",
    "6_10", "6_11", "6_12", "6_7", "6_8", "6_9", "7_10", "7_11", "7_12", "7_7", "7_8", "7_9",
)  # fmt: skip
TEST = (
    "2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15", "5_13", "5_14", "5_15", "6_13", "6_14",
    "6_15", "7_13",
)  # fmt: skip
VIEWS = (
    View("residential", 0.1, KINDS),
    View("city", 0.1, KINDS),
    View("residential", 0.1, KINDS),
    View("street", 0.1, KINDS),
    View("city", 0.1, KINDS),
    View("city", 0.1, KINDS),
)
CLUTTER = (255, 0, 0)
COLOURS = {
    "impervious": (255, 255, 255),
    "building": (0, 0, 255),
    "low_vegetation": (0, 255, 255),
    "tree": (0, 255, 0),
    "car": (255, 255, 0),
    "clutter": CLUTTER,
    "water": CLUTTER,
}
CRS = "EPSG:32633"
WEST_NORTH_M = (366_000.0, 5_809_000.0)
"""Near Potsdam in UTM zone 33N; a tile's row and column number move it from there."""


def write(root: Path, *, scenes: int, seed: int) -> None:
    """Write ``scenes`` tiles below ``root``, a third with the number of a test tile (``HeldOut``).

    Raises:
        ParameterError: there are not that many official tile numbers.
    """
    _check(scenes)
    held_out, train, test = HeldOut(every=3), iter(TRAIN), iter(TEST)
    palette = np.array([COLOURS[name] for name in LAND_COVERS], np.uint8)
    for folder in ("2_Ortho_RGB", "5_Labels_all"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for _, scene in render_series(
        "potsdam", VIEWS, kinds=KINDS, size_hw=(SIDE, SIDE), block=BLOCK, seed=seed, scenes=scenes
    ):
        covers = [LAND_COVERS[value] for value in np.unique(scene.land_cover)]
        tested = held_out.takes(name for name in covers if COLOURS[name] != CLUTTER)
        name = next(test) if tested else next(train, None) or next(test)
        row, column = map(int, name.split("_"))
        corner = WEST_NORTH_M[0] + 300.0 * column, WEST_NORTH_M[1] - 300.0 * row
        for path, image in (
            (f"2_Ortho_RGB/top_potsdam_{name}_RGB.tif", scene.image),
            (f"5_Labels_all/top_potsdam_{name}_label.tif", palette[scene.land_cover]),
        ):
            write_geotiff(root / path, image, crs=CRS, west_north=corner, gsd=scene.gsd)


def _check(scenes: int) -> None:
    most = len(TRAIN) + len(TRAIN) // 2
    if scenes > most:
        raise ParameterError(
            f"download: too many Potsdam tiles, got scenes {scenes}; at most {most} are allowed, "
            "as the official tile numbers end; lower download.potsdam.scenes in params.yaml"
        )
