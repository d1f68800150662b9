"""Labelling against the official loop, alternately on the same tiles in one process.

    python -m benchmarks.label --model vit_b --precision bfloat16 --tiles 3

The official loop is `SamPredictor.set_image` + `predict_torch`, 20 boxes a call, and pycocotools'
encoding, as SAMRS ran it, in float32. ViT-B, L and H have random weights here: that changes no
speed. Tiles are procedural scenes of 1024 px with 35 boxes each, SAMRS's order of magnitude (1.67
million masks on 105,090 tiles are 16 a tile, DOTA's tiles hold more).

Prints one JSON line: tiles/s and masks/s of both, their ratio, where the engine's time goes, how
well the masks agree, peak memory; with --peak-tflops also the share of them that the encoder uses.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch.utils.flop_counter import FlopCounterMode

from samrs.core.prompting import Boxes
from samrs.core.rle import Rle, mask_to_rle, rle_iou
from samrs.recipes import parse_recipe
from samrs.sam.checkpoints import build_sam
from samrs.scenes.render import render_scene
from samrs.segmenters.sam import SamSegmenter

SIDE = 1024
BOXES_A_CALL = 20
FIRST_SEED = 30_000_000


def model(name: str, device: str) -> Sam:
    """nano as it is; the others with seeded random weights."""
    if name == "nano":
        return build_sam("nano", None, device=device)
    torch.manual_seed(0)
    sam: Sam = sam_model_registry[name]().eval()
    return sam.to(device)


def tile(number: int, count: int) -> tuple[NDArray[np.uint8], Boxes]:
    """A scene and `count` boxes: those of its things, then random ones."""
    scene = render_scene(FIRST_SEED + number, size_hw=(SIDE, SIDE))
    rng = np.random.default_rng(number)
    corner = rng.uniform(0, SIDE - 64, (count, 2))
    random = np.concatenate([corner, corner + rng.uniform(8, 64, (count, 2))], 1)
    own = np.array([thing.box for thing in scene.objects], np.float64).reshape(-1, 4)
    boxes = np.concatenate([own, random])[:count]
    return scene.image, Boxes(boxes, np.full((count, 4, 2), np.nan), (SIDE, SIDE))


def official(predictor: SamPredictor, image: NDArray[np.uint8], boxes: Boxes) -> list[Rle]:
    """The masks of the official predictor for the boxes of one tile."""
    predictor.set_image(image)
    found: list[Rle] = []
    for start in range(0, len(boxes), BOXES_A_CALL):
        asked = torch.as_tensor(boxes.hbb[start : start + BOXES_A_CALL], dtype=torch.float)
        framed = predictor.transform.apply_boxes_torch(asked, boxes.size_hw).to(predictor.device)
        masks, _, _ = predictor.predict_torch(None, None, framed, multimask_output=False)
        found += [mask_to_rle(mask) for mask in masks[:, 0].cpu().numpy()]
    return found


class Clock:
    """Seconds by phase."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        begin = self._now()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + self._now() - begin

    def _now(self) -> float:
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def wrap(self, owner: Any, method: str, name: str) -> None:
        """Count a method's time as a phase."""
        original = getattr(owner, method)

        def timed(*given: Any) -> Any:
            with self.phase(name):
                return original(*given)

        setattr(owner, method, timed)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label")
    parser.add_argument("--model", default="nano", choices=["nano", "vit_b", "vit_l", "vit_h"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--tiles", type=int, default=4)
    parser.add_argument("--boxes", type=int, default=35, help="a tile")
    parser.add_argument("--peak-tflops", type=float, help="of the device at this precision")
    wanted = parser.parse_args()

    sam = model(wanted.model, wanted.device)
    predictor, engine = SamPredictor(sam), SamSegmenter(sam, wanted.precision)
    recipe, clock = parse_recipe("hbox"), Clock(wanted.device)
    clock.wrap(engine, "encode", "encode")
    clock.wrap(engine, "_low_res", "decode")
    agreement: list[float] = []
    # the first is a rehearsal: allocators, code paths and clocks warm up
    for number in range(wanted.tiles + 1):
        image, boxes = tile(number, wanted.boxes)
        if number == 1:
            clock.seconds.clear()
            agreement.clear()
        with clock.phase("official"):
            theirs = official(predictor, image, boxes)
        with clock.phase("ours"):
            ours = engine.decode(engine.encode(image), recipe.build(boxes)).rles
        agreement += [rle_iou([a], [b])[0, 0] for a, b in zip(theirs, ours, strict=True)]
    print(json.dumps(result(wanted, clock.seconds, agreement, sam)))


def result(
    wanted: argparse.Namespace, seconds: dict[str, float], agreement: list[float], sam: Sam
) -> dict[str, Any]:
    """What is printed."""
    masks = wanted.tiles * wanted.boxes
    phases = {name: seconds[name] / seconds["ours"] for name in ("encode", "decode")}
    out = {
        **{name: getattr(wanted, name) for name in ("model", "device", "precision", "tiles")},
        "masks": masks,
        "threads": torch.get_num_threads(),
        "ratio": round(seconds["official"] / seconds["ours"], 2),
        "mean_iou": round(float(np.mean(agreement)), 5),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "share": {k: round(v, 3) for k, v in {**phases, "rest": 1 - sum(phases.values())}.items()},
    }
    for name in ("official", "ours"):
        out[f"{name}_tiles_per_s"] = round(wanted.tiles / seconds[name], 3)
        out[f"{name}_masks_per_s"] = round(masks / seconds[name], 2)
    if wanted.device == "cuda":
        out["peak_gib_gpu"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    if wanted.peak_tflops:
        used = encoder_flops(sam) * wanted.tiles / seconds["ours"]
        out["flop_utilisation"] = round(used / (wanted.peak_tflops * 1e12), 3)
    return out


@torch.inference_mode()
def encoder_flops(sam: Sam) -> int:
    """Multiplications and additions of one pass of the official image encoder."""
    size = sam.image_encoder.img_size
    pixels = torch.zeros(1, 3, size, size, device=sam.device)
    with FlopCounterMode(display=False) as counter:
        sam.image_encoder(pixels)
    return int(counter.get_total_flops())


if __name__ == "__main__":
    main()
