from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from samrs.core.records import IGNORE
from samrs.core.tiling import windows
from samrs.training.once import Place, owned
from samrs.training.tiles import SemanticTiles
from tests.training import discs

PLACES = st.builds(
    Place, st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20)
)


@given(st.lists(PLACES, min_size=1, max_size=6))
def test_every_pixel_of_a_scene_counts_once(places: list[Place]) -> None:
    counted, shown = np.zeros((40, 40), int), np.zeros((40, 40), bool)
    for number, place in enumerate(places):
        part = np.s_[place.y0 : place.y0 + place.height, place.x0 : place.x0 + place.width]
        counted[part] += owned(places, number)
        shown[part] = True
    assert np.array_equal(counted, shown)


def test_an_overlap_is_halved_between_equal_tiles() -> None:
    first, second = (
        owned([Place(0, 0, 8, 4), Place(4, 0, 8, 4)], 0),
        owned([Place(0, 0, 8, 4), Place(4, 0, 8, 4)], 1),
    )
    assert first[0].tolist() == [True] * 6 + [False] * 2
    assert second[0].tolist() == [False] * 2 + [True] * 6


def test_a_scene_of_1000_px_in_tiles_of_512_counts_a_million_pixels(tmp_path: Path) -> None:
    places = windows(1000, 1000, tile=512, overlap=0)
    tiles = [
        ("test", np.zeros((512, 512, 3), np.uint8), np.zeros((512, 512), np.uint8)) for _ in places
    ]
    product = discs.write_tiles(
        tmp_path / "p", ["a"], tiles, places=[("s", p.x0, p.y0) for p in places]
    )
    found = SemanticTiles(product, tmp_path / "cache")
    everything = list(range(len(found)))
    read = [found.read_once(i, everything)[1] for i in everything]
    assert sum(int((labels != IGNORE).sum()) for labels in read) == 1000 * 1000
    alone = found.read_once(0, [0])[1]
    assert (alone != IGNORE).all()
