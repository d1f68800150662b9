"""Polygons on maps beside rasterio's shapes and pyogrio, on the same 100,000 masks of one scene.

    python -m benchmarks.maps [--side 10000] [--step 31]

The peer has an int32 raster of ids and polygonises it as samgeo and geoai do: rasterio's
``features.shapes``, shapely, GeoPandas, a GeoPackage. Ours exports a release to GeoPackage, reading
and checking the table ``joined``. Each runs in a process of its own; CPU time and peak memory are
those that the system tells, interpreter and libraries included. Then the geometries are compared.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from samrs.core.records import JOINED, RELEASED, SCENES, SEMANTIC, TILES
from samrs.core.runs import encode_runs
from samrs.core.shards import write_manifest, write_table

WKT = "EPSG:32633"


def write_release(folder: Path, side: int, step: int) -> int:
    """A release of one scene full of discs with holes, and the raster of their ids."""
    from samrs.corrections.counts import COUNTS
    from samrs.release.thresholds import DROP_REASONS
    from tests.products_by_hand import OPEN

    rng = np.random.default_rng(0)
    ids = np.zeros((side, side), dtype=np.int32)
    rows: list[dict[str, Any]] = []
    for y0 in range(0, side - step + 1, step):
        for x0 in range(0, side - step + 1, step):
            radius = rng.uniform(5, step / 2 - 1)
            y, x = np.mgrid[:step, :step] - step / 2 + 0.5
            far = np.hypot(x, y * rng.uniform(1, 2))
            mask = (far < radius) & ((far > 3) | (rng.random() < 0.5))
            ids[y0 : y0 + step, x0 : x0 + step][mask] = len(rows) + 1
            rows.append(_row(len(rows), mask, x0, y0, side))
    np.save(folder / "ids.npy", ids)
    place = folder / "release"
    write_table(place, "joined", JOINED, rows)
    for table, schema in (("tiles", TILES), ("instances", RELEASED), ("semantic", SEMANTIC)):
        tile = {"tile_id": "a__0_0", "scene_id": "a", "split": "all", "x0": 0, "y0": 0,
                "width": side, "height": side, "gsd": 0.5, "image": {"bytes": b"", "path": "a"},
                "label_map": {"bytes": b"", "path": "a"}}  # fmt: skip
        write_table(place, table, schema, [tile] if table != "instances" else [])
    scene = {"scene_id": "a", "split": "all", "width": side, "height": side, "gsd": 0.5,
             "crs": WKT, "transform": [0.5, 0, 369000, 0, -0.5, 5808400]}  # fmt: skip
    write_table(place, "scenes", SCENES, [scene])
    zero = dict.fromkeys(("tiles", "tiles_empty", "instances", "kept", "pixels", "labelled_pixels",
                          "overpainted_pixels", "contested_pixels"), 0)  # fmt: skip
    write_manifest(place, {
        "product": "release", "subset": "discs", "dataset": "discs", "terms": "none",
        "categories": ["disc"], "palette": [[255, 0, 0]], "parameters": {**OPEN},
        "recipe": "hbox", "model": "none", "label_pixels": [0],
        "counts": {**zero, "dropped": dict.fromkeys(DROP_REASONS, 0),
                   "cleaned": dict.fromkeys(("instances", "removed_pixels", "added_pixels"), 0),
                   "corrections": {**dict.fromkeys(COUNTS, 0), "conflicts": {}},
                   "quality": {"mean": None, "below_half": None}},
    })  # fmt: skip
    return len(rows)


def _row(number: int, mask: Any, x0: int, y0: int, side: int) -> dict[str, Any]:
    columns = np.pad(mask.T, ((0, 0), (1, 1))).astype(np.int8)
    steps = np.diff(columns, axis=1)
    x, top = np.nonzero(steps == 1)
    _, bottom = np.nonzero(steps == -1)
    starts = (x + x0) * side + top + y0
    none = np.zeros(len(starts), dtype=np.int64)
    (text,) = encode_runs(starts, bottom - top, none, np.array([side * side])).to_pylist()
    rows = np.flatnonzero(mask.any(axis=1))
    box = [float(v) for v in (x0 + x[0], y0 + rows[0], x0 + x[-1] + 1, y0 + rows[-1] + 1)]
    return {
        "instance_id": f"a#{number}", "scene_id": "a", "category_id": 0, "category": "disc",
        "hbb": box, "hbb_annotated": box, "obb": None, "difficult": False, "visible": 1.0,
        "source_file": "a.txt", "source_line": number + 1,
        "rle": {"size": [side, side], "counts": text}, "area": int(mask.sum()), "mask_hbb": box,
        "predicted_iou": 0.9, "stability_score": 0.9, "box_iou": 1.0, "obb_iou": None,
        "outside": 0.0, "components": 1, "disagreement": None, "recipe": "hbox",
        "fallback": False, "quality": 0.8, "changed_px": 0, "made_by": "machine", "accepted": False,
        "tiles": 1, "way": "whole",
        "agreement": None,
    }  # fmt: skip


def ours(folder: Path) -> None:
    """Export to GeoPackage."""
    from samrs.export.export import export

    export("gpkg", folder / "release", folder / "ours", force=True)


def peer(folder: Path) -> None:
    """Polygonise the raster and write a GeoPackage."""
    import geopandas
    import shapely
    from affine import Affine
    from rasterio.features import shapes

    ids = np.load(folder / "ids.npy")
    at = Affine(0.5, 0, 369000, 0, -0.5, 5808400)
    found = [(shapely.geometry.shape(s), int(v)) for s, v in shapes(ids, ids > 0, transform=at)]
    frame = geopandas.GeoDataFrame({"id": [v for _, v in found]},
                                   geometry=[s for s, _ in found], crs=WKT)  # fmt: skip
    frame.to_file(folder / "peer.gpkg", layer="peer", engine="pyogrio")


def child(way: str, folder: Path) -> list[str]:
    """The command of a process that does one thing."""
    return [sys.executable, "-m", "benchmarks.maps", "--only", way, "--folder", str(folder)]


def measured(way: str, folder: Path) -> dict[str, float]:
    """CPU seconds, wall seconds and peak MiB of a process that does one of the two."""
    begin = time.perf_counter()
    done = subprocess.run(
        child(way, folder), check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": time.perf_counter() - begin}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=10_000, help="px of the scene")
    parser.add_argument("--step", type=int, default=31, help="px from a disc to the next")
    parser.add_argument("--only", choices=["write", "ours", "peer"])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.only:
        if given.only == "write":
            print(f"{write_release(given.folder, given.side, given.step):,} masks")
            return
        {"ours": ours, "peer": peer}[given.only](given.folder)
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({"cpu": used.ru_utime + used.ru_stime, "MiB": used.ru_maxrss / 1024}))
        return
    import geopandas

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sizes = ["--side", str(given.side), "--step", str(given.step)]
        # a process of its own: a child's peak begins with its parent's
        subprocess.run([*child("write", folder), *sizes], check=True)
        for way in ("ours", "peer"):
            found = measured(way, folder)
            print(way, " ".join(f"{name} {value:.1f}" for name, value in found.items()), flush=True)
        a = geopandas.read_file(folder / "ours" / "discs.gpkg")
        b = geopandas.read_file(folder / "peer.gpkg").dissolve("id")  # parts were features
        a.index = a["instance_id"].str.split("#").str[1].astype(int) + 1
        same = a.geometry.normalize().geom_equals(b.geometry.normalize().reindex(a.index))
        print(f"equal geometries: {int(same.sum()):,} of {len(a):,}")


if __name__ == "__main__":
    main()
