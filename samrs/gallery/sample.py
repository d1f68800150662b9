"""Which instances are shown: the worst of all, and of each class equally many."""

from __future__ import annotations

import numpy as np
import pandas as pd

WORST = 0.25
"""Share of the places that the worst of all have."""


def sample(rows: pd.DataFrame, at_most: int) -> pd.DataFrame:
    """Choose instances to look at, the same ones from the same release.

    An instance that several tiles see is shown once, in the tile that sees most of it. A quarter of
    the places have the worst of all by estimated quality. Classes share the others equally; what a
    small class leaves over goes to the others. Within a class places are spread evenly over what is
    left of its instances by estimated quality, its worst and its best among them.

    Args:
        rows: of the instances table, with ``instance_id, tile_id, category_id, visible, quality``.
        at_most: number of instances.

    Returns:
        The chosen rows, the worst first; equal ones in the order of their ids.
    """
    order = ["quality", "instance_id", "tile_id"]
    seen = rows.sort_values(["visible", "tile_id"], ascending=[False, True], kind="stable")
    unique = seen.drop_duplicates("instance_id").sort_values(order, kind="stable")
    worst, rest = unique.iloc[: worst_of(at_most)], unique.iloc[worst_of(at_most) :]
    labels = sorted(int(label) for label in rest["category_id"].unique())
    classes = {label: rest[rest["category_id"] == label] for label in labels}
    places = shares({label: len(of) for label, of in classes.items()}, at_most - len(worst))
    chosen = [of.iloc[spread(len(of), places[label])] for label, of in classes.items()]
    return pd.concat([worst, *chosen]).sort_values(order, kind="stable")


def worst_of(at_most: int) -> int:
    """Places that the worst of all have.

    Args:
        at_most: places in all.
    """
    return int(WORST * at_most)


def shares(sizes: dict[int, int], at_most: int) -> dict[int, int]:
    """Places of each class: equally many, at most as many as it has.

    Args:
        sizes: instances of each class.
        at_most: places in all.
    """
    given = dict.fromkeys(sizes, 0)
    left = at_most
    while left and (open_ := sorted(name for name in sizes if given[name] < sizes[name])):
        each = max(1, left // len(open_))
        for name in open_[:left]:
            more = min(each, sizes[name] - given[name], left)
            given[name] += more
            left -= more
    return given


def spread(count: int, places: int) -> list[int]:
    """Places spread evenly over numbers from 0, the first and the last among them.

    Args:
        count: of the numbers.
        places: how many of them.
    """
    if places < 2:
        return [0][:places]
    return [int(n) for n in np.round(np.linspace(0, count - 1, places))]
