"""What the two exports to Ultralytics' YOLO share: folders, ``data.yaml``, lines of labels.

docs.ultralytics.com/datasets: ``images/<split>/a.png``, ``labels/<split>/a.txt``, and a YAML file
that names the splits' image folders and the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from samrs.export.subset import Subset, Tile

DECIMALS = 6
"""Of a share of the image's side: 0.01 px on the largest scene of DOTA (20,000 px)."""


def write_tile(tile: Tile, lines: Sequence[str], out: Path) -> None:
    """Write a tile's image and its labels; a tile without instances has an empty file.

    Args:
        lines: one an instance, without line ends.
    """
    tile.write_image(out / "images" / tile.split)
    folder = out / "labels" / tile.split
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{tile.name}.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")


def write_yaml(subset: Subset, out: Path) -> None:
    """Write ``data.yaml``.

    Ultralytics demands train and val: where the release has no such split, the next best one
    stands in, in the last resort the same for both. ``path`` is left out, which means the folder
    of the file.
    """
    splits = subset.folders
    train = _first(splits, ("train", "trainval"))
    keys = {"train": train, "val": _first(splits, ("val", "test", train))}
    if "test" in splits:
        keys["test"] = "test"
    value: dict[str, Any] = {key: f"images/{split}" for key, split in keys.items()}
    value["names"] = dict(enumerate(subset.categories))
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    (out / "data.yaml").write_text(text, encoding="utf-8")


def _first(splits: Sequence[str], wanted: Sequence[str]) -> str:
    return next((split for split in wanted if split in splits), splits[0])


@lru_cache(maxsize=65_536)
def share(value: float, side: int) -> str:
    """A place on a side of so many px, as a share of it."""
    return f"{value / side:.{DECIMALS}f}".rstrip("0").rstrip(".")
