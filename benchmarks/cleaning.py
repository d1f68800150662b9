"""What cleaning masks does to them, against true masks: the figures its defaults are chosen by.

    python -m benchmarks.cleaning NORMALIZED LABELLED
    python -m benchmarks.cleaning NORMALIZED LABELLED --set margin=null --set min_part=0.02
    python -m benchmarks.cleaning NORMALIZED LABELLED --pictures FOLDER

NORMALIZED is a product of normalize that has true masks, LABELLED the product of sam_label made of
it (``stages/normalize.py`` and ``stages/sam_label.py`` write them; ``samrs audit`` leaves the first
below ``--out``). Both releases, with masks cleaned by the ``release`` section of params.yaml and as
they are stored, keep every mask that has px.

Prints one JSON line: the number of masks with a true one and the share that cleaning changed;
``large_boxes``, the share whose box is more than 1.5 times the annotated one in area, before and
after; of mIOU_I and boundary F (docs/quality.md) the mean before, and the mean difference with its
paired 95 % interval, in points. --pictures writes a PNG of the masks that changed most: as stored
in red, clean in green, the true outline in white.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pandas as pd
import yaml

from samrs.core.geometry import hbb_area
from samrs.core.images import decode_rgb, encode_rgb
from samrs.core.parameters import grouped
from samrs.core.rle import rle_area, rle_to_mask
from samrs.core.shards import iter_rows, read_table
from samrs.measures.bootstrap import Resampling, as_interval
from samrs.measures.truth_scores import truth_scores
from samrs.release.release import release

ROOT = Path(__file__).resolve().parents[1]
CLEANING = ("margin", "max_hole", "min_part", "core")
AS_STORED = {"margin": None, "max_hole": 0.0, "min_part": 0.0, "core": 0.0}
OPEN: dict[str, Any] = {
    "min_area": 0,
    "min_predicted_iou": 0.0,
    "min_stability": 0.0,
    "max_outside": 1.0,
    "min_box_iou": 0.0,
    "min_obb_iou": 0.0,
    "max_parts": None,
    "min_quality": 0.0,
    "keep_difficult": True,
}
LARGE = 1.5
SHOWN, SIDE = 24, 200
"""Pictures on a sheet, and px of each."""

Row = dict[str, Any]
Key = tuple[str, str]


def released(normalized: Path, labelled: Path, values: Row, overrides: Row) -> dict[Key, Row]:
    """Released rows by tile and instance."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["release"]
    quality = ROOT / "samrs" / "models" / "quality.json"
    given = {**params, **OPEN, **values, "overrides": overrides}
    with TemporaryDirectory() as folder:
        out = Path(folder) / "release"
        release(normalized, labelled, out, quality, **grouped(release, given))
        return {(row["tile_id"], row["instance_id"]): row for row in iter_rows(out, "instances")}


def compared(normalized: Path, before: dict[Key, Row], after: dict[Key, Row]) -> pd.DataFrame:
    """One row a mask that has a true one: its scores before and after."""
    tiles = read_table(normalized, "tiles", ["tile_id", "scene_id"]).to_pydict()
    scenes = dict(zip(tiles["tile_id"], tiles["scene_id"], strict=True))
    rows = []
    for true in iter_rows(normalized, "truth"):
        key = true["tile_id"], true["instance_id"]
        if key not in before or not rle_area(true["rle"]):
            continue
        row: Row = {"tile_id": key[0], "instance_id": key[1], "scene_id": scenes[key[0]]}
        for name, found in (("before", before[key]), ("after", after.get(key))):
            scores = truth_scores(found["rle"], true["rle"]) if found else {}
            box = hbb_area(found["mask_hbb"]) / hbb_area(found["hbb"]) if found else 0.0
            row[f"iou_{name}"] = 100 * scores.get("iou", 0.0)
            row[f"boundary_f_{name}"] = 100 * scores.get("boundary_f", 0.0)
            row[f"large_{name}"] = box > LARGE
        row["changed"] = found["changed_px"] if found else before[key]["area"]
        rows.append(row)
    return pd.DataFrame(rows)


