"""Whether what is tested was there to be learned."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from samrs.training.tiles import SemanticTiles

log = logging.getLogger("samrs")


def untrained(tiles: SemanticTiles, train: Iterable[int], test: Iterable[int]) -> list[str]:
    """Categories that tested tiles show and no training tile does, in their order.

    Args:
        train: indices of the tiles to train on.
        test: indices of the tiles to test on.
    """
    learned = {label for index in train for label in tiles.labels_of(index)}
    tested = {label for index in test for label in tiles.labels_of(index)}
    return [tiles.categories[label] for label in sorted(tested - learned)]


def warn_of_untrained(
    name: str, tiles: SemanticTiles, train: Iterable[int], test: Iterable[int]
) -> int:
    """Name the classes without a training pixel in the log; returns how many there are.

    Args:
        name: of the subset or benchmark.
        train: see ``untrained``.
        test: see ``untrained``.
    """
    found = untrained(tiles, train, test)
    if found:
        log.warning(
            "%s: %d tested classes without training pixel, which score 0: %s; train on more tiles "
            "or move scenes between the splits",
            name,
            len(found),
            ", ".join(found),
        )
    return len(found)
