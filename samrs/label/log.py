"""What a labelling run says: counts while it goes, a table at its end, a line of JSON a tile.

The log (``log.jsonl`` in the work folder) is of the last run and holds times, so it is no output.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from samrs.core.records import LABEL_SCORES
from samrs.core.shards import json_text

log = logging.getLogger("samrs")

Row = dict[str, Any]


class LabelLog:
    """Counts and means over tiles and masks; a context manager, whose end shows the table.

    Args:
        desc: what is being done.
        path: of the log.
        about: what the masks are made by, for its first line.

    Attributes:
        damaged: kept tiles that did not pass their check; they are labelled again.
    """

    def __init__(self, desc: str, path: Path, about: Mapping[str, Any]) -> None:
        self.desc = desc
        self.tiles = self.without = self.kept_tiles = self.failures = self.damaged = 0
        self.instances = self.new = self.empty = self.fallbacks = self.multiple = 0
        self._sums = dict.fromkeys(LABEL_SCORES, 0.0)
        self._counts = dict.fromkeys(LABEL_SCORES, 0)
        self._begin = time.monotonic()
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._say(event="begin", **about)

    def tile(self, has_instances: bool) -> None:
        """Counts a tile that was read.

        Args:
            has_instances: whether the tile has any; others are not labelled.
        """
        self.tiles += 1
        self.without += not has_instances

    def masks(self, tile_id: str, rows: Sequence[Row], *, kept: bool) -> None:
        """Counts the masks of a tile: new ones, or kept ones of an earlier run."""
        self.kept_tiles += kept
        self.new += 0 if kept else len(rows)
        for row in rows:
            self.instances += 1
            self.empty += row["area"] == 0
            self.fallbacks += row["fallback"]
            self.multiple += row["components"] > 1
            for name in LABEL_SCORES:
                if row[name] is not None:
                    self._sums[name] += row[name]
                    self._counts[name] += 1
        self._say(event="tile", tile_id=tile_id, masks=len(rows), kept=kept)

    def failed(self, tile_id: str, error: Exception) -> None:
        """Counts a tile that could not be labelled."""
        self.failures += 1
        self._say(event="failure", tile_id=tile_id, error=f"{type(error).__name__}: {error}")

    def note(self) -> str:
        """How many tiles were read, and what failed so far."""
        failures = f", {self.failures} failures" if self.failures else ""
        return f"{self.tiles} tiles{failures}"

    def metrics(self) -> dict[str, Any]:
        """What a metrics file says: the same for the same masks, however they came about."""
        return {
            "tiles": self.tiles,
            "instances": self.instances,
            "empty_masks": self.empty,
            "fallbacks": self.fallbacks,
            "multi_component_share": round(self.multiple / max(self.instances, 1), 6),
            **{f"mean_{name}": round(mean, 6) for name, mean in self._means().items()},
        }

    def table(self) -> str:
        """The counts and means as aligned lines."""
        seconds = self._seconds()
        labelled = self.tiles - self.without - self.kept_tiles - self.failures
        rows = {
            "tiles": f"{self.tiles}, {self.without} of them without instances",
            "labelled now": f"{labelled} in {seconds:.1f} s, {labelled / seconds:.2f} tiles/s",
            "kept from before": f"{self.kept_tiles}",
            **({"damaged, made again": f"{self.damaged}"} if self.damaged else {}),
            "failures": f"{self.failures}",
            "masks": f"{self.instances}, {self.new} of them new, {self.new / seconds:.1f} masks/s",
            "empty masks": f"{self.empty}",
            "in several parts": f"{self.multiple}",
            "fallbacks to the box": f"{self.fallbacks}",
            **{
                f"mean {name.replace('_', ' ')}": f"{mean:.3f}"
                for name, mean in self._means().items()
            },
        }
        return "\n".join([self.desc, *(f"  {name:<22}{said}" for name, said in rows.items())])

    def _means(self) -> dict[str, float]:
        return {name: self._sums[name] / count for name, count in self._counts.items() if count}

    def _seconds(self) -> float:
        return max(time.monotonic() - self._begin, 1e-9)

    def _say(self, **said: Any) -> None:
        seconds = round(self._seconds(), 3)
        self._file.write(json_text({"seconds": seconds, **said}) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended = "complete" if kind is None else kind.__name__
        self._say(event="end", how=ended, damaged=self.damaged, **self.metrics())
        self._file.close()
        log.info("%s", self.table())
