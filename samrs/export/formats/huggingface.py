"""A dataset folder for Hugging Face's ``datasets``: Parquet shards and a card.

Layout::

    README.md                       the data card; its header names splits and files
    data/train-00000.parquet        a row a tile, images inside

``datasets.load_dataset(folder)`` opens it as it is, locally or from the Hub. A row has ``image``
and ``label_map`` (8-bit label ids, 255 = unlabelled; what each means stands in ``export.json`` as
``map_labels``) as images, ``tile_id``, ``scene_id``, place and size, ``gsd``, ``crs`` (WKT2) and
``transform`` (both null where the tile lies on no map), and
``objects``, a list: ``instance_id``, ``category`` (a ClassLabel), ``bbox`` (of the mask, xywh as in
COCO; of the annotation with ``--boxes annotated``), both as ``mask_bbox`` and ``annotated_bbox``,
``annotated_obb`` (four corners, or null), ``area``, ``segmentation`` (COCO's run lengths),
``difficult``, ``made_by`` (machine, clicked or drawn), ``accepted`` and the scores.

The types stand in each file's Arrow metadata under ``huggingface``, where ``datasets`` itself
writes them. ``datasets`` keeps what it once read by the name of the folder and the card's header,
not by the files, so the header's ``description`` tells one export from another: else the second of
two folders of one name would open as the first.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from samrs.core.records import IMAGE, MADE
from samrs.core.shards import ShardWriter, json_text, sha256
from samrs.export.boxes import BOXES, COLUMNS, upright, xywh
from samrs.export.subset import ExportedTile, Row, Subset

ONE_LEVEL = "a row is a picture with its label map, and a release has no pictures of whole scenes"

_COLUMNS = ("instance_id", *COLUMNS, "difficult", *MADE)
_TYPES = {
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
}


def write(subset: Subset, out: Path, *, boxes: str = "mask") -> dict[str, Any]:
    """Write the export; returns rows and instances by split.

    Args:
        boxes: whose ``bbox`` is, one of BOXES.
    """
    features = _features(subset)
    rows = dict.fromkeys(subset.folders, 0)
    instances = dict.fromkeys(subset.folders, 0)
    with ExitStack() as stack:
        writers = {
            split: stack.enter_context(ShardWriter(out / "data", name, schema(features)))
            for split, name in _split_names(subset).items()
        }
        for tile in subset.tiles([*_COLUMNS, *subset.scores], semantic=True):
            writers[tile.split].write(_row(tile, subset, boxes))
            rows[tile.split] += 1
            instances[tile.split] += len(tile.rows)
    return {"rows": rows, "instances": instances}


def card_header(subset: Subset, *, boxes: str = "mask") -> dict[str, Any]:
    """What the card's YAML header says beyond the card's own: where each split's files are.

    Args:
        boxes: as of ``write``.
    """
    files = [
        {"split": name, "path": f"data/{name}-*.parquet"} for name in _split_names(subset).values()
    ]
    config = {
        "config_name": "default",
        "data_files": files,
        "description": _description(subset, boxes),
    }
    return {"configs": [config]}


def _description(subset: Subset, boxes: str) -> str:
    """What decides the files: the release, and the choice out of it."""
    release = sha256(subset.release / "manifest.json")
    labels = " ".join(map(str, subset.labels))
    pixels = "with" if subset.images else "without"
    choice = f"splits {' '.join(subset.folders)}, labels {labels}, {pixels} images"
    return f"release {release}, {choice}" + (f", {boxes} boxes" if boxes != "mask" else "")


def _split_names(subset: Subset) -> dict[str, str]:
    """Split names that ``datasets`` takes: word characters; "all" is its word for every split."""
    names = {s: re.sub(r"\W", "_", s, flags=re.ASCII) for s in subset.folders}
    return {split: "train" if name == "all" else name for split, name in names.items()}


def _features(subset: Subset) -> dict[str, Any]:
    """The columns as ``datasets.Features`` writes itself to JSON."""
    image = {"_type": "Image"}
    objects = {
        "instance_id": _value("string"),
        "category": {"names": list(subset.categories), "_type": "ClassLabel"},
        **{name: _numbers(4) for name in ("bbox", "annotated_bbox", "mask_bbox")},
        "annotated_obb": _numbers(8),
        "area": _value("int64"),
        "segmentation": {
            "size": {"feature": _value("int32"), "length": 2, "_type": "Sequence"},
            "counts": _value("string"),
        },
        "difficult": _value("bool"),
        "made_by": _value("string"),
        "accepted": _value("bool"),
        **{name: _value("float64") for name in subset.scores},
    }
    return {
        **({"image": image} if subset.images else {}),
        "label_map": image,
        **{name: _value("string") for name in ("tile_id", "scene_id")},
        **{name: _value("int32") for name in ("x0", "y0", "width", "height")},
        "gsd": _value("float64"),
        "crs": _value("string"),
        "transform": _numbers(6),
        "objects": [objects],
    }


def _numbers(count: int) -> dict[str, Any]:
    return {"feature": _value("float64"), "length": count, "_type": "Sequence"}


def _value(dtype: str) -> dict[str, str]:
    return {"dtype": dtype, "_type": "Value"}


def schema(features: dict[str, Any]) -> pa.Schema:
    """Arrow's schema of features, which go into its metadata."""
    about = json_text({"info": {"features": features}})
    fields = [(name, _arrow(feature)) for name, feature in features.items()]
    return pa.schema(fields, metadata={"huggingface": about})


def _arrow(feature: Any) -> pa.DataType:
    if isinstance(feature, list):
        return pa.list_(_arrow(feature[0]))
    kind = feature.get("_type")
    if kind == "Image":
        return IMAGE
    if kind == "ClassLabel":
        return pa.int64()
    if kind == "Sequence":
        return pa.list_(_arrow(feature["feature"]), feature["length"])
    if kind == "Value":
        return _TYPES[feature["dtype"]]
    return pa.struct([(name, _arrow(inner)) for name, inner in feature.items()])


def _row(tile: ExportedTile, subset: Subset, boxes: str) -> Row:
    about = tile.about
    image = {"image": {"bytes": tile.image, "path": tile.file}} if subset.images else {}
    return {
        **image,
        "label_map": {"bytes": tile.label_map, "path": f"{tile.name}.png"},
        **{k: v for k, v in about.items() if k != "split"},
        "crs": tile.place and tile.place.crs,
        "transform": tile.place and list(tile.place.transform),
        "objects": [_object(row, subset.scores, boxes, tile.size_wh) for row in tile.rows],
    }


def _object(row: Row, scores: tuple[str, ...], main: str, size_wh: tuple[int, int]) -> Row:
    found = {f"{boxes}_bbox": xywh(upright(row, boxes, size_wh)) for boxes in BOXES}
    return {
        "instance_id": row["instance_id"],
        "category": row["label"],
        "bbox": found[f"{main}_bbox"],
        **found,
        "annotated_obb": row["obb"],
        "area": row["area"],
        "segmentation": row["rle"],
        "difficult": row["difficult"],
        **{name: row[name] for name in MADE},
        **{name: row[name] for name in scores},
    }
