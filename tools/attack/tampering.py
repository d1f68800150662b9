"""Changes to a release by somebody who then writes its manifest anew, so that all checksums agree.

``CHANGES`` break something that ``samrs verify`` looks at; ``CONSISTENT`` break nothing that a
folder can tell by itself: only what is written elsewhere can (``samrs verify --against``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from samrs.core.images import decode_labels, decode_rgb, encode_rgb
from samrs.core.label_png import encode_labels
from samrs.core.records import GEOREFERENCE, RELEASED, SEMANTIC, TILES
from samrs.core.rle import empty_rle, rle_area, rle_to_hbb
from samrs.core.shards import (
    iter_rows,
    read_manifest,
    shard_paths,
    write_manifest,
    write_table,
)
from samrs.release.scenes import write_scenes

SCHEMAS: Mapping[str, pa.Schema] = {"tiles": TILES, "instances": RELEASED, "semantic": SEMANTIC}
AGAINST = "against"
"""The kind of finding of what a folder by itself does not tell."""
ESCAPE, MARKUP = "../../../tmp/x", "<img src=x>"

Row = dict[str, Any]
Rows = list[Row]
Tables = dict[str, Rows]


@dataclass(frozen=True)
class Tampering:
    """One change.

    Args:
        kind: the finding that tells of it (``samrs/verify/findings.py``).
        change: of the tables and the manifest, in place; it may raise ``NotHere``.
    """

    name: str
    kind: str
    change: Callable[[Tables, dict[str, Any]], None]

    def apply(self, release: Path) -> None:
        """Change a release and write its manifest anew.

        Args:
            release: its folder, which is rewritten.

        Raises:
            NotHere: it has nothing to change in this way.
        """
        tables = {table: list(iter_rows(release, table)) for table in SCHEMAS}
        manifest = {k: v for k, v in read_manifest(release).items() if k != "shards"}
        self.change(tables, manifest)
        for table, rows in tables.items():
            for path in shard_paths(release, table):
                path.unlink()
            write_table(release, table, SCHEMAS[table], rows)
        if self.kind == AGAINST:
            manifest["counts"]["scenes"] = _join_again(release, tables["tiles"])
        raw = manifest.pop("", None)
        write_manifest(release, manifest)
        if raw:
            path = release / "manifest.json"
            path.write_text(raw(path.read_text(encoding="utf-8")), encoding="utf-8")


def _join_again(release: Path, tiles: Rows) -> dict[str, Any]:
    """Write a release's tables of whole scenes anew; their counts."""
    places = [
        {name: row[name] for name in GEOREFERENCE.names}
        for row in iter_rows(release, "scenes")
        if row["crs"] is not None
    ]
    for path in (*shard_paths(release, "scenes"), *shard_paths(release, "joined")):
        path.unlink()
    with TemporaryDirectory() as folder:
        write_table(Path(folder), "tiles", TILES, tiles)
        write_table(Path(folder), "georeference", GEOREFERENCE, places)
        return write_scenes(Path(folder), release)


class NotHere(Exception):
    """A release has nothing that could be changed in that way."""


def _first(rows: Rows, fits: Callable[[Row], bool] = bool) -> Row:
    """The first row that fits, which is then changed."""
    for row in rows:
        if fits(row):
            return row
    raise NotHere


def _row(table: str, **values: Any) -> Callable[[Tables, dict[str, Any]], None]:
    """Set values of a table's first row."""
    return lambda tables, _: _first(tables[table]).update(values)


def _said(**values: Any) -> Callable[[Tables, dict[str, Any]], None]:
    """Set values of the manifest; those in ``counts`` and ``parameters`` one by one."""

    def change(_: Tables, manifest: dict[str, Any]) -> None:
        for key, value in values.items():
            own = manifest.get(key)
            manifest[key] = {**own, **value} if isinstance(own, dict) else value

    return change


def _text(old: str, new: str) -> Callable[[Tables, dict[str, Any]], None]:
    """Replace some of the manifest's text."""

    def change(_: Tables, manifest: dict[str, Any]) -> None:
        manifest[""] = lambda text: text.replace(old, new, 1)

    return change


