"""datasets and webdataset."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"

import datasets
import webdataset
from common import ROOT, Found, Tiles, finish, probe, xyxy
from pycocotools import mask


def pixels(rle):
    return mask.decode({"size": list(rle["size"]), "counts": rle["counts"]}).astype(bool)


@probe("huggingface", "`datasets.load_dataset(folder)`")
def folder() -> Tiles:
    found: Tiles = {}
    loaded = datasets.load_dataset(str(ROOT / "huggingface"), cache_dir=str(ROOT / "cache"))
    for rows in loaded.values():
        names = rows.features["objects"].feature["category"].names
        for row in rows:
            assert row["image"].size == row["label_map"].size == (row["width"], row["height"])
            objects = row["objects"]
            if isinstance(objects, dict):
                objects = [
                    dict(zip(objects, v, strict=True)) for v in zip(*objects.values(), strict=True)
                ]
            found[row["tile_id"]] = [
                Found(names[o["category"]], xyxy(o["bbox"]), pixels(o["segmentation"]))
                for o in objects
            ]
    return found


@probe("release", '`datasets.load_dataset("parquet", data_files="…/instances-*.parquet")`')
def tables() -> Tiles:
    def load(table: str):
        return datasets.load_dataset(
            "parquet",
            data_files=str(ROOT / "release" / f"{table}-*.parquet"),
            split="train",
            cache_dir=str(ROOT / "cache"),
        )

    found: Tiles = {}
    for row in load("tiles"):
        assert row["image"].size == (row["width"], row["height"])
        found[row["tile_id"]] = []
    for row in load("instances"):
        box = row["mask_hbb"]
        found[row["tile_id"]].append(Found(row["category"], box, pixels(row["rle"])))
    return found


@probe("webdataset", "`webdataset.WebDataset(tars).decode()`")
def tars() -> Tiles:
    found: Tiles = {}
    paths = sorted(str(p) for p in (ROOT / "webdataset").glob("*/*.tar"))
    for sample in webdataset.WebDataset(paths, shardshuffle=False).decode("rgb8"):
        about = sample["json"]
        found[about["tile_id"]] = [
            Found(o["category"], o["hbb"], pixels(o["rle"])) for o in about["instances"]
        ]
    return found


finish("datasets", "webdataset")
