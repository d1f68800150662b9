"""Instances cut out: which part of the tile, how drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from samrs.core.images import decode_rgb
from samrs.core.rle import hbb_to_rle
from samrs.core.shards import read_table
from samrs.drawing.crops import PREDICTED, TRUE, draw_crop, load_crops, square, window
from tests.ablation.frames import measured as ablation
from tests.label.hand_made import write_product


@pytest.mark.parametrize(
    ("hbb", "expected"),
    [
        ((40, 40, 60, 50), (34, 29, 32, 32)),
        ((0, 0, 20, 10), (0, 0, 32, 32)),
        ((140, 110, 160, 120), (128, 88, 32, 32)),
        ((0, 0, 160, 120), (0, 0, 160, 120)),
    ],
)
def test_the_window_is_a_square_inside_the_tile(
    hbb: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert window(hbb, hbb_to_rle(hbb, (120, 160))) == expected


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    product = write_product(tmp_path_factory.mktemp("side") / "hand")
    return product, ablation(product)


def test_crops_hold_the_part_of_the_tile_around_the_instance(
    measured: tuple[Path, pd.DataFrame],
) -> None:
    product, frame = measured
    images = {
        row["tile_id"]: decode_rgb(row["image"]["bytes"], "tile")
        for row in read_table(product, "tiles").to_pylist()
    }
    for crop in load_crops(product, frame):
        assert crop.image.shape[:2] == crop.predicted.shape == crop.truth.shape
        assert crop.truth.sum() == crop.row["true_area"]
        assert (crop.predicted & crop.truth).sum() == crop.row["intersection"]
        offset = np.round(np.subtract(crop.row["hbb"], crop.hbb)).astype(int)
        x0, y0, h, w = offset[0], offset[1], *crop.truth.shape
        assert (crop.image == images[crop.row["tile_id"]][y0 : y0 + h, x0 : x0 + w]).all()


def test_a_picture_has_the_outlines_in_their_colours(
    measured: tuple[Path, pd.DataFrame],
) -> None:
    product, frame = measured
    crop = load_crops(product, frame[frame["recipe"] == "box"])[0]
    asked = draw_crop(crop, 136, box=True, predicted=False)
    answered = draw_crop(crop, 136, box=False, predicted=True)
    assert max(asked.shape) == max(answered.shape) == 136
    assert (asked == TRUE).all(axis=2).sum() > 20
    assert (answered == TRUE).all(axis=2).sum() > 20
    assert (answered == PREDICTED).all(axis=2).sum() > 20
    assert not (asked == PREDICTED).all(axis=2).any()
    assert (draw_crop(crop, 480, box=True, predicted=False) == TRUE).all(axis=2).sum() > 100


def test_a_square_is_black_beyond_the_tile() -> None:
    part = square(np.full((50, 60), 7), -10, 20, 40)
    assert part.shape == (40, 40)
    assert (part[:30, 10:] == 7).all()
    assert part.sum() == 7 * 30 * 30
