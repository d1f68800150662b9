"""The layout of the original SAMRS release (Wang et al., NeurIPS 2023), for code written for it.

Layout::

    images/P0000__0_0.png
    gray/P0000__0_0.png       8-bit label ids, 255 = unlabelled
    color/P0000__0_0.png      the same in SAMRS's colours, RGB
    ins/P0000__0_0.pkl        a list of instances
    ins/P0000__0_0.json       the same list; read this one: opening a pickle runs what is in it
    hbbtxts/P0000__0_0.txt    annotated boxes: eight coordinates, class, label id
    rbbtxts/P0000__0_0.txt    the same of rotated boxes, where the dataset has them
    splits/train.txt          names of the tiles of each split; not in the original

An instance::

    {"mask": {"size": [1000, 1024], "counts": "aXT1..."}, "bbox": [739.0, 64.0, 897.0, 209.0],
     "rbox": [[687.8, 126.2], ...], "rhbox": [687.8, 6.4, 934.1, 250.3],
     "category": "plane", "label": 4, "size": 7622, "instance_id": "P0000#2"}

``bbox`` is the prompted box, xyxy; ``rbox`` and ``rhbox`` are absent without a rotated box;
``size`` is the mask's area. The original has NumPy arrays where lists stand here: the pickle holds
lists, dicts, texts and numbers only, so that it opens without any import. Tiles without instances,
which the original leaves out, have an empty list and an unlabelled map. Where the release tells the
background, which the original never does, ``gray`` has 0 there and each class at ``label`` + 1; all
else stays, as code written for the original reads it.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.geometry import hbb_to_polygon, polygon_to_hbb
from samrs.core.images import encode_rgb
from samrs.core.shards import json_text
from samrs.export.files import open_text, write_file
from samrs.export.subset import Row, Subset

ONE_LEVEL = "its maps are PNG, made of maps that are held whole; geotiff writes scenes by window"

_COLUMNS = ("instance_id", "area", "hbb", "hbb_annotated", "obb")
_FOLDERS = ("gray", "color", "ins", "hbbtxts", "rbbtxts", "splits")
_PROTOCOL = 4  # opens in Python 3.4 and later


def write(subset: Subset, out: Path) -> dict[str, Any]:
    """Write the export; returns images and instances."""
    names = subset.words()
    colours = np.full((256, 3), 255, dtype=np.uint8)
    colours[: len(subset.map_palette)] = subset.map_palette
    for folder in _FOLDERS:
        (out / folder).mkdir()
    images = instances = 0
    with ExitStack() as stack:
        splits = {
            split: stack.enter_context(open_text(out / "splits" / f"{split}.txt"))
            for split in subset.folders
        }
        for tile in subset.tiles(_COLUMNS, semantic=True):
            tile.write_image(out / "images")
            splits[tile.split].write(f"{tile.name}\n")
            tile.write_picture(out / "gray" / f"{tile.name}.png", tile.label_map or b"")
            color = encode_rgb(colours[tile.labels()])
            tile.write_picture(out / "color" / f"{tile.name}.png", color)
            entries = [_entry(row, subset.categories) for row in tile.rows]
            write_file(out / "ins" / f"{tile.name}.pkl", plain_pickle(entries))
            text = json_text(entries, ascii=True)
            write_file(out / "ins" / f"{tile.name}.json", text + "\n")
            for folder, lines in _boxes(tile.rows, names).items():
                write_file(out / folder / f"{tile.name}.txt", "".join(lines))
            images += 1
            instances += len(entries)
    return {"images": images, "instances": instances}


def _entry(row: Row, categories: tuple[str, ...]) -> dict[str, Any]:
    entry: dict[str, Any] = {"mask": row["rle"], "bbox": row["hbb"]}
    if row["obb"] is not None:
        corners = np.reshape(row["obb"], (4, 2))
        entry.update(rbox=corners.tolist(), rhbox=polygon_to_hbb(corners).tolist())
    return {
        **entry,
        "category": categories[row["label"]],
        "label": row["label"],
        "size": row["area"],
        "instance_id": row["instance_id"],
    }


def plain_pickle(value: Any) -> bytes:
    """A pickle of lists, dicts, texts and numbers; equal values give equal bytes."""
    data = io.BytesIO()
    pickler = pickle.Pickler(data, protocol=_PROTOCOL)
    pickler.fast = True  # no memo: it would depend on which equal texts are one object
    pickler.dump(value)
    return data.getvalue()


def _boxes(rows: list[Row], names: Sequence[str]) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {"hbbtxts": [], "rbbtxts": []}
    for row in rows:
        boxes = {"hbbtxts": hbb_to_polygon(row["hbb_annotated"]).ravel(), "rbbtxts": row["obb"]}
        name = names[row["label"]]
        for folder, corners in boxes.items():
            if corners is not None:
                numbers = " ".join(f"{value:.2f}" for value in corners)
                lines[folder].append(f"{numbers} {name} {row['label']}\n")
    return lines
