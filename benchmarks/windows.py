"""Masks of small pictures: NWPU VHR-10 cut to windows that hold instances as a whole.

    python -m benchmarks.windows --work FOLDER
    git show b0590a0~1:samrs/models/nano.safetensors > before.safetensors
    python -m benchmarks.windows --work FOLDER --against before.safetensors

``--scenes`` pictures, evenly spaced by name, in windows of ``--tile`` px that share half of it.
Each window with an instance is asked by every recipe, and by ``hbox`` with the weights of
``--against`` (nano's, of another day), the reference if there are any. What no window holds as a
whole counts nowhere. Prints a Markdown table: mIOU_I in percent, the mean difference to the
reference with the 95 % interval of 2,000 draws of pictures, encoder passes an instance.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pandas as pd

from samrs.ablation.ablation import ablate
from samrs.audit.audit import keep_scenes
from samrs.core.shards import read_table, sha256
from samrs.look.look import CUT
from samrs.measures.bootstrap import Resampling
from samrs.normalize.normalize import normalize
from samrs.weights.checkpoint import Checkpoint
from samrs.weights.weights import find_checkpoint

REAL = Path(__file__).parents[2] / "shared" / "real" / "nwpu_vhr10"
NAMES = ["scene_id", "tile_id", "instance_id"]


def cut(work: Path, folder: Path, tile: int, scenes: int) -> Path:
    """The product of windows.

    Args:
        work: of what is made.
        folder: NWPU VHR-10 in COCO's form.
        tile: side of a window, px.
        scenes: number of pictures.
    """
    parameters = {**CUT, "tile": tile, "overlap": tile // 2, "min_visible": 1.0}
    normalize("coco", folder, work / "all", **parameters)
    return keep_scenes(work / "all", work / "windows", scenes)


def asked(product: Path, recipes: list[str], floors: list[str], of: Checkpoint, threads: int
) -> pd.DataFrame:  # fmt: skip
    """The ablation's rows of instances that their window holds as a whole."""
    runtime = {"executor": "local", "device": "cpu", "threads": threads}
    frame = ablate(
        product, recipes=recipes, floors=floors, checkpoint=of, precision="float32", runtime=runtime
    )
    seen = read_table(product, "instances", ["tile_id", "instance_id", "visible"]).to_pandas()
    whole = seen.loc[seen["visible"] == 1, ["tile_id", "instance_id"]]
    return frame.merge(whole, on=["tile_id", "instance_id"])


def table(frame: pd.DataFrame, reference: str) -> str:
    """Markdown: a row a recipe.

    Args:
        frame: of ``asked``; what other weights answer stands as a recipe of another name.
        reference: the recipe that the others are compared with.
    """
    wide = frame.pivot(index=NAMES, columns="recipe", values="iou")
    passes = frame.groupby("recipe")["encoder_passes"].mean()
    instances = wide.index.to_frame(index=False)
    draws = Resampling(instances)
    lines = [f"{len(wide)} instances, {instances['scene_id'].nunique()} pictures", ""]
    lines += ["| recipe | mIOU_I | to the reference | passes |", "| --- | ---: | ---: | ---: |"]
    for name in dict.fromkeys(frame["recipe"]):
        gain = 100 * (wide[name] - wide[reference])
        low, high = draws.intervals(gain.to_numpy()[:, None])[0]
        told = "–" if name == reference else f"{gain.mean():+.1f} ({low:.1f} to {high:.1f})"
        lines.append(f"| {name} | {100 * wide[name].mean():.1f} | {told} | {passes[name]:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--nwpu", type=Path, default=REAL)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tile", type=int, default=256)
    parser.add_argument("--scenes", type=int, default=87)
    parser.add_argument("--recipes", nargs="+", default=["hbox", "fit", "fit@96", "two_sizes"])
    parser.add_argument("--against", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    product = cut(given.work, given.nwpu, given.tile, given.scenes)
    nano = find_checkpoint("sam", "nano")
    frames = [asked(product, given.recipes, ["box"], nano, given.threads)]
    reference = given.recipes[0]
    if given.against:
        before = replace(nano, path=given.against, sha256=sha256(given.against))
        old = asked(product, ["hbox"], [], before, given.threads)
        reference = "hbox, weights before"
        frames.insert(0, old.assign(recipe=reference))
    print(table(pd.concat(frames), reference))


if __name__ == "__main__":
    main()