def _renamed(to: Callable[[Row], str]) -> Callable[[Tables, dict[str, Any]], None]:
    """Give the first tile another scene, in all tables, ids made of it."""

    def change(tables: Tables, _: dict[str, Any]) -> None:
        tile = _first(tables["tiles"])
        old, scene, was = tile["tile_id"], to(tile), tile["scene_id"]
        new = f"{scene}__{tile['x0']}_{tile['y0']}"
        tile["scene_id"] = scene
        for row in (r for rows in tables.values() for r in rows if r["tile_id"] == old):
            row["tile_id"] = new
            for key in ("image", "label_map"):
                if key in row:
                    row[key] = {**row[key], "path": row[key]["path"].replace(old, new)}
            if "instance_id" in row:
                row["instance_id"] = row["instance_id"].replace(f"{was}#", f"{scene}#", 1)

    return change


def _both_splits(split: str) -> Callable[[Tables, dict[str, Any]], None]:
    def change(tables: Tables, _: dict[str, Any]) -> None:
        scenes = [tile["scene_id"] for tile in tables["tiles"]]
        tile = _first(tables["tiles"], lambda t: scenes.count(t["scene_id"]) > 1)
        for row in (*tables["tiles"], *tables["semantic"]):
            if row["tile_id"] == tile["tile_id"]:
                row["split"] = split

    return change


def _picture(of: Callable[[NDArray[np.uint8]], bytes]) -> Callable[[Tables, dict[str, Any]], None]:
    """Replace the bytes of the first tile's picture."""

    def change(tables: Tables, _: dict[str, Any]) -> None:
        tile = _first(tables["tiles"])
        pixels = decode_rgb(tile["image"]["bytes"], "tile")
        tile["image"] = {**tile["image"], "bytes": of(pixels)}

    return change


