"""Windows cover a scene, and every box is listed where it is best seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samrs.core import tiling
from samrs.core.errors import ParameterError
from samrs.core.tiling import (
    Window,
    far_too_large,
    listed_boxes,
    memberships,
    strips,
    visible_shares,
    windows,
)


def test_last_window_is_shifted_back_to_the_border() -> None:
    assert [w.x0 for w in windows(2000, 1024, tile=1024, overlap=200)] == [0, 824, 976]


def test_windows_that_fit_exactly_are_not_doubled() -> None:
    assert [w.x0 for w in windows(1848, 100, tile=1024, overlap=200)] == [0, 824]
    assert len(windows(1024, 1024, tile=512, overlap=0)) == 4


def test_windows_come_row_by_row() -> None:
    assert windows(4, 4, tile=2, overlap=0) == [
        Window(0, 0, 2, 2),
        Window(2, 0, 2, 2),
        Window(0, 2, 2, 2),
        Window(2, 2, 2, 2),
    ]


def test_small_scenes_and_no_tile_stay_whole() -> None:
    assert windows(800, 600, tile=1024, overlap=200) == [Window(0, 0, 800, 600)]
    assert windows(9000, 600, tile=None, overlap=0) == [Window(0, 0, 9000, 600)]
    assert windows(2000, 600, tile=1024, overlap=0)[0] == Window(0, 0, 1024, 600)


def test_tiles_far_beyond_the_models_frame_are_told_with_what_to_set() -> None:
    assert far_too_large("mine", [1024, 1500, 2048]) is None
    told = far_too_large("mine", [800, 4096, 3000])
    assert told is not None
    assert "got 2 of up to 4096 px, shown 4.0 times smaller" in told
    assert "set tile: 1024 and overlap: 200 (normalize.mine in params.yaml, or --tile" in told


@pytest.mark.parametrize("overlap", [-1, 1024, 2000])
def test_overlap_must_be_smaller_than_the_tile(overlap: int) -> None:
    with pytest.raises(ParameterError, match=f"got overlap {overlap} with tile 1024; 0 <= overlap"):
        windows(2000, 2000, tile=1024, overlap=overlap)


def test_box_on_the_seam_is_listed_where_most_of_it_is() -> None:
    places = windows(20, 10, tile=10, overlap=0)
    shares = visible_shares([[6, 0, 16, 10], [5, 0, 15, 10], [1, 1, 4, 4]], places)
    assert shares.T.tolist() == [[0.4, 0.6], [0.5, 0.5], [1, 0]]
    assert memberships(shares, 0.7).T.tolist() == [[False, True], [True, False], [True, False]]
    assert memberships(shares, 0.4).T.tolist() == [[True, True], [True, True], [True, False]]


def test_tile_lists_nothing_it_does_not_see() -> None:
    shares = visible_shares([[1, 1, 4, 4]], windows(20, 10, tile=10, overlap=0))
    assert memberships(shares, 0.0).T.tolist() == [[True, False]]


def test_scene_without_boxes_has_no_members() -> None:
    assert memberships(visible_shares([], windows(20, 10, tile=10, overlap=0)), 0.7).shape == (2, 0)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(3, 40), st.integers(0, 39))
def test_windows_cover_every_px_and_stay_inside(
    width: int, height: int, tile: int, overlap: int
) -> None:
    places = windows(width, height, tile=tile, overlap=overlap % tile)
    seen = np.zeros((height, width), bool)
    for x0, y0, w, h in places:
        assert 0 <= x0 <= x0 + w <= width
        assert 0 <= y0 <= y0 + h <= height
        assert (w, h) == (min(tile, width), min(tile, height))
        seen[y0 : y0 + h, x0 : x0 + w] = True
    assert seen.all()
    assert len(set(places)) == len(places)


boxes = st.tuples(
    st.integers(-20, 130), st.integers(-20, 90), st.integers(1, 60), st.integers(1, 60)
)


@given(st.lists(boxes, max_size=8), st.integers(5, 70), st.integers(0, 69), st.floats(0, 1))
def test_every_box_that_meets_the_scene_is_in_a_tile_and_no_other_is(
    raw: list[tuple[int, int, int, int]], tile: int, overlap: int, min_visible: float
) -> None:
    width, height = 100, 60
    places = windows(width, height, tile=tile, overlap=overlap % tile)
    shares = visible_shares([[x, y, x + w, y + h] for x, y, w, h in raw], places)
    belongs = memberships(shares, min_visible)
    assert ((shares >= 0) & (shares <= 1)).all()
    for i, (x, y, w, h) in enumerate(raw):
        meets = x < width and y < height and x + w > 0 and y + h > 0
        assert belongs[:, i].any() == meets
        if meets:
            assert belongs[shares[:, i].argmax(), i]


@pytest.mark.parametrize(("most_px", "num"), [(1, 30), (70, 10), (71, 10), (199, 4), (10**6, 1)])
def test_strips_are_whole_rows_that_cover_the_scene_once(most_px: int, num: int) -> None:
    found = strips(20, 30, most_px)
    assert len(found) == num
    rows = np.concatenate([np.arange(s.y0, s.y0 + s.height) for s in found])
    assert rows.tolist() == list(range(30))
    assert all((s.x0, s.width) == (0, 20) for s in found)


@pytest.mark.parametrize("most", [1, 40, 10**6])
def test_boxes_are_listed_alike_however_many_are_compared_at_once(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(-10, 90, (50, 2))
    hbbs = np.concatenate([corner, corner + rng.uniform(1, 40, (50, 2))], axis=1)
    places = windows(100, 90, tile=30, overlap=10)
    shares = visible_shares(hbbs, places)
    rows, columns = np.nonzero(memberships(shares, 0.6))
    expected = [(int(t), int(i), float(shares[t, i])) for t, i in zip(rows, columns, strict=True)]
    monkeypatch.setattr(tiling, "MOST_SHARES", most)
    found = listed_boxes(list(hbbs), places, 0.6)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
