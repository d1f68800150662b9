"""Audit: how good are the masks on a dataset that has true ones?

    python -m samrs.audit coco FOLDER --recipes hbox,point --out DIR
    python -m samrs.audit dota FOLDER --truth isaid --tile 1024 --out DIR

Normalizes the folder with the dataset's reader, asks every recipe and the floors for every
instance, and writes ``table.csv`` (by size bin), ``by_class.csv``, ``summary.json``, ``plot.png``
and ``contact_sheet.png``. With ``--truth`` the folder is also read as another dataset, whose true
masks are matched to the boxes of the first: as DOTA's boxes and iSAID's masks of the same images.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from samrs.ablation import ablate
from samrs.ablation_plots import write_ablation_plots
from samrs.ablation_tables import class_rows, to_rows, write_tables
from samrs.contact_sheet import Cell, write_sheet
from samrs.core.errors import ProductError, SamrsError
from samrs.core.geometry import hbb_iou
from samrs.core.images import decode_rgb
from samrs.core.records import INSTANCES, TILES, TRUTH
from samrs.core.rle import rle_to_mask
from samrs.core.shards import (
    fresh_product,
    iter_rows,
    read_manifest,
    read_table,
    write_manifest,
    write_table,
)
from samrs.label import where
from samrs.normalize import normalize

SEGMENTER = "sam"
RECIPES = "point,hbox,rhbox,rbox,hbox_mask,rhbox_mask,hbox+point"
FLOORS = ("box", "obb", "grabcut")
NORMALIZE: dict[str, Any] = {
    "min_visible": 0.7,
    "clip": True,
    "pad": False,
    "keep_difficult": True,
    "stretch": 2.0,
    "max_quarantined": 0.01,
}
"""How images are cut, but for what the command line says."""
MATCH_IOU = 0.5
CELLS = 8

Row = dict[str, Any]


def audit(
    dataset: str,
    folder: Path,
    out: Path,
    *,
    truth: str | None,
    recipes: Sequence[str],
    model: str,
    precision: str,
    tile: int | None,
    overlap: int,
    limit: int | None,
    runtime: Mapping[str, Any],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measure masks on a dataset and write tables and pictures below ``out``.

    Args:
        dataset: a file of ``samrs/datasets``.
        folder: the dataset in its official layout.
        truth: another dataset read from the same folder for its masks; None: ``dataset`` has them.
        recipes: what to ask for each box.
        tile: side in px; None keeps images whole.
        overlap: px shared by neighbouring tiles.
        limit: number of images, evenly spaced in the order of their names; None takes all.

    Returns:
        What ``samrs.ablation.ablate`` gives, and what stands in ``summary.json``.
    """
    cut = {"tile": tile, "overlap": overlap}
    product = _normalized(dataset, folder, out / "normalize" / dataset, cut, limit)
    matching: dict[str, int] = {}
    if truth is not None:
        masks = _normalized(truth, folder, out / "normalize" / truth, cut, limit)
        matching = match_truth(product, masks)
    frame = ablate(
        product,
        recipes=recipes,
        floors=FLOORS,
        segmenter=SEGMENTER,
        model=model,
        precision=precision,
        runtime=runtime,
    )
    about = {
        "dataset": dataset,
        "model": model,
        "precision": precision,
        **cut,
        "images": len(set(read_table(product, "tiles", ["scene_id"])["scene_id"].to_pylist())),
        **({"truth": truth, **matching} if truth else {}),
    }
    summary, rows = write_tables(frame, out, about)
    write_ablation_plots(rows, out)
    first = frame[(frame["kind"] == "recipe") & (frame["recipe"] == summary["best"])]
    write_sheet(pick_cells(product, first), out / "contact_sheet.png")
    return frame, summary


def _normalized(
    dataset: str, folder: Path, out: Path, cut: Mapping[str, Any], limit: int | None
) -> Path:
    normalize(dataset, folder, out, **cut, **NORMALIZE)
    if limit is None:
        return out
    return keep_scenes(out, out.with_name(f"{out.name}-{limit}"), limit)


