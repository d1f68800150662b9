from __future__ import annotations

import numpy as np

from tests.drawing.tiles import tile
from tools.docs.pictures import boxes_to_masks


def test_boxes_stand_left_and_masks_right_one_row_a_tile() -> None:
    picture = boxes_to_masks([tile((5, 5, 40, 20)), tile((0, 0, 9, 9))])
    assert picture.shape == (500 + 8 + 500, 600 + 8 + 600, 3)
    assert (picture[:500, 600:608] == 255).all()
    assert not np.array_equal(picture[:500, :600], picture[:500, 608:])
