"""nano's masks against true ones: unseen procedural scenes, and NWPU VHR-10 where it lies.

    python -m benchmarks.nano --nwpu ../shared/real/nwpu_vhr10

Every instance is asked for by its tight box, one mask a box, float32, by the engine that labels.
Scenes are of 512 px and of seeds that neither the demo nor training uses; things with a side under
6 px are left out. "Box" is the IoU of the true mask with the filled box, "said" what nano
predicts for its own IoU. Prints a table by size and class, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools import mask as coco

from samrs.core.images import decode_rgb, encode_rgb
from samrs.core.jobs import in_order
from samrs.core.rle import rle_to_mask
from samrs.executors import local
from samrs.prompting.recipes import parse_recipe
from samrs.prompting.types import Boxes
from samrs.sam import checkpoints
from samrs.scenes.render import render_scene
from samrs.segmenters import sam
from samrs.weights.weights import find_checkpoint

FIRST_SEED = 20_000_001
SIDE = 512
LEAST_SIDE, LEAST_AREA = 6, 20
SIZES = {"under 12 px": (0, 12), "12 to 24 px": (12, 24), "24 to 48 px": (24, 48),
         "over 48 px": (48, np.inf)}  # fmt: skip
"""By the square root of the true mask's area."""

Masks = list[NDArray[np.bool_]]
Job = tuple[str, bytes, list[str], Masks]


def scenes(count: int) -> Iterator[Job]:
    """Unseen scenes: where from, the image, the kinds and masks of its things."""
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        scene = render_scene(seed, size_hw=(SIDE, SIDE))
        kinds, masks = [], []
        for thing in scene.objects:
            x0, y0, x1, y1 = thing.box
            if min(x1 - x0, y1 - y0) >= LEAST_SIDE and thing.mask.sum() >= LEAST_AREA:
                whole = np.zeros((SIDE, SIDE), np.bool_)
                whole[y0:y1, x0:x1] = thing.mask
                kinds.append(thing.kind)
                masks.append(whole)
        if masks:
            yield "scenes", encode_rgb(scene.image), kinds, masks


def nwpu(folder: Path) -> Iterator[Job]:
    """The images of NWPU VHR-10 that have instances, with COCO's annotations of their masks."""
    said = json.loads((folder / "annotations.json").read_text(encoding="utf-8"))
    names = {one["id"]: one["name"] for one in said["categories"]}
    for image in sorted(said["images"], key=lambda one: one["id"]):
        kinds, masks = [], []
        for one in said["annotations"]:
            if one["image_id"] == image["id"]:
                mask = _decoded(one["segmentation"], image["height"], image["width"])
                if mask.any():
                    kinds.append(names[one["category_id"]])
                    masks.append(mask)
        if masks:
            yield "nwpu", (folder / "images" / image["file_name"]).read_bytes(), kinds, masks


def _decoded(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """A mask from polygons or run lengths, which this dataset may hold as text."""
    shape = json.loads(segmentation) if isinstance(segmentation, str) else segmentation
    if isinstance(shape, list):
        shape = coco.merge(coco.frPyObjects(shape, height, width))
    return np.asarray(coco.decode(shape), dtype=bool)


class Asker:
    """Asks nano for the masks of single images."""

    def __init__(self, weights: Path | None) -> None:
        path = weights or find_checkpoint("sam", "nano").verified()
        model = checkpoints.build_sam("nano", path, device="cpu")
        self.engine = sam.SamSegmenter(model, "float32")

    def __call__(self, source: str, image: bytes, kinds: list[str], masks: Masks) -> list[Any]:
        """A row for every instance."""
        pixels = decode_rgb(image, source)
        hbb = np.array([_tight(mask) for mask in masks])
        boxes = Boxes(hbb, np.full((len(hbb), 4, 2), np.nan), pixels.shape[:2])
        answer = self.engine.decode(self.engine.encode(pixels), parse_recipe("hbox").build(boxes))
        rows = []
        for i, (kind, true) in enumerate(zip(kinds, masks, strict=True)):
            found, area = rle_to_mask(answer.rles[i]), int(true.sum())
            x0, y0, x1, y1 = hbb[i]
            rows.append(
                {
                    "source": source,
                    "kind": kind,
                    "side": area**0.5,
                    "nano": (found & true).sum() / (found | true).sum(),
                    "box": area / ((x1 - x0) * (y1 - y0)),
                    "said": float(answer.predicted_iou[i]),
                }
            )
        return rows


def _tight(mask: NDArray[np.bool_]) -> list[float]:
    y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [float(x[0]), float(y[0]), float(x[-1] + 1), float(y[-1] + 1)]


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over instances: of each source, then by size and by class."""
    rows = []
    for source, part in frame.groupby("source", sort=False):
        cuts = {"all": part}
        for name, (low, high) in SIZES.items():
            cuts[name] = part[(part["side"] >= low) & (part["side"] < high)]
        cuts |= {str(kind): some for kind, some in part.groupby("kind")}
        rows += [
            {"source": source, "which": name, "instances": len(some),
             **some[["nano", "box", "said"]].mean().round(3).to_dict()}
            for name, some in cuts.items()
            if len(some)
        ]  # fmt: skip
    return pd.DataFrame(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nano")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--nwpu", type=Path, help="folder of NWPU VHR-10, with annotations.json")
    parser.add_argument("--weights", type=Path, help="other weights than the bundled ones")
    wanted = parser.parse_args()

    def jobs() -> Iterator[Job]:
        yield from scenes(wanted.scenes)
        if wanted.nwpu:
            yield from nwpu(wanted.nwpu)

    rows: list[Any] = []
    runtime = {"device": "cpu", "threads": None}
    with local.load(partial(Asker, wanted.weights), runtime) as executor:
        for _, wait in in_order(jobs(), lambda job: executor.submit(*job), executor.slots):
            rows += wait()
    frame = pd.DataFrame(rows)
    print(table(frame).to_string(index=False))
    means, honest = {}, {}
    for source, part in frame.groupby("source", sort=False):
        means[str(source)] = round(float(part["nano"].mean()), 4)
        honest[str(source)] = round(float(part["nano"].corr(part["said"])), 3)
    figures = {"instances": len(frame), "mean_iou": means, "said_and_true_correlate": honest}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
