"""A first look at a folder of one's own: is it a dataset, what is in it, how should it be cut."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samrs.core import axis
from samrs.core.errors import MissingInputError, ParameterError
from samrs.core.records import Quarantine
from samrs.core.tiling import FRAME, OVERLAP, TILE, windows
from samrs.reading.options import keywords
from samrs.reading.scene_image import size_of

DATASETS = "samrs.datasets"
CUT: dict[str, Any] = {
    "min_visible": 0.7,
    "clip": True,
    "pad": False,
    "keep_difficult": True,
    "stretch": 2.0,
    "max_quarantined": 0.01,
    "max_tile_px": 2**26,
}
"""How scenes are cut unless the caller says otherwise, as ``normalize`` describes it."""


@dataclass(frozen=True)
class Found:
    """What a reader finds in a folder.

    Args:
        scenes: images that are read.
        boxes: their annotations.
        classes: number of classes.
        splits: scenes by split.
        quarantined: what is set aside, by reason.
        largest_side: of the images, px.
    """

    scenes: int
    boxes: int
    classes: int
    splits: Mapping[str, int]
    quarantined: Mapping[str, int]
    largest_side: int

    def cut(self, tile: int | None, overlap: int | None, val: float) -> dict[str, Any]:
        """How its scenes are cut: keywords of ``normalize``.

        Args:
            tile: side of a tile in px; None tiles scenes that SAM's frame would make smaller, and
                no others.
            overlap: px shared by neighbouring tiles; None: a fifth of a tile.
            val: share of scenes that make the split val where the dataset has no splits.

        Raises:
            ParameterError: the overlap does not fit the tile.
        """
        if tile is None and self.largest_side > FRAME:
            tile = TILE
        if overlap is None:
            overlap = OVERLAP * (tile or 0) // TILE
        windows(1, 1, tile=tile, overlap=overlap)  # refuses an overlap that does not fit
        return {**CUT, "tile": tile, "overlap": overlap, "val": val}


def look(format: str, folder: Path, options: Mapping[str, Any] | None = None) -> Found:
    """Read a dataset's annotations and the sizes of its images; no pixel is decoded.

    Args:
        format: a folder of ``samrs/datasets``.
        options: of its reader.

    Raises:
        UnknownNameError: there is no such format.
        MissingInputError: there is no dataset of that format, or not one image with a box.
        AnnotationError: it does not parse.
    """
    module = axis.load(DATASETS, format, "read")
    told = keywords(module, format, options)
    quarantine = Quarantine()
    own = getattr(module, "categories", None)
    classes = module.CATEGORIES if own is None else own(folder, **told)
    splits: dict[str, int] = {}
    boxes = largest = 0
    for scene in module.read_scenes(folder, quarantine, **told):
        splits[scene.split] = splits.get(scene.split, 0) + 1
        boxes += len(scene.annotations)
        told_wh = scene.declared_wh if scene.opening is not None else size_of(scene.image)
        largest = max(largest, *(told_wh or (0, 0)))
    counts = quarantine.counts()
    if not boxes:
        raise MissingInputError(
            f"{folder}: no boxes to make masks of, got {sum(splits.values())} images and set aside "
            f"{counts or 'nothing'}; a {format} dataset with boxes is needed; see docs/datasets.md"
        )
    return Found(sum(splits.values()), boxes, len(classes), splits, counts, largest)


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a dataset: of stages, folders and products.

    Raises:
        ParameterError: it is no such name.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
        raise ParameterError(
            f"name: cannot be a dataset's, got {name!r}; small letters, digits and _ are allowed, "
            "a letter first, 40 at most; choose another with --name"
        )
