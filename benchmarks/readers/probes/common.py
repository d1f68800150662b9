"""What a library read of an export, compared with what was exported; numpy is all it needs.

A probe is a file beside this one. It runs in the environment of the library that it is named after,
which knows nothing of this project, and prints one line of JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path()
"""The folder with an export of each kind and ``truth.json``."""

SAME_BOX = 0.5
"""IoU of boxes from which two may be of one object."""


@dataclass
class Found:
    """An object as a library gives it: class name, box xyxy px, mask (H, W) or None."""

    category: str
    box: np.ndarray
    mask: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.box = np.asarray(self.box, dtype=float)


Tiles = dict[str, list[Found]]
Read = Callable[[], Tiles]


def xyxy(xywh) -> np.ndarray:
    x, y, w, h = (float(v) for v in xywh)
    return np.array([x, y, x + w, y + h])


def hull(corners) -> np.ndarray:
    points = np.asarray(corners, dtype=float).reshape(-1, 2)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def splits() -> list[str]:
    return sorted({tile["split"] for tile in truth().values()})


def truth() -> dict:
    return json.loads((ROOT / "truth.json").read_text())


def decoded(counts, size_hw) -> np.ndarray:
    """A mask out of its runs, which go down the columns and begin with background."""
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return flat.reshape(size_hw[1], size_hw[0]).T


def painted(polygons, size_hw) -> np.ndarray:
    """Polygons as pycocotools paints them, for libraries that leave painting to others."""
    from pycocotools import mask

    flat = [np.asarray(p, dtype=float).ravel().tolist() for p in polygons if len(p)]
    if not flat:
        return np.zeros(size_hw, dtype=bool)
    return mask.decode(mask.merge(mask.frPyObjects(flat, *size_hw))).astype(bool)


def _box_iou(a, b) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.maximum(high - low, 0))
    return float(both / max(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both, 1e-9))


def _pairs(wanted, got, key) -> Iterator:
    """Each wanted object with the one found that is most like it, of those not taken."""
    scores = sorted(
        (
            (-_box_iou(np.array(w[key]), g.box), i, k)
            for i, w in enumerate(wanted)
            for k, g in enumerate(got)
            if w["category"] == g.category
        )
    )
    seen_i, seen_k = set(), set()
    for score, i, k in scores:
        if -score >= SAME_BOX and i not in seen_i and k not in seen_k:
            seen_i.add(i)
            seen_k.add(k)
            yield wanted[i], got[k]


def compared(found: Tiles, key: str) -> dict:
    """How many tiles and objects were found, how far boxes are off, how alike masks are."""
    tiles = truth()
    off, ious = [], []
    for name, tile in tiles.items():
        for wanted, got in _pairs(tile["objects"], found.get(name, []), key):
            off.append(float(np.abs(np.array(wanted[key]) - got.box).max()))
            if got.mask is not None and key == "box":  # a rotated box is no mask
                mask = decoded(wanted["counts"], (tile["height"], tile["width"]))
                both, either = (mask & got.mask).sum(), (mask | got.mask).sum()
                ious.append(float(both / either))
    return {
        "tiles": [len(tiles.keys() & found.keys()), len(tiles)],
        "objects": [len(off), sum(len(tile["objects"]) for tile in tiles.values())],
        "more": sum(map(len, found.values())) - len(off),
        "box_px": round(max(off), 2) if off else None,
        "masks": len(ious),
        "iou": round(float(np.mean(ious)), 4) if ious else None,
        "lowest_iou": round(min(ious), 3) if ious else None,
        "exact": sum(iou == 1 for iou in ious),
    }


def said(error: Exception) -> str:
    """The beginning of an error, the same wherever the exports lie."""
    text = " ".join(str(error).replace(f"{ROOT}/", "").split())
    return f"{type(error).__name__}: {text[:60]}"


ROWS: list[dict] = []


def probe(export: str, call: str, key: str = "box") -> Callable[[Read], Read]:
    """Run a function that reads an export, and keep how right it was.

    Args:
        export: name of the export's folder.
        call: what users of the library write.
        key: which box of the truth is meant.
    """

    def run(read: Read) -> Read:
        row: dict = {"export": export, "call": call}
        quiet = io.StringIO()
        try:
            with (
                warnings.catch_warnings(),
                contextlib.redirect_stdout(quiet),
                contextlib.redirect_stderr(quiet),
            ):
                warnings.simplefilter("ignore")
                row |= compared(read(), key)
        except Exception as error:  # whatever a library raises is what it says of the export
            row["error"] = said(error)
        ROWS.append(row)
        return read

    return run


def same_maps(export: str, call: str, kind: str, read: Callable[[Path], np.ndarray]) -> None:
    """Compare maps that a library reads with those exported.

    Args:
        kind: semantic or instances.
        read: gives an array out of a PNG file.
    """
    row: dict = {"export": export, "call": call}
    try:
        same = 0
        for name, tile in truth().items():
            with np.load(ROOT / "maps" / f"{name}.npz") as maps:
                wanted = maps[kind]
            got = np.asarray(read(ROOT / export / kind / tile["folder"] / f"{name}.png"))
            same += got.shape == wanted.shape and bool((got == wanted).all())
        row["maps"] = [same, len(truth())]
    except Exception as error:
        row["error"] = said(error)
    ROWS.append(row)


def finish(*packages: str) -> None:
    print(json.dumps({"versions": {p: version(p) for p in packages}, "rows": ROWS}))
