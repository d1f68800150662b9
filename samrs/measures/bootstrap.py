"""Confidence intervals of means by the cluster bootstrap: percentiles of resampled means.

Instances of one scene are alike (one light, one camera, one class as often as not), so that
resampling instances would give intervals that are too narrow. Whole scenes are drawn with
replacement instead, or whole tiles where there are fewer than ``FEWEST`` scenes, or instances where
there are fewer tiles than that (Davison and Hinkley, "Bootstrap Methods and their Application",
1997, section 3.8). Every mean of one ``Resampling`` is taken over the same draws, which makes the
interval of a difference a paired one.

Values are rounded to millionths and added as whole numbers, so that the order of addition, and
with it the machine, cannot change the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

FEWEST = 8
"""Clusters below which the next smaller unit is drawn."""

LEAST = 5
"""Clusters below which there is no interval: that of a handful of means is far too narrow."""

DRAWS = 2000
SEED = 2023
LEVEL = 0.95
MILLIONTHS = 1e6

UNITS = ("scene_id", "tile_id", "instance_id")
NAMES = {"scene_id": "scenes", "tile_id": "tiles", "instance_id": "instances"}

Floats = NDArray[np.float64]


class Resampling:
    """Draws of clusters with replacement.

    Args:
        instances: one row an instance of a tile, with ``tile_id`` and, where known, ``scene_id``
            and ``instance_id`` (of the object, which several tiles may see).

    Attributes:
        unit: what was drawn: scenes, tiles or instances.
        clusters: (N,) the number of each instance's cluster.
    """

    def __init__(self, instances: pd.DataFrame) -> None:
        known = instances.reset_index(drop=True)
        known["instance_id"] = known.get("instance_id", known.index)
        units = [unit for unit in UNITS if unit in known]
        chosen = next((u for u in units if known[u].nunique() >= FEWEST), units[-1])
        self.unit = NAMES[chosen]
        self.clusters = pd.factorize(known[chosen], sort=True)[0]
        count = int(self.clusters.max(initial=-1)) + 1
        even = np.full(count, 1 / max(count, 1))
        drawn = np.random.default_rng(SEED).multinomial(count, even, DRAWS)
        self._drawn: Floats = drawn.astype(np.float64)

    def intervals(self, values: ArrayLike, among: NDArray[np.bool_] | None = None) -> Floats:
        """Intervals of the means of some columns over instances.

        Args:
            values: (N, K); NaN where a column has no value for an instance.
            among: (N,) the instances meant; None: all.

        Returns:
            (K, 2) low and high end; NaN where fewer than ``LEAST`` clusters have a value.
        """
        table = np.asarray(values, dtype=np.float64)
        inside = np.isfinite(table)
        if among is not None:
            inside &= among[:, None]
        sums = self._by_cluster(np.where(inside, np.round(table * MILLIONTHS), 0))
        counts = self._by_cluster(inside.astype(np.float64))
        drawn = self._drawn @ counts
        means = np.full(drawn.shape, np.nan)
        np.divide(self._drawn @ sums, drawn * MILLIONTHS, out=means, where=drawn > 0)
        ends = np.full((table.shape[1], 2), np.nan)
        enough = (counts > 0).sum(axis=0) >= LEAST
        if enough.any():
            tail = 100 * (1 - LEVEL) / 2
            ends[enough] = np.nanpercentile(means[:, enough], [tail, 100 - tail], axis=0).T
        return ends

    def num_clusters(self, among: NDArray[np.bool_]) -> int:
        """The number of clusters that some of the instances (N,) are from.

        Args:
            among: which instances.
        """
        return len(np.unique(self.clusters[among]))

    def _by_cluster(self, values: Floats) -> Floats:
        """(C, K) sums of the rows (N, K) of each cluster."""
        total = np.zeros((self._drawn.shape[1], values.shape[1]))
        np.add.at(total, self.clusters, values)
        return total


def as_interval(ends: Sequence[float] | Floats, digits: int = 4) -> list[float] | None:
    """A rounded interval for JSON; None where there is none.

    Args:
        ends: low and high; NaN where there is none.
        digits: after the point.
    """
    low, high = (float(v) for v in ends)
    return [round(low, digits) + 0.0, round(high, digits) + 0.0] if np.isfinite(low) else None