def keep_scenes(product: Path, out: Path, count: int) -> Path:
    """Write a normalized product with ``count`` of its scenes, evenly spaced by name."""
    names = read_table(product, "tiles", ["tile_id", "scene_id"]).to_pandas()
    scenes = sorted(set(names["scene_id"]))
    places = np.unique(np.linspace(0, len(scenes) - 1, min(count, len(scenes))).round())
    chosen = {scenes[int(place)] for place in places}
    tiles = set(names["tile_id"][names["scene_id"].isin(chosen)])
    fresh_product(out)
    for table, schema in (("tiles", TILES), ("instances", INSTANCES), ("truth", TRUTH)):
        if table == "truth" and not any(product.glob("truth-*.parquet")):
            continue
        rows = (row for row in iter_rows(product, table) if row["tile_id"] in tiles)
        write_table(out, table, schema, rows)
    about = read_manifest(product)
    write_manifest(out, {**about, "parameters": {**about["parameters"], "scenes": count}})
    return out


def match_truth(product: Path, masks: Path) -> dict[str, int]:
    """Give a product without masks those of another product of the same images.

    Per tile, instances are matched one to one so that the sum of box IoUs is largest; pairs need
    one class (case, blanks, ``_`` and ``-`` aside) and an IoU of at least 0.5. The truth table is
    added to ``product`` under its own instance ids.

    Returns:
        ``matched``, ``boxes_without_mask`` and ``masks_without_box``.

    Raises:
        ProductError: the two have no tile in common.
    """
    rles = {(r["tile_id"], r["instance_id"]): r["rle"] for r in iter_rows(masks, "truth")}
    ours, theirs = _by_tile(product), _by_tile(masks)
    stored = [read_table(p, "tiles", ["tile_id"])["tile_id"].to_pylist() for p in (product, masks)]
    if not set(stored[0]) & set(stored[1]):
        raise ProductError(
            f"{masks}: no tile in common with {product}, got {stored[1][:1]} beside "
            f"{stored[0][:1]}; the same images under the same names are needed; check the folder"
        )
    rows = []
    for tile in stored[0]:
        for i, k in _pairs(ours[tile], theirs[tile]):
            name = ours[tile][i]["instance_id"]
            rle = rles[tile, theirs[tile][k]["instance_id"]]
            rows.append({"instance_id": name, "tile_id": tile, "rle": rle})
    write_table(product, "truth", TRUTH, rows)
    write_manifest(product, read_manifest(product))
    return {
        "matched": len(rows),
        "boxes_without_mask": sum(map(len, ours.values())) - len(rows),
        "masks_without_box": sum(map(len, theirs.values())) - len(rows),
    }


def _by_tile(product: Path) -> defaultdict[str, list[Row]]:
    grouped: defaultdict[str, list[Row]] = defaultdict(list)
    columns = ["tile_id", "instance_id", "category", "hbb"]
    for row in iter_rows(product, "instances", columns):
        grouped[row["tile_id"]].append(row)
    return grouped


def _pairs(ours: Sequence[Row], theirs: Sequence[Row]) -> list[tuple[int, int]]:
    if not ours or not theirs:
        return []
    overlap = hbb_iou([row["hbb"] for row in ours], [row["hbb"] for row in theirs])
    classes = [[_plain(row["category"]) for row in rows] for rows in (ours, theirs)]
    same = np.array(classes[0])[:, None] == np.array(classes[1])[None, :]
    overlap = np.where(same & (overlap >= MATCH_IOU), overlap, 0)
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return [(int(i), int(k)) for i, k in zip(rows, columns, strict=True) if overlap[i, k] > 0]


def _plain(category: str) -> str:
    return category.lower().replace("_", "-").replace(" ", "-")


