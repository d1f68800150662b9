from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import MissingInputError
from samrs.drawing.overlay import (
    fit,
    load_tiles,
    with_boxes,
    with_masks,
)
from samrs.drawing.palette import bright, colour
from tests.drawing.tiles import tile
from tests.products_by_hand import Thing
from tests.report.releases import write_release


def test_mask_is_filled_with_the_palette_and_outlined_inside_itself():
    picture = with_masks(tile((20, 30, 60, 80)))
    filled = np.array([100, 100, 100]) * 0.55 + np.array(colour(0)) * 0.45
    np.testing.assert_allclose(picture[50, 40], filled, atol=1)
    assert tuple(picture[30, 40]) == bright(colour(0))
    assert tuple(picture[50, 20]) == bright(colour(0))
    assert (picture[25, 40] == 100).all()
    assert (picture[50, 60:] == 100).all()


def test_smaller_mask_is_drawn_on_top():
    picture = with_masks(tile((40, 40, 60, 60), (10, 10, 90, 90)))
    assert tuple(picture[40, 50]) == bright(colour(0))


def test_box_is_drawn_on_its_border_only():
    picture = with_boxes(tile((20, 30, 60, 80)))
    changed = (picture != 100).any(axis=2)
    assert changed[30, 40]
    assert changed[79, 40]
    assert not changed[40:70, 30:50].any()
    assert not changed[:25].any()


def test_drawing_leaves_the_tile_as_it_was():
    shown = tile((20, 30, 60, 80))
    with_masks(shown)
    with_boxes(shown)
    assert (shown.image == 100).all()


def test_fit_shrinks_but_never_enlarges():
    image = np.zeros((100, 400, 3), np.uint8)
    assert fit(image, 200).shape == (50, 200, 3)
    assert fit(image, 1000).shape == (100, 400, 3)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    things = [Thing("a__0_0", "ship", (5, 5, 40, 20)), Thing("b__0_0", "plane", (0, 0, 9, 9))]
    return write_release(tmp_path, "sota", ["a__0_0", "b__0_0"], things)


def test_tiles_come_in_the_order_they_were_named(release):
    tiles = load_tiles(release, ["b__0_0", "a__0_0"])
    assert [t.tile_id for t in tiles] == ["b__0_0", "a__0_0"]
    assert [[row["category"] for row in t.rows] for t in tiles] == [["plane"], ["ship"]]
    assert load_tiles(release, []) == []


def test_unknown_tile_is_named(release):
    with pytest.raises(MissingInputError, match="no such tile, got 'z__0_0'"):
        load_tiles(release, ["a__0_0", "z__0_0"])
