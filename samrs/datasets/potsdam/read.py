"""ISPRS Potsdam: 38 true orthophotos of 6000 x 6000 px with a label for every pixel.

Source: ISPRS 2D Semantic Labeling Contest (isprs.org, UrbanSemLab). 0.05 m per px; 24 tiles for
training, 14 for testing. No instances: it is a benchmark to fine-tune on.

Layout read (``4_Ortho_RGBIR/..._RGBIR.tif`` serves where there is no ``2_Ortho_RGB``)::

    2_Ortho_RGB/top_potsdam_2_10_RGB.tif
    5_Labels_all/top_potsdam_2_10_label.tif

Raw labels are colours, r,g,b::

    255,255,255 impervious   0,0,255 building   0,255,255 low vegetation
    0,255,0 tree             255,255,0 car      255,0,0 clutter

``5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif`` serves where it is the only one:
there px near a boundary are 0,0,0 and count for nothing.

The label of a category is its index; clutter is 255 (unlabelled), as the benchmark ignores it.
Px of any other colour are 255 too, and their number is quarantined once a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samrs.core.names import clean_id
from samrs.core.records import IGNORE, Quarantine, SceneRecord
from samrs.core.tiling import Window
from samrs.reading.annotations import (
    files_by_stem,
    first_folder,
    missing_dataset,
    pair_files,
    relative_name,
)
from samrs.reading.scene_image import open_scene

CATEGORIES: tuple[str, ...] = ("impervious", "building", "low-vegetation", "tree", "car")
SUBSET: str | None = None


TEST_COLUMNS = {
    2: (13, 14),
    3: (13, 14),
    4: (13, 14, 15),
    5: (13, 14, 15),
    6: (13, 14, 15),
    7: (13,),
}
TEST_TILES = frozenset(f"{row}_{column}" for row in TEST_COLUMNS for column in TEST_COLUMNS[row])
"""The benchmark's test tiles; all others are for training."""

_COLOURS = {
    (255, 255, 255): 0,
    (0, 0, 255): 1,
    (0, 255, 255): 2,
    (0, 255, 0): 3,
    (255, 255, 0): 4,
    (255, 0, 0): IGNORE,
}
_UNKNOWN = 254
_ROWS = 1024
"""Label rows decoded at once: bounds memory on whole tiles."""


def read_scenes(root: Path, quarantine: Quarantine) -> Iterator[SceneRecord]:
    """Scenes with their label maps, sorted by scene_id; no instances.

    Raises:
        MissingInputError: there is no Potsdam below ``root``.
    """
    folder = first_folder(root, ("2_Ortho_RGB", "4_Ortho_RGBIR", "3_Ortho_IRRG"))
    labelled = first_folder(root, ("5_Labels_all", "5_Labels_all_noBoundary"))
    if folder is None or labelled is None:
        layout = "2_Ortho_RGB/top_potsdam_*_RGB.tif with 5_Labels_all/top_potsdam_*_label.tif"
        raise missing_dataset(root, "potsdam", layout)
    bands = folder.name.rsplit("_", 1)[-1]
    images = _files(folder, f"_{bands}")
    ending = labelled.name.removeprefix("5_Labels_all")
    labels = _files(labelled, f"_label{ending}")
    for stem in pair_files(images, labels, root, quarantine):
        split = "test" if stem.removeprefix("top_potsdam_") in TEST_TILES else "train"
        semantic = partial(_label_map, labels[stem], root, quarantine)
        yield SceneRecord(
            scene_id=clean_id(stem), split=split, image=images[stem], semantic=semantic
        )


def _files(folder: Path, ending: str) -> dict[str, Path]:
    """Files by their names without ending; those of other endings keep theirs, and so are told."""
    found = files_by_stem(folder, (".tif", ".tiff"))
    return {stem.removesuffix(ending): path for stem, path in found.items()}


def _label_map(path: Path, root: Path, quarantine: Quarantine) -> NDArray[np.uint8]:
    """Label ids (H, W) of a colour label file."""
    where = relative_name(path, root)
    lookup = np.full(8, _UNKNOWN, dtype=np.uint8)
    for colour, label in _COLOURS.items():
        lookup[_code(np.array(colour))] = label
    if path.stem.endswith("_noBoundary"):
        lookup[_code(np.zeros(3))] = IGNORE
    with open_scene(path, where) as scene:
        width, height = scene.size_wh
        labels = np.empty((height, width), dtype=np.uint8)
        for y0 in range(0, height, _ROWS):
            colours = scene.read(Window(0, y0, width, min(_ROWS, height - y0)))
            pure = ((colours == 0) | (colours == 255)).all(axis=2)
            labels[y0 : y0 + _ROWS] = np.where(pure, lookup[_code(colours)], _UNKNOWN)
    num_unknown = int((labels == _UNKNOWN).sum())
    if num_unknown:
        labels[labels == _UNKNOWN] = IGNORE
        quarantine.tell(
            where,
            "unknown label colour",
            f"px of colours that mean no class, got {num_unknown} px; the six colours of the "
            "benchmark are allowed; these px count as unlabelled",
        )
    return labels


def _code(colours: NDArray[np.generic]) -> NDArray[np.int64]:
    """A number 0 to 7 for each pure colour (..., 3): one bit a channel."""
    return np.asarray((np.asarray(colours) > 0) @ np.array([4, 2, 1]))
