"""samgeo's SamGeo (segment-geospatial), a picture set once: (N, h, w).

It takes many boxes in coordinates of a map alone, and asks for all three masks of each then.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from samgeo import SamGeo

from benchmarks.peers.parts import parts

PACKAGES = ("segment-geospatial", "segment-anything")
CRS = "EPSG:32633"
NORTH = 1024


def load(weights: Path, precision: str) -> Callable[[Path, NDArray[np.float64]], NDArray[np.bool_]]:
    """The model; each picture is written as a map first, a metre a px, before time is taken."""
    assert not precision
    for path in weights.parent.glob("[0-9]*.png"):
        _write_map(path)
    sam: Any = SamGeo(model_type="vit_b", automatic=False, device="cpu", checkpoint=str(weights))

    def label(path: Path, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        sam.set_image(str(path.with_suffix(".tif")))
        found = []
        for some in parts(boxes):
            if len(some) == 1:
                answer, _, _ = sam.predict(
                    boxes=some.tolist(), multimask_output=False, return_results=True
                )
                found.append(answer[:1])
                continue
            x0, y0, x1, y1 = some.T
            on_map = np.stack([x0, NORTH - y1, x1, NORTH - y0], 1).tolist()
            answer, _, _ = sam.predict(boxes=on_map, point_crs=CRS, return_results=True)
            found.append(answer[:, 0].numpy())
        return np.concatenate(found)

    return label


def _write_map(path: Path) -> None:
    picture = cv2.imread(str(path))
    assert picture is not None
    height, width = picture.shape[:2]
    with rasterio.open(
        path.with_suffix(".tif"), "w", driver="GTiff", width=width, height=height, count=3,
        dtype="uint8", crs=CRS, transform=from_origin(0, NORTH, 1, 1),
    ) as file:  # fmt: skip
        file.write(picture[..., ::-1].transpose(2, 0, 1))


def masks(found: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """None: those of many boxes are the first of three."""
    return []
