"""Products of a small demo: `python -m tests.bytes.products DEMO LABELS OUT`, hashes are printed.

Masks are made by GrabCut where LABELS is missing, so that other processes release the same ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import rasterio
import yaml

from samrs.core import axis
from samrs.export.export import export
from samrs.normalize.normalize import normalize
from samrs.stats.plots import write_plots, write_tables
from samrs.stats.stats import stats
from stages.stage import write_metrics
from tests.demo.hashes import ROOT, table, write_demo
from tests.products_by_hand import release

PARAMETERS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
QUALITY = ROOT / "samrs" / "models" / "quality.json"
TILE = 128


def write_inputs(demo: Path) -> None:
    """Write small scenes of all datasets; FAIR1M's are of 16 bits, which are stretched."""
    demo.mkdir()
    write_demo(demo, "small")
    for path in sorted((demo / "fair1m").rglob("*.tif")):
        with rasterio.open(path) as file:
            pixels, profile = file.read(), file.profile
        path.unlink()
        with rasterio.open(path, "w", **{**profile, "dtype": "uint16"}) as file:
            file.write(pixels.astype("uint16") * 37 + 11)


def write_products(demo: Path, labels: Path, out: Path) -> None:
    """Write everything from normalize to exports below a folder.

    Args:
        demo: what ``write_inputs`` wrote.
        labels: folder of products of labels, made where it is missing.
        out: an empty folder.
    """
    released = {}
    for name, values in PARAMETERS["normalize"].items():
        values |= {"tile": TILE, "overlap": 20}
        counts = normalize(name, demo / name, out / "normalize" / name, format=name, **values)
        write_metrics(str(out / "metrics" / f"{name}.json"), counts)
        if name not in PARAMETERS["subsets"]:
            continue
        if not (labels / name).exists():
            from samrs.label.label import label  # only here: it needs torch
            from samrs.weights.weights import find_checkpoint

            label(
                out / "normalize" / name, labels / name, prompt="hbox",
                checkpoint=find_checkpoint("grabcut", "nano"), precision="float32",
                runtime={"executor": "local", "device": "cpu", "threads": 1},
                work=labels.parent / "work",
            )  # fmt: skip
        released[name] = out / "release" / name
        counts = release(
            out / "normalize" / name, labels / name, released[name], QUALITY,
            **PARAMETERS["release"],
        )  # fmt: skip
        write_metrics(str(out / "metrics" / f"release-{name}.json"), counts)
    for form in axis.names("samrs.export.formats"):
        export(form, released["fair1m"], out / "export" / form)
    values = stats(released)
    write_metrics(str(out / "metrics" / "stats.json"), values)
    write_plots(values, out / "plots")
    write_tables(values, out / "metrics" / "classes.csv", out / "metrics" / "sizes.csv")


if __name__ == "__main__":
    place = Path(sys.argv[3])
    write_products(Path(sys.argv[1]), Path(sys.argv[2]), place)
    print(table(place), end="")