def pick_cells(product: Path, frame: pd.DataFrame) -> list[tuple[str, list[Cell]]]:
    """The best, the middle and the worst masks of one recipe, as rows of a contact sheet."""
    ranked = frame.sort_values(["iou", "tile_id", "instance_id"], ascending=[False, True, True])
    count = min(CELLS, len(ranked))
    middle = (len(ranked) - count) // 2
    parts = {
        "best": ranked.iloc[:count],
        "median": ranked.iloc[middle : middle + count],
        "worst": ranked.iloc[::-1].iloc[:count],
    }
    recipe = ranked["recipe"].iloc[0]
    wanted = pd.concat(list(parts.values()))
    keys = set(zip(wanted["tile_id"], wanted["instance_id"], strict=True))
    images = {
        row["tile_id"]: decode_rgb(row["image"]["bytes"], where(product, row))
        for row in iter_rows(product, "tiles", batch_rows=8)
        if row["tile_id"] in set(wanted["tile_id"])
    }
    stored = {
        table: {
            (row["tile_id"], row["instance_id"]): row[column]
            for row in iter_rows(product, table, ["tile_id", "instance_id", column])
            if (row["tile_id"], row["instance_id"]) in keys
        }
        for table, column in (("instances", "hbb"), ("truth", "rle"))
    }
    return [
        (f"{name} by {recipe}", [_cell(row, images, stored) for _, row in part.iterrows()])
        for name, part in parts.items()
    ]


def _cell(row: Any, images: Mapping[str, Any], stored: Mapping[str, Mapping[Any, Any]]) -> Cell:
    key = row["tile_id"], row["instance_id"]
    return Cell(
        f"{row['category']}\nIoU {row['iou']:.2f}, {row['true_area']:,} px",
        images[row["tile_id"]],
        stored["instances"][key],
        rle_to_mask(row["rle"]),
        rle_to_mask(stored["truth"][key]),
    )


def _print(frame: pd.DataFrame, summary: Mapping[str, Any]) -> None:
    if "matched" in summary:
        sys.stdout.write(
            f"matched {summary['matched']}, boxes without mask {summary['boxes_without_mask']}, "
            f"masks without box {summary['masks_without_box']}\n"
        )
    sys.stdout.write(
        f"{summary['instances']} instances on {summary['images']} images, {summary['model']}\n"
    )
    classes = [row for row in class_rows(frame) if row["bin"] == "all"]
    for rows, column in ((to_rows(frame), "bin"), (classes, "category")):
        table = pd.DataFrame(rows)
        order = list(dict.fromkeys(table["recipe"]))
        wide = table.pivot_table(
            index=[column, "count"], columns="recipe", values="miou_i", sort=False
        )
        sys.stdout.write(f"\nmIOU_I\n{wide[order].to_string(float_format='%.3f')}\n")
    overall = pd.DataFrame([row for row in to_rows(frame) if row["bin"] == "all"])
    sys.stdout.write(f"\nall\n{overall[['recipe', 'miou_i', 'miou_p']].to_string(index=False)}\n")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m samrs.audit", description="Measure masks on a dataset that has true ones."
    )
    parser.add_argument("dataset", help="a file of samrs/datasets, e.g. coco")
    parser.add_argument("folder", type=Path, help="the dataset in its official layout")
    parser.add_argument("--truth", help="read the same folder as this dataset for its masks")
    parser.add_argument("--recipes", default=RECIPES, help=f"comma-separated; {RECIPES}")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables and pictures")
    parser.add_argument("--model", default="nano", help="nano, vit_b, vit_l or vit_h")
    parser.add_argument("--precision", default="float32", help="float32 or bfloat16")
    parser.add_argument("--tile", type=int, help="side in px; whole images without it")
    parser.add_argument("--overlap", type=int, default=200, help="px shared by tiles")
    parser.add_argument("--limit", type=int, help="this many images, evenly spaced")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, help="images at once, a core each")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; errors meant for the user end it with one sentence."""
    given = _arguments(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("samrs").setLevel(logging.INFO)
    try:
        frame, summary = audit(
            given.dataset,
            given.folder,
            given.out,
            truth=given.truth,
            recipes=given.recipes.split(","),
            model=given.model,
            precision=given.precision,
            tile=given.tile,
            overlap=given.overlap if given.tile else 0,
            limit=given.limit,
            runtime={"executor": "local", "device": given.device, "threads": given.threads},
        )
    except SamrsError as error:
        sys.exit(f"error: {error}")
    _print(frame, summary)


if __name__ == "__main__":
    main()
