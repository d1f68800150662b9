"""What the two exports to Ultralytics' YOLO share: folders, ``data.yaml``, lines of labels.

docs.ultralytics.com/datasets: ``images/<split>/a.png``, ``labels/<split>/a.txt``, and a YAML file
that names the splits' image folders and the classes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from samrs.core.names import safe_name
from samrs.core.parameters import yaml_text
from samrs.export.files import write_file
from samrs.export.subset import ExportedTile, Subset
from samrs.reading.splits import SPLITS, use_of

log = logging.getLogger("samrs")
DEMANDED = ("train", "val")
"""What Ultralytics does not train without."""

DECIMALS = 6
"""Of a share of the image's side: 0.01 px on the largest scene of DOTA (20,000 px)."""


def write_tile(tile: ExportedTile, lines: Sequence[str], out: Path) -> None:
    """Write a tile's image and its labels; a tile without instances has an empty file.

    Args:
        lines: one an instance, without line ends.
    """
    tile.write_image(out / "images" / tile.split)
    folder = out / "labels" / tile.split
    folder.mkdir(parents=True, exist_ok=True)
    write_file(folder / f"{tile.name}.txt", "".join(f"{line}\n" for line in lines))


def write_yaml(subset: Subset, out: Path) -> None:
    """Write ``data.yaml``: the folders of images to train on, to validate on and to test on.

    A split is named once, under what it is for (``reading/splits.py``). Ultralytics demands train
    and val; what the release has not is left out, with a comment, since a split that stands in for
    another would be measured on what was trained on. ``path`` is left out, which means the folder
    of the file.
    """
    folders: dict[str, list[str]] = {}
    for split in subset.splits:
        folders.setdefault(use_of(split), []).append(f"images/{safe_name(split)}")
    uses = [use for use in SPLITS if use in folders]
    several = {use: folders[use] for use in uses}
    value: dict[str, Any] = {u: f if len(f) > 1 else f[0] for u, f in several.items()}
    value["names"] = dict(enumerate(subset.categories))
    missing = "".join(f"# {_missing(use)}\n" for use in DEMANDED if use not in folders)
    for use in DEMANDED:
        if use not in folders:
            log.warning("%s: %s", subset.name, _missing(use))
    write_file(out / "data.yaml", missing + yaml_text(value))


def _missing(use: str) -> str:
    return (
        f"No split of this export is for {use}, which Ultralytics demands: a share of the scenes "
        "can be drawn for val before the masks are made (--val 0.1)"
    )


@lru_cache(maxsize=65_536)
def share(value: float, side: int) -> str:
    """A place on a side of so many px, as a share of it."""
    return f"{value / side:.{DECIMALS}f}".rstrip("0").rstrip(".")