def _png(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def _with_exif(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG that says it is to be shown upside down."""
    from io import BytesIO

    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 3
    held = BytesIO()
    Image.fromarray(pixels).save(held, "PNG", exif=exif)
    return held.getvalue()


def _moved(axis: int, by: float) -> Callable[[Tables, dict[str, Any]], None]:
    """Move a side of a box beyond its tile and what was annotated."""

    def change(tables: Tables, _: dict[str, Any]) -> None:
        row = _first(tables["instances"])
        row["hbb"] = [v + by * (i == axis) for i, v in enumerate(row["hbb"])]

    return change


def _inverted(tables: Tables, _: dict[str, Any]) -> None:
    row = _first(tables["instances"])
    x0, y0, x1, y1 = row["hbb"]
    row["hbb"] = [x1, y0, x0, y1]


def _both_inverted(tables: Tables, manifest: dict[str, Any]) -> None:
    _inverted(tables, manifest)
    row = _first(tables["instances"])
    row["hbb_annotated"] = row["hbb"]


def _emptied(tables: Tables, _: dict[str, Any]) -> None:
    row = _first(tables["instances"])
    rle = empty_rle(row["rle"]["size"])
    row |= {"rle": rle, "area": 0, "mask_hbb": [0.0] * 4, "components": 0, "box_iou": 0.0}


def _other_mask(tables: Tables, _: dict[str, Any]) -> None:
    """Give an instance the mask of another one, with all that belongs to it but its box's score."""
    rows = tables["instances"]
    row = _first(rows)
    other = _first(rows[1:], lambda r: r["rle"] != row["rle"])
    row["rle"] = other["rle"]
    row |= {"area": rle_area(row["rle"]), "mask_hbb": rle_to_hbb(row["rle"]).tolist()}


def _in_two_tiles(**values: Any) -> Callable[[Tables, dict[str, Any]], None]:
    """Change an instance in one of the tiles that show it."""

    def change(tables: Tables, manifest: dict[str, Any]) -> None:
        ids = [row["instance_id"] for row in tables["instances"]]
        row = _first(tables["instances"], lambda r: ids.count(r["instance_id"]) > 1)
        row.update(values)
        if values.get("category_id") is not None:
            row["category"] = manifest["categories"][row["category_id"]]

    return change


def _in_one_tile(**values: Any) -> Callable[[Tables, dict[str, Any]], None]:
    """Change an instance that a single tile shows."""

    def change(tables: Tables, _: dict[str, Any]) -> None:
        ids = [row["instance_id"] for row in tables["instances"]]
        _first(tables["instances"], lambda r: ids.count(r["instance_id"]) == 1).update(values)

    return change


def _map(of: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Callable[..., None]:
    """Repaint the label map of the first tile that has an instance."""

    def change(tables: Tables, _: dict[str, Any]) -> None:
        there = {row["tile_id"] for row in tables["instances"]}
        row = _first(tables["semantic"], lambda r: r["tile_id"] in there)
        labels = decode_labels(row["label_map"]["bytes"], "map").copy()
        row["label_map"] = {**row["label_map"], "bytes": encode_labels(of(labels))}

    return change


def _with_strange_class(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A map in which a px of background is of a class that no mask of the tile has."""
    strange = next(i for i in range(3) if i not in labels)
    labels[tuple(np.argwhere(labels == 255)[0])] = strange
    return labels


def _with_more_px(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    label = int(labels[labels < 255][0])
    labels[labels == 255] = label
    return labels


def _dropped(tables: Tables, manifest: dict[str, Any]) -> None:
    """Take an instance out, from its map and from all counts."""
    rows = tables["instances"]
    tiles = [row["tile_id"] for row in rows]
    row = _first(rows, lambda r: tiles.count(r["tile_id"]) == 1)
    rows.remove(row)
    semantic = _first(tables["semantic"], lambda r: r["tile_id"] == row["tile_id"])
    labels = decode_labels(semantic["label_map"]["bytes"], "map").copy()
    labels[:] = 255
    semantic["label_map"] = {**semantic["label_map"], "bytes": encode_labels(labels)}
    counts = dict(manifest["counts"])
    estimates = [r["quality"] for r in rows]
    counts |= {
        "instances": counts["instances"] - 1,
        "kept": counts["kept"] - 1,
        "tiles_empty": counts["tiles_empty"] + 1,
        "labelled_pixels": counts["labelled_pixels"] - row["area"],
        "quality": {
            "mean": round(float(np.mean(estimates)), 4) if rows else None,
            "below_half": round(float(np.mean(np.array(estimates) < 0.5)), 4) if rows else None,
        },
    }
    pixels = list(manifest["label_pixels"])
    pixels[row["category_id"]] -= row["area"]
    manifest |= {"counts": counts, "label_pixels": pixels}


def _twice(table: str) -> Callable[[Tables, dict[str, Any]], None]:
    def change(tables: Tables, _: dict[str, Any]) -> None:
        tables[table].insert(0, dict(_first(tables[table])))

    return change


NAN, INFINITY = math.nan, math.inf
TILE_CHANGES = [
    Tampering("a tile's split against its map's", "split", _row("tiles", split="other")),
    Tampering("a map's split against its tile's", "split", _row("semantic", split="other")),
    Tampering("two splits of a scene", "split", _both_splits("test")),
    Tampering("a split that is a path", "split", _row("tiles", split=ESCAPE)),
    Tampering("a split with markup", "split", _row("tiles", split=MARKUP)),
    Tampering("a scene that is a path", "id", _renamed(lambda tile: ESCAPE)),
    Tampering("a scene with markup", "id", _renamed(lambda tile: MARKUP)),
    Tampering("a scene with a control character", "id", _renamed(lambda tile: "a\x1b[31m")),
    Tampering("a scene of 400 characters", "id", _renamed(lambda tile: "a" * 400)),
    Tampering("a tile at another place than its id", "id", _row("tiles", x0=7)),
    Tampering("a tile before its scene", "tile", _row("tiles", x0=-5)),
    Tampering("a tile twice", "duplicate", _twice("tiles")),
    Tampering("a tile wider than its picture", "image", _row("tiles", width=4000)),
    Tampering("a gsd of NaN", "score", _row("tiles", gsd=NAN)),
    Tampering("a gsd below 0", "score", _row("tiles", gsd=-0.5)),
    Tampering("a picture of another size", "image", _picture(lambda p: encode_rgb(p[1:]))),
    Tampering("a picture cut off", "image", _picture(lambda p: encode_rgb(p)[:-40])),
    Tampering("a page for a picture", "image", _picture(lambda p: MARKUP.encode() * 9)),
    Tampering("a grey picture", "image", _picture(lambda p: _png(p[:, :, 0]))),
    Tampering("a picture of 16 bits", "image", _picture(lambda p: _png(p.astype(np.uint16)))),
    Tampering("a picture that readers turn", "image", _picture(_with_exif)),
    Tampering("a tile without picture", "image", _picture(lambda p: b"")),
]
INSTANCE_CHANGES = [
    Tampering("an instance that is a path", "id", _row("instances", instance_id=ESCAPE)),
    Tampering("an instance with markup", "id", _row("instances", instance_id=MARKUP)),
    Tampering("an instance of another scene", "id", _row("instances", instance_id="zz#0")),
    Tampering("an instance twice", "duplicate", _twice("instances")),
    Tampering("another class in one of two tiles", "instance", _in_two_tiles(category_id=0)),
    Tampering("another line in one of two tiles", "instance", _in_two_tiles(source_line=999)),
    Tampering(
        "another box in one of two tiles", "instance", _in_two_tiles(hbb_annotated=[0.0, 0, 9, 9])
    ),
    Tampering("an inverted box", "box", _inverted),
    Tampering("both boxes inverted", "box", _both_inverted),
    Tampering("a box beyond its tile", "box", _moved(2, 9000.0)),
    Tampering("a box beyond its annotation", "box", _moved(1, -1.0)),
    Tampering("a box of NaN", "value", _row("instances", hbb=[0.0, 0.0, NAN, 5.0])),
    Tampering("a rotated box of NaN", "value", _row("instances", obb=[NAN] * 8)),
    Tampering("a rotated box of infinity", "value", _row("instances", obb=[INFINITY] * 8)),
    Tampering("the mask of another instance", "score", _other_mask),
    Tampering("an empty mask", "threshold", _emptied),
    Tampering("a class that there is not", "category", _row("instances", category_id=99)),
    Tampering("a class of another name", "category", _row("instances", category="boat")),
    Tampering("a source outside", "source", _row("instances", source_file="../../etc/passwd")),
    Tampering("a source with a NUL", "source", _row("instances", source_file="a\0b")),
    Tampering("a source outside, backwards", "source", _row("instances", source_file="a\\..\\b")),
    Tampering("a source's line below 1", "source", _row("instances", source_line=-3)),
    Tampering("a recipe that was not used", "score", _row("instances", recipe="other")),
    Tampering("a fallback with a rotated box", "score", _row("instances", fallback=True)),
    Tampering("no fallback flag", "value", _row("instances", fallback=None)),
    Tampering("no score of the rotated box", "score", _row("instances", obb_iou=None)),
    Tampering("no components", "score", _row("instances", components=0)),
    Tampering("more components than px", "score", _row("instances", components=10**8)),
    *[
        Tampering(f"{column} of {value}", "score", _row("instances", **{column: value}))
        for column, value in (
            ("predicted_iou", NAN), ("predicted_iou", INFINITY), ("predicted_iou", 7.0),
            ("stability_score", NAN), ("stability_score", 1.5), ("quality", 2.0),
            ("quality", NAN), ("box_iou", NAN), ("box_iou", 0.123), ("outside", -0.1),
            ("disagreement", -1.0), ("visible", 3.0), ("visible", 0.0), ("obb_iou", NAN),
        )
    ],
]  # fmt: skip
MAP_CHANGES = [
    Tampering("a class in a map that no mask has", "label_map", _map(_with_strange_class)),
    Tampering("a class beyond its masks", "label_map", _map(_with_more_px)),
    Tampering("a map without a label", "label_map", _map(lambda m: np.full_like(m, 255))),
    Tampering("a map of another size", "label_map", _map(lambda m: m[:-1])),
    Tampering("a label without a name", "label_map", _map(lambda m: np.full_like(m, 254))),
    Tampering(
        "a map that is called otherwise", "label_map",
        lambda tables, _: _first(tables["semantic"])["label_map"].update(path=ESCAPE),
    ),
]  # fmt: skip
MANIFEST_CHANGES = [
    *[
        Tampering(f"{name} of {value}, against rows", "threshold", _said(parameters={name: value}))
        for name, value in (
            ("min_area", 10**6), ("min_predicted_iou", 1.0), ("min_stability", 1.0),
            ("min_quality", 1.0),
        )
    ],
    Tampering(
        "difficult rows where none are kept", "threshold",
        lambda tables, manifest: (
            _first(tables["instances"]).update(difficult=True),
            _said(parameters={"keep_difficult": False})(tables, manifest),
        )[-1],
    ),
    Tampering("a threshold out of range", "manifest", _said(parameters={"max_outside": 3})),
    Tampering("a rule that there is not", "manifest", _said(parameters={"overlap": "none"})),
    Tampering("a threshold more", "manifest", _said(parameters={"min_iou": 0})),
    Tampering("NaN in the manifest", "manifest", _text('"terms":', '"note": NaN, "terms":')),
    Tampering("a key twice", "manifest", _text('"terms":', '"subset": "X", "terms":')),
    Tampering("a subset that is a path", "manifest", _said(subset=ESCAPE)),
    Tampering("a subset with markup", "manifest", _said(subset=MARKUP)),
    Tampering("a dataset that is a path", "manifest", _said(dataset="..")),
    Tampering("terms with control characters", "manifest", _said(terms="free\x1b[2J")),
    Tampering("a recipe that is no text", "manifest", _said(recipe=["hbox"])),
    Tampering("a class with an escape", "manifest", _said(categories=["a\x1b[2J", "ship", "c"])),
    Tampering("a class twice", "manifest", _said(categories=["ship", "ship", "harbor"])),
    Tampering(
        "classes in another order", "category",
        lambda _, manifest: manifest.update(
            {name: manifest[name][::-1] for name in ("categories", "labels")}
        ),
    ),
    Tampering("a colour too few", "manifest", _said(palette=[[0, 0, 0]])),
    Tampering("a colour of 300", "manifest", _said(palette=[[300, 0, 0]] * 3)),
    Tampering("no label counts", "manifest", _said(label_pixels=None)),
    Tampering("a count below 0", "manifest", _said(counts={"overpainted_pixels": -1})),
    Tampering("px painted over", "counts", _said(counts={"overpainted_pixels": 10**9})),
    Tampering("px of two classes", "counts", _said(counts={"contested_pixels": 10**9})),
    Tampering("a better mean", "counts", _said(counts={"quality": {"mean": 1.0, "below_half": 0}})),
    Tampering("a reason that there is not", "manifest", _said(counts={"dropped": {"luck": 3}})),
    Tampering("a shard's number left out", "manifest", _text("tiles-00000", "tiles-00003")),
    Tampering("a shard elsewhere", "manifest", _text("tiles-00000", "../tiles-00000")),
]  # fmt: skip
CHANGES: Sequence[Tampering] = [
    *TILE_CHANGES, *INSTANCE_CHANGES, *MAP_CHANGES, *MANIFEST_CHANGES
]  # fmt: skip

CONSISTENT: Sequence[Tampering] = [
    Tampering("px of a picture", AGAINST, _picture(lambda p: encode_rgb(p[::-1]))),
    Tampering("a map turned", AGAINST, _map(lambda m: np.ascontiguousarray(m[::-1]))),
    Tampering("an instance taken out of everything", AGAINST, _dropped),
    Tampering("another score in its range", AGAINST, _row("instances", predicted_iou=0.999)),
    Tampering("another gsd", AGAINST, _row("tiles", gsd=12.5)),
    Tampering("other terms", AGAINST, _said(terms="public domain")),
    Tampering("another model", AGAINST, _said(model_sha256="ab" * 32)),
    Tampering("another line of a source", AGAINST, _in_one_tile(source_line=77)),
]