def figures(frame: pd.DataFrame) -> Row:
    """The figures of the module's docstring."""
    found: Row = {
        "masks": len(frame),
        "changed": round(float((frame["changed"] > 0).mean()), 4),
        "large_boxes": [round(float(frame[f"large_{n}"].mean()), 4) for n in ("before", "after")],
    }
    names = ("iou", "boundary_f")
    differences = np.stack([frame[f"{n}_after"] - frame[f"{n}_before"] for n in names], axis=1)
    for name, values, ends in zip(
        names, differences.T, Resampling(frame).intervals(differences), strict=True
    ):
        found[name] = {
            "before": round(float(frame[f"{name}_before"].mean()), 2),
            "difference": round(float(values.mean()), 3),
            "interval": as_interval(ends, 3),
        }
    return found


def sheet(normalized: Path, frame: pd.DataFrame, before: dict[Key, Row], after: Any) -> bytes:
    """PNG of the masks of which most px changed, largest share first."""
    keys = list(zip(frame["tile_id"], frame["instance_id"], strict=True))
    shares = [c / before[k]["area"] for k, c in zip(keys, frame["changed"], strict=True)]
    chosen = [keys[i] for i in np.argsort(shares)[::-1][:SHOWN] if shares[i] > 0]
    wanted = {tile for tile, _ in chosen}
    images, truth = {}, {}
    for row in iter_rows(normalized, "tiles"):
        if row["tile_id"] in wanted:
            images[row["tile_id"]] = decode_rgb(row["image"]["bytes"], row["tile_id"])
    for row in iter_rows(normalized, "truth"):
        truth[row["tile_id"], row["instance_id"]] = row["rle"]
    cells = [_cell(images[k[0]], before[k], after.get(k), truth[k]) for k in chosen]
    cells += [np.zeros((SIDE, 2 * SIDE, 3), np.uint8)] * (-len(cells) % 4)
    rows = [np.concatenate(cells[i : i + 4], axis=1) for i in range(0, len(cells), 4)]
    return encode_rgb(np.concatenate(rows) if rows else np.zeros((SIDE, SIDE, 3), np.uint8))


def _cell(image: Any, before: Row, after: Row | None, truth: Any) -> Any:
    """The mask as stored on the left, clean on the right, with the box and the true outline."""
    boxes = np.array([before["hbb"], before["mask_hbb"]])
    x0, y0 = np.maximum(boxes[:, :2].min(axis=0) - 8, 0).astype(int)
    x1, y1 = (boxes[:, 2:].max(axis=0) + 8).astype(int)
    pair = []
    for row, colour in ((before, (255, 40, 40)), (after, (40, 255, 40))):
        drawn = image.copy()
        if row is not None:
            mask = rle_to_mask(row["rle"])
            drawn[mask] = drawn[mask] // 2 + np.array(colour, np.uint8) // 2
        lines, _ = cv2.findContours(
            rle_to_mask(truth).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(drawn, lines, -1, (255, 255, 255), 1)
        left, top, right, bottom = np.rint(before["hbb"]).astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right, bottom), (255, 213, 74), 1)
        part = drawn[y0:y1, x0:x1]
        size = SIDE / max(part.shape[:2])
        small = cv2.resize(part, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
        cell = np.zeros((SIDE, SIDE, 3), np.uint8)
        cell[: small.shape[0], : small.shape[1]] = small[:SIDE, :SIDE]
        pair.append(cell)
    return np.concatenate(pair, axis=1)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("normalized", type=Path)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--pictures", type=Path)
    given = parser.parse_args()
    changes = dict(text.split("=", 1) for text in given.set)
    if unknown := sorted(set(changes) - set(CLEANING)):
        parser.error(f"--set: unknown name, got {unknown}; {', '.join(CLEANING)} are allowed")
    values = {name: yaml.safe_load(text) for name, text in changes.items()}
    before = released(given.normalized, given.labelled, AS_STORED, {})
    after = released(given.normalized, given.labelled, values, {})
    frame = compared(given.normalized, before, after)
    print(json.dumps({"benchmark": "cleaning", **changes, **figures(frame)}))
    if given.pictures:
        given.pictures.mkdir(parents=True, exist_ok=True)
        picture = sheet(given.normalized, frame, before, after)
        (given.pictures / "cleaned.png").write_bytes(picture)


if __name__ == "__main__":
    main()
