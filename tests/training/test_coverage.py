"""Classes that are tested and cannot be learned are named."""

from __future__ import annotations

from typing import cast

import pytest

from samrs.training.coverage import untrained, warn_of_untrained
from samrs.training.tiles import SemanticTiles


class ThreeTiles:
    """Of a product; all that is asked of them is which labels they hold."""

    categories = ("ship", "plane", "bridge")

    def labels_of(self, index: int) -> tuple[int, ...]:
        return ((0,), (0, 1), (1, 2))[index]


TILES = cast(SemanticTiles, ThreeTiles())


def test_a_class_that_no_training_tile_shows_is_named(caplog: pytest.LogCaptureFixture) -> None:
    assert untrained(TILES, [0], [1, 2]) == ["plane", "bridge"]
    assert warn_of_untrained("sota", TILES, [0, 1], [2]) == 1
    assert "sota: 1 tested classes without training pixel, which score 0: bridge" in caplog.text


def test_nothing_is_said_where_all_can_be_learned(caplog: pytest.LogCaptureFixture) -> None:
    assert warn_of_untrained("sota", TILES, [0, 2], [1]) == 0
    assert caplog.text == ""
