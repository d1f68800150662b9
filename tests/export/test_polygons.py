"""Polygons of masks: valid by OGC's rules, as large as the mask, and the mask when filled."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samrs.core.rle import mask_to_rle
from samrs.core.runs import rle_runs
from samrs.export.polygons import Polygons, mask_polygons
from samrs.release.cleaning import Columns

shapely = pytest.importorskip("shapely")
features = pytest.importorskip("rasterio.features")
Mask = NDArray[np.bool_]


def polygons_of(masks: list[Mask]) -> Polygons:
    runs = rle_runs([mask_to_rle(mask) for mask in masks])
    return mask_polygons(Columns.of(runs, np.array([len(mask) for mask in masks])))


def shapes(found: Polygons) -> list[object]:
    kind = shapely.GeometryType.MULTIPOLYGON
    offsets = (found.rings, found.polygons, found.masks)
    return list(shapely.from_ragged_array(kind, found.xy, offsets))


def check(masks: list[Mask]) -> None:
    found = shapes(polygons_of(masks))
    assert len(found) == len(masks)
    for shape, mask in zip(found, masks, strict=True):
        assert shapely.is_valid(shape), shapely.is_valid_reason(shape)
        assert shape.area == mask.sum()
        if mask.any():
            painted = features.rasterize([shape], mask.shape).astype(bool)
            assert (painted == mask).all()
        for part in shape.geoms:
            assert not shapely.is_ccw(part.exterior)  # y runs down
            assert all(shapely.is_ccw(ring) for ring in part.interiors)


def drawn(text: str) -> Mask:
    return np.array([[c == "#" for c in line] for line in text.split()])


HARD = {
    "pixel": "#",
    "hole": "### #.# ###",
    "diagonal": "#. .#",
    "other diagonal": ".# #.",
    "closed by a corner": "### #.# ##. ..#",
    "hole touching the outside": "####. #.#.# ##.## #####",
    "two holes at a corner": "##### #.### ##.## ##### #####",
    "island": "##### #...# #.#.# #...# #####",
    "island at a corner": "##### #...# #.#.# #..## #####",
    "checkers": "#.#.# .#.#. #.#.#",
}


@pytest.mark.parametrize("text", HARD.values(), ids=HARD)
def test_polygons_of_hard_masks_are_valid_and_the_mask(text: str) -> None:
    check([drawn(text)])


def test_parts_and_holes_are_told_apart() -> None:
    (shape,) = shapes(polygons_of([drawn(HARD["island"])]))
    assert [len(part.interiors) for part in shape.geoms] == [1, 0]
    (shape,) = shapes(polygons_of([drawn(HARD["checkers"])]))
    assert len(shape.geoms) == 8


def test_on_the_screen_outer_rings_run_counterclockwise() -> None:
    found = polygons_of([np.ones((2, 3), dtype=bool)])
    assert found.xy.tolist() == [[0, 0], [0, 2], [3, 2], [3, 0], [0, 0]]


def test_masks_without_px_have_no_polygon() -> None:
    masks = [
        np.zeros((3, 3), dtype=bool),
        np.ones((3, 3), dtype=bool),
        np.zeros((3, 3), dtype=bool),
    ]
    assert polygons_of(masks).masks.tolist() == [0, 0, 1, 1]
    assert polygons_of(masks[:1]).masks.tolist() == [0, 0]


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 14), st.integers(1, 14))
def test_polygons_of_any_masks_are_valid_and_the_mask(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    check([rng.random((height, width)) < share for share in (0.3, 0.5, 0.6, 0.8)])
