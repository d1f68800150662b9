from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from samrs.core.errors import MissingInputError, ParameterError
from samrs.core.images import decode_rgb
from samrs.core.rle import hbb_to_rle
from samrs.drawing.overlay import (
    Tile,
    boxes_to_masks_picture,
    fit,
    instance_crop,
    load_tiles,
    with_boxes,
    with_masks,
)
from samrs.drawing.palette import bright, colour
from tests.products_by_hand import Thing
from tests.report.releases import write_release

SIZE = (100, 120)


def tile(*boxes: tuple[int, int, int, int]) -> Tile:
    rows = [
        {
            "instance_id": f"i{k}",
            "category_id": k,
            "hbb": [float(v) for v in box],
            "area": (box[2] - box[0]) * (box[3] - box[1]),
            "rle": hbb_to_rle(box, SIZE),
        }
        for k, box in enumerate(boxes)
    ]
    return Tile("t", np.full((*SIZE, 3), 100, np.uint8), rows)


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
    instance_crop(shown, shown.rows[0], 64)
    assert (shown.image == 100).all()


def test_crop_is_centred_on_the_box_and_black_beyond_the_tile():
    shown = tile((0, 0, 20, 20))
    crop = instance_crop(shown, shown.rows[0], 80)
    assert crop.shape == (80, 80, 3)
    assert (crop[:15] == 0).all()
    assert (crop[70, 70] == 100).all()
    filled = np.array([100, 100, 100]) * 0.55 + np.array(colour(0)) * 0.45
    np.testing.assert_allclose(crop[40, 40], filled, atol=1)


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


def test_picture_has_boxes_left_and_masks_right_one_row_a_tile(release, tmp_path):
    path = tmp_path / "pictures" / "boxes.png"
    boxes_to_masks_picture(release, ["a__0_0", "b__0_0"], path)
    picture = decode_rgb(path.read_bytes(), "picture")
    assert picture.shape == (600 + 8 + 600, 600 + 8 + 600, 3)
    assert (picture[:600, 600:608] == 255).all()
    assert not np.array_equal(picture[:600, :600], picture[:600, 608:])


def test_picture_of_no_tile_is_refused(release, tmp_path):
    with pytest.raises(ParameterError, match="no tile to draw"):
        boxes_to_masks_picture(release, [], tmp_path / "x.jpg")
