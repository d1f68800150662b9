"""Scenes by hand, of which everything is known, in place of rendered ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from samrs.core import axis
from samrs.core.geometry import rotated_box_to_polygon
from samrs.core.records import Quarantine, SceneRecord
from samrs.scenes.scene import LAND_COVERS, Scene, SceneObject

SIZE_HW = (120, 160)
Install = Callable[[ModuleType, list[Scene]], None]


def box_object(
    kind: str, box: tuple[int, int, int, int], length_m: float = 20.0, width_m: float = 10.0
) -> SceneObject:
    """An object whose mask is its box but for the top-left pixel, heading right."""
    x0, y0, x1, y1 = box
    mask = np.ones((y1 - y0, x1 - x0), bool)
    mask[0, 0] = False
    obb = np.array([[x1, y0], [x1, y1], [x0, y1], [x0, y0]], float)
    return SceneObject(kind, obb, box, mask, length_m, width_m)


def turned_object(kind: str, degrees: float) -> SceneObject:
    """A 40 x 16 px object about (80, 60), heading ``degrees`` clockwise on screen."""
    # Corners of a SceneObject start front-left; those of the function at the back-left.
    obb = np.roll(rotated_box_to_polygon(80, 60, 40, 16, np.deg2rad(degrees)), -1, axis=0)
    x0, y0 = np.floor(obb.min(axis=0)).astype(int)
    x1, y1 = np.ceil(obb.max(axis=0)).astype(int)
    mask = np.ones((y1 - y0, x1 - x0), bool)
    return SceneObject(kind, obb, (int(x0), int(y0), int(x1), int(y1)), mask, 40.0, 16.0)


def scene(*objects: SceneObject, size_hw: tuple[int, int] = SIZE_HW, gsd: float = 0.5) -> Scene:
    """A scene of noise with these objects; its land cover is stripes of every class."""
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), dtype=np.uint8)
    cover = np.zeros(size_hw, np.uint8)
    cover[:] = np.arange(size_hw[1]) * len(LAND_COVERS) // size_hw[1]
    return Scene(image, objects, cover, gsd)


def read(name: str, root: Path) -> list[SceneRecord]:
    """What the dataset's reader finds; nothing may be quarantined."""
    quarantine = Quarantine()
    scenes = list(axis.load("samrs.datasets", name, "read").read_scenes(root, quarantine))
    assert quarantine.rows == []
    return scenes


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Gives a writer scenes by hand in place of rendered ones, and their size as its own."""

    def give(writer: ModuleType, scenes: list[Scene]) -> None:
        def series(*args: object, **kwargs: object) -> Iterator[tuple[int, Scene]]:
            return enumerate(scenes)

        monkeypatch.setattr(writer, "render_series", series)
        height, width = scenes[0].image.shape[:2]
        if hasattr(writer, "SIZE_HW"):
            monkeypatch.setattr(writer, "SIZE_HW", (height, width))
        else:
            monkeypatch.setattr(writer, "SIDE", width)

    return give
